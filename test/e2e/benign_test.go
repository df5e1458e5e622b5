// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/test/internal/port"
)

// script runs a shell script that has to succeed and gives what it printed.
func script(t *testing.T, text string) string {
	t.Helper()
	out, err := exec.Command("/bin/sh", "-ec", text).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

// TestEverydayWork runs what looks like a remote shell and is none. There must be no alert at all.
func TestEverydayWork(t *testing.T) {
	ring.RequireOnHost(t)
	ran := startCron(t)
	a := startAgent(t)
	_ = os.Remove(ran) // the agent has not seen what ran before

	server := listen(t, "")
	site := &http.Server{Handler: http.FileServer(http.Dir(repository(t)))}
	go func() { _ = site.Serve(server) }()
	defer site.Close()
	url := "http://" + server.Addr().String()
	host, port, err := net.SplitHostPort(server.Addr().String())
	require.NoError(t, err)

	for _, work := range []struct {
		name  string
		needs []string
		run   func(t *testing.T)
	}{
		{"curl", []string{"curl"}, func(t *testing.T) {
			assert.Contains(t, script(t, "curl -sf "+url+"/script"), "echo from the network")
		}},
		{"curl into a shell", []string{"curl"}, func(t *testing.T) {
			assert.Equal(t, "from the network\n", script(t, "curl -sf "+url+"/script | sh"))
		}},
		{"pipeline from curl to curl", []string{"curl", "python3"}, func(t *testing.T) {
			script(t, "curl -sf "+url+"/script | python3 -c 'import sys; sys.stdout.write(sys.stdin.read())' | curl -s -o /dev/null --data-binary @- "+url+"/")
		}},
		{"git over http", []string{"git"}, func(t *testing.T) {
			script(t, "cd "+t.TempDir()+" && git clone -q "+url+"/repository.git copy && cd copy && git fetch -q")
		}},
		{"python client", []string{"python3"}, func(t *testing.T) {
			assert.Contains(t, script(t, `python3 -c 'import urllib.request as u, os; print(u.urlopen("`+url+`/script").read().decode()); os.system("echo from a shell")'`), "from a shell")
		}},
		{"python runs a command with its output in a pipe", []string{"python3"}, func(t *testing.T) {
			script(t, `python3 -c 'import urllib.request as u, subprocess as s; r=u.urlopen("`+url+`/script"); s.run("id", shell=True, capture_output=True, input=b"")'`)
		}},
		{"python fetched something and starts a shell on a terminal", []string{"python3", "bash"}, func(t *testing.T) {
			script(t, `python3 -c 'import urllib.request as u, pty; u.urlopen("`+url+`/script").read(); pty.spawn(["bash", "-ic", "id"])'`)
		}},
		{"nc looks whether a port is open", []string{"nc.openbsd", "nc.traditional"}, func(t *testing.T) {
			script(t, "nc.openbsd -z "+host+" "+port+"; nc.traditional -z "+host+" "+port)
		}},
		{"bash looks whether a port is open", []string{"bash"}, func(t *testing.T) {
			script(t, "bash -c '</dev/tcp/"+host+"/"+port+"'")
		}},
		{"nc sends a file", []string{"nc.openbsd"}, func(t *testing.T) {
			script(t, "printf 'GET / HTTP/1.0\r\n\r\n' | nc.openbsd -q 1 "+host+" "+port+" > /dev/null")
		}},
		{"a shell in tmux", []string{"tmux", "bash", "curl"}, func(t *testing.T) { inTmux(t, url) }},
		{"ssh", []string{"ssh", "ssh-keygen", "/usr/sbin/sshd"}, func(t *testing.T) { overSSH(t) }},
		{"bash -c from cron", []string{"/usr/sbin/cron"}, func(t *testing.T) {
			require.Eventually(t, func() bool { return exists(ran) }, patience, 100*time.Millisecond, "cron did not run its job")
		}},
	} {
		t.Run(work.name, func(t *testing.T) {
			need(t, work.needs...)
			a.t = t
			work.run(t)
			assert.Empty(t, a.settle())
		})
	}
}

// repository makes a directory to be served: a script and a git repository.
func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "script"), []byte("echo from the network\n"), 0o600))
	if _, err := exec.LookPath("git"); err == nil {
		script(t, "cd "+dir+` && git init -q work && cd work && git -c user.name=t -c user.email=t@t commit -q --allow-empty -m first && cd .. && git clone -q --bare work repository.git && git -C repository.git update-server-info`)
	}
	return dir
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// startCron gives cron a job before the agent watches, because a job that is written while it does is
// an alert. The answer is a file that the job makes when it runs.
func startCron(t *testing.T) string {
	t.Helper()
	done := filepath.Join(t.TempDir(), "done")
	if _, err := exec.LookPath("/usr/sbin/cron"); err != nil {
		return done
	}
	job := fmt.Sprintf("/etc/cron.d/vedette-test-%d", os.Getpid())
	line := "* * * * * root bash -c 'date >> " + done + "; exec 3<>/dev/null'\n"
	require.NoError(t, os.WriteFile(job, []byte(line), 0o644))
	t.Cleanup(func() { _ = os.Remove(job) })
	cmd := exec.Command("/usr/sbin/cron", "-f")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return done
}

func inTmux(t *testing.T, url string) {
	t.Helper()
	dir := t.TempDir()
	socket := filepath.Join(dir, "tmux")
	tmux := func(args ...string) {
		out, err := exec.Command("tmux", append([]string{"-S", socket}, args...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	tmux("new-session", "-d", "bash", "-i")
	defer func() { _ = exec.Command("tmux", "-S", socket, "kill-server").Run() }()
	tmux("send-keys", "curl -sf "+url+"/script | tee "+dir+"/got; bash -c 'sh -c id'; touch "+dir+"/done", "Enter")
	require.Eventually(t, func() bool { return exists(filepath.Join(dir, "done")) }, patience, 50*time.Millisecond)
	got, err := os.ReadFile(filepath.Join(dir, "got"))
	require.NoError(t, err)
	assert.Contains(t, string(got), "network")
}

// overSSH logs in to a server of its own: one command, a shell with a terminal, a copy.
func overSSH(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	port, err := port.Free()
	require.NoError(t, err)
	script(t, fmt.Sprintf(`cd %s && chmod 700 . && ssh-keygen -q -t ed25519 -N '' -f host && ssh-keygen -q -t ed25519 -N '' -f key && cp key.pub authorized && mkdir -p /run/sshd
cat > config <<EOF
Port %d
ListenAddress 127.0.0.1
HostKey %[1]s/host
AuthorizedKeysFile %[1]s/authorized
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
EOF`, dir, port))
	server := exec.Command("/usr/sbin/sshd", "-D", "-e", "-f", filepath.Join(dir, "config"))
	server.Stderr = io.Discard
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, patience, 50*time.Millisecond)
	ssh := fmt.Sprintf("ssh -F none -i %s/key -p %d -o StrictHostKeyChecking=no -o UserKnownHostsFile=%s/known -o LogLevel=ERROR", dir, port, dir)
	assert.Contains(t, script(t, ssh+" root@127.0.0.1 id"), "uid=")
	assert.Contains(t, script(t, "echo 'echo in a $0' | "+ssh+" root@127.0.0.1 sh"), "in a sh")
	assert.Contains(t, script(t, "(sleep 1; echo 'echo on $SSH_TTY; exit') | "+ssh+" -tt root@127.0.0.1"), "on /dev/pts/")
	assert.Contains(t, script(t, fmt.Sprintf("%s -o ProxyCommand='sh -c \"nc.openbsd 127.0.0.1 %d\"' root@127.0.0.1 id", ssh, port)), "uid=")
	if _, err := exec.LookPath("git"); err == nil {
		script(t, fmt.Sprintf("cd %s && git init -q --bare there.git && GIT_SSH_COMMAND='%s' git clone -q ssh://root@127.0.0.1%s/there.git here 2>/dev/null && cd here && GIT_SSH_COMMAND='%[2]s' git fetch -q", dir, ssh, dir))
	}
}
