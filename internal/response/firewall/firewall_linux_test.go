// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package firewall

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/bpffs"
	"github.com/vedette-sec/vedette/internal/filelock"
	"github.com/vedette-sec/vedette/internal/ring"
)

// The two ends of the wire between the tests' own network namespaces.
const (
	here  = "203.0.113.1"
	there = "203.0.113.2"
)

// helperEnv makes this test binary a helper that does what its value says.
const helperEnv = "VEDETTE_FIREWALL_HELPER"

func TestMain(m *testing.M) {
	switch os.Getenv(helperEnv) {
	case "peer":
		peer()
	case "client":
		client()
	case "block":
		blockAndWait()
	default:
		os.Exit(m.Run())
	}
}

func fail(err error) {
	fmt.Println("error:", err)
	os.Exit(1)
}

// peer answers on TCP and UDP port 7 by what it gets.
func peer() {
	fmt.Println("ready")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // by now the wire is there
	for _, address := range []string{"203.0.113.2:7", "[2001:db8::2]:7"} {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			fail(err)
		}
		go accept(listener)
		packets, err := net.ListenPacket("udp", address)
		if err != nil {
			fail(err)
		}
		go echo(packets)
	}
	fmt.Println("listening")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func accept(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go func() { _, _ = io.Copy(connection, connection) }()
	}
}

func echo(packets net.PacketConn) {
	buffer := make([]byte, 100)
	for {
		n, from, err := packets.ReadFrom(buffer)
		if err != nil {
			return
		}
		_, _ = packets.WriteTo(buffer[:n], from)
	}
}

// client does what its input says, a line at a time, and answers with one line each.
func client() {
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	var kept net.Conn
	for lines.Scan() {
		word, address, _ := strings.Cut(lines.Text(), " ")
		var err error
		switch word {
		case "tcp", "udp":
			var c net.Conn
			if c, err = net.DialTimeout(word, address, working); err == nil {
				err = say(c, working)
				_ = c.Close()
			}
		case "sendto":
			err = sendTo(address)
		case "keep":
			if kept, err = net.DialTimeout("tcp", address, working); err == nil {
				err = say(kept, working)
			}
		case "say":
			err = say(kept, time.Second)
		}
		fmt.Println(err)
	}
}

// working is how long what works may take on a slow machine.
const working = 60 * time.Second

// say waits so long for the echo.
func say(c net.Conn, patience time.Duration) error {
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte("x")); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 1))
	return err
}

func sendTo(address string) error {
	c, err := net.ListenPacket("udp", ":0")
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(address)))
	return err
}

// helper is a running helper.
type helper struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.Writer
	out *bufio.Scanner
}

func startHelper(t *testing.T, what, cgroup string, env ...string) *helper {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(append(os.Environ(), helperEnv+"="+what), env...)
	// A network of its own from the first instruction on: nothing it sends may leave this machine.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Cloneflags: unix.CLONE_NEWNET}
	if cgroup != "" {
		directory, err := os.Open(cgroup)
		require.NoError(t, err)
		defer directory.Close()
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(directory.Fd())
	}
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	h := &helper{t, cmd, in, bufio.NewScanner(out)}
	require.Equal(t, "ready", h.line())
	return h
}

func (h *helper) line() string {
	require.True(h.t, h.out.Scan(), "the helper ended")
	return h.out.Text()
}

func (h *helper) do(what string) string {
	_, err := fmt.Fprintln(h.in, what)
	require.NoError(h.t, err)
	return h.line()
}

// testFirewall is a firewall of this test alone, on a cgroup of its own.
func testFirewall(t *testing.T) Firewall {
	root, err := RootCgroup()
	if err != nil {
		ring.Cannot(t, err.Error())
	}
	cgroup := filepath.Join(root, fmt.Sprintf("vedette-test-%d", os.Getpid()))
	require.NoError(t, os.MkdirAll(cgroup, 0o755))
	f := Firewall{Directory: filepath.Join(bpffs.Root, fmt.Sprintf("vedette-test-%d", os.Getpid()), "response"), Cgroup: cgroup}
	t.Cleanup(func() {
		assert.NoError(t, f.remove())
		assert.NoDirExists(t, filepath.Dir(f.Directory))
		assert.Eventually(t, func() bool { return os.Remove(cgroup) == nil }, 2*time.Minute, 10*time.Millisecond)
	})
	return f
}

// wire starts a client in the firewall's cgroup and a peer that is not, with a wire between them.
func wire(t *testing.T, f Firewall) *helper {
	if _, err := exec.LookPath("ip"); err != nil || ring.InGuest() {
		ring.Cannot(t, "it needs the ip program of iproute2 to make network namespaces")
	}
	c, p := startHelper(t, "client", f.Cgroup), startHelper(t, "peer", "")
	run := func(arguments ...any) {
		output, err := exec.Command("ip", strings.Fields(fmt.Sprint(arguments...))...).CombinedOutput()
		require.NoError(t, err, string(output))
	}
	near, far := c.cmd.Process.Pid, p.cmd.Process.Pid
	name := fmt.Sprintf("vt%d", os.Getpid())
	run("link add ", name, "a netns ", near, " type veth peer name ", name, "b netns ", far)
	for _, end := range []struct {
		pid              int
		device, ip4, ip6 string
	}{{near, name + "a", here, "2001:db8::1"}, {far, name + "b", there, "2001:db8::2"}} {
		enter := func(command string) {
			output, err := exec.Command("nsenter", append([]string{"-n", "-t", fmt.Sprint(end.pid), "ip"}, strings.Fields(command)...)...).CombinedOutput()
			require.NoError(t, err, string(output))
		}
		enter("link set lo up")
		enter("address add " + end.ip4 + "/24 dev " + end.device)
		enter("address add " + end.ip6 + "/64 dev " + end.device + " nodad")
		enter("link set " + end.device + " up")
	}
	require.Equal(t, "listening", p.do("go"))
	return c
}

const (
	works   = "<nil>"
	refused = "operation not permitted"
)

func TestBlock(t *testing.T) {
	ring.Require(t, ring.Native)
	f := testFirewall(t)
	c := wire(t, f)
	require.Equal(t, works, c.do("tcp 203.0.113.2:7"))
	require.Equal(t, works, c.do("tcp [2001:db8::2]:7"))
	require.Equal(t, works, c.do("keep 203.0.113.2:7"))

	require.NoError(t, f.Block(netip.MustParseAddr(there), 0))
	assert.Contains(t, c.do("tcp 203.0.113.2:7"), refused)
	assert.Contains(t, c.do("tcp [::ffff:203.0.113.2]:7"), refused)
	assert.Contains(t, c.do("udp 203.0.113.2:7"), refused)
	assert.Contains(t, c.do("sendto 203.0.113.2:7"), refused)
	assert.Contains(t, c.do("say"), "timeout", "an established connection carries nothing any more")
	assert.Equal(t, works, c.do("tcp [2001:db8::2]:7"), "another address")

	require.NoError(t, f.Block(netip.MustParseAddr("2001:db8::2"), 0))
	assert.Contains(t, c.do("tcp [2001:db8::2]:7"), refused)
	assert.Contains(t, c.do("sendto [2001:db8::2]:7"), refused)

	state, err := f.State()
	require.NoError(t, err)
	require.Len(t, state.Blocks, 2)
	assert.GreaterOrEqual(t, state.Blocks[netip.MustParseAddr(there)].Hits, uint64(5))

	require.NoError(t, f.Unblock(netip.MustParseAddr(there)))
	assert.Equal(t, works, c.do("tcp 203.0.113.2:7"))
	require.NoError(t, f.Unblock(netip.MustParseAddr("2001:db8::2")))
	assert.NoDirExists(t, f.Directory, "nothing stays in the kernel when nothing is blocked")
	assert.Equal(t, works, c.do("tcp [2001:db8::2]:7"))
	require.NoError(t, f.Unblock(netip.MustParseAddr(there)), "a second time")
}

func TestIsolate(t *testing.T) {
	ring.Require(t, ring.Native)
	f := testFirewall(t)
	c := wire(t, f)
	require.Equal(t, works, c.do("keep 203.0.113.2:7"))
	require.NoError(t, f.Isolate([]netip.Prefix{netip.MustParsePrefix("2001:db8::/64")}, 0))
	assert.Contains(t, c.do("tcp 203.0.113.2:7"), refused)
	assert.Contains(t, c.do("say"), "timeout")
	assert.Equal(t, works, c.do("tcp [2001:db8::2]:7"), "an allowed peer, neighbour discovery included")

	require.NoError(t, f.Isolate([]netip.Prefix{netip.MustParsePrefix("203.0.113.0/30")}, 0))
	assert.Equal(t, works, c.do("tcp 203.0.113.2:7"))
	assert.Contains(t, c.do("tcp [2001:db8::2]:7"), refused, "the list before is forgotten")

	require.NoError(t, f.Block(netip.MustParseAddr(there), 0))
	assert.Contains(t, c.do("tcp 203.0.113.2:7"), refused, "a block outweighs")
	require.NoError(t, f.Release())
	assert.Equal(t, works, c.do("tcp [2001:db8::2]:7"))
	assert.DirExists(t, f.Directory, "the block is still there")
	require.NoError(t, f.Unblock(netip.MustParseAddr(there)))
	assert.NoDirExists(t, f.Directory)
}

func blockAndWait() {
	f := Firewall{Directory: os.Getenv("DIRECTORY"), Cgroup: os.Getenv("CGROUP")}
	lasting, err := time.ParseDuration(os.Getenv("LASTING"))
	if err == nil && lasting != 0 {
		lasting += SinceBoot()
	}
	if err == nil {
		err = f.Block(netip.MustParseAddr(there), lasting)
	}
	if err != nil {
		fail(err)
	}
	fmt.Println("ready")
	select {}
}

// blockAndDie blocks the peer from a process that is killed.
func blockAndDie(t *testing.T, f Firewall, lasting time.Duration) {
	h := startHelper(t, "block", "", "DIRECTORY="+f.Directory, "CGROUP="+f.Cgroup, "LASTING="+lasting.String())
	require.NoError(t, h.cmd.Process.Kill())
	_ = h.cmd.Wait()
}

func TestABlockOutlivesItsMakerAndIsAdopted(t *testing.T) {
	ring.Require(t, ring.Native)
	f := testFirewall(t)
	c := wire(t, f)
	blockAndDie(t, f, 0)
	assert.Contains(t, c.do("tcp 203.0.113.2:7"), refused)
	adopted, err := f.Adopt()
	require.NoError(t, err)
	assert.True(t, adopted)
	assert.Contains(t, c.do("tcp 203.0.113.2:7"), refused)
	require.NoError(t, f.Unblock(netip.MustParseAddr(there)))
	assert.Equal(t, works, c.do("tcp 203.0.113.2:7"))
}

func TestABlockExpiresWithoutItsMaker(t *testing.T) {
	ring.Require(t, ring.Native)
	f := testFirewall(t)
	c := wire(t, f)
	blockAndDie(t, f, 15*time.Second)
	assert.Contains(t, c.do("tcp 203.0.113.2:7"), refused)
	assert.Eventually(t, func() bool { return c.do("tcp 203.0.113.2:7") == works }, 2*time.Minute, 50*time.Millisecond)
	assert.DirExists(t, f.Directory)
	adopted, err := f.Adopt()
	require.NoError(t, err)
	assert.False(t, adopted)
	assert.NoDirExists(t, f.Directory, "the next agent removes what expired")
}

func TestAdoptRemovesWhatIsIncomplete(t *testing.T) {
	ring.Require(t, ring.Native)
	f := testFirewall(t)
	adopted, err := f.Adopt()
	require.NoError(t, err)
	assert.False(t, adopted, "there is nothing")
	require.NoError(t, f.Block(netip.MustParseAddr(there), 0))
	require.NoError(t, os.Remove(f.pin("allowed")))
	adopted, err = f.Adopt()
	require.NoError(t, err)
	assert.False(t, adopted)
	assert.NoDirExists(t, f.Directory)
}

// TestOnlyRootCanHoldItUp has somebody hold the BPF file system, as anybody can where it is open to all.
func TestOnlyRootCanHoldItUp(t *testing.T) {
	ring.Require(t, ring.Native)
	f := testFirewall(t)
	root, err := os.Open(bpffs.Root)
	require.NoError(t, err)
	defer root.Close()
	require.NoError(t, filelock.Lock(root))
	require.NoError(t, f.Block(netip.MustParseAddr(there), 0))
	require.NoError(t, f.Unblock(netip.MustParseAddr(there)))
	info, err := os.Stat(lockFile)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
}

// TestManyMakers has what makes and takes down the same firewall run at once, as agents with state directories of their own do
// and commands beside them.
func TestManyMakers(t *testing.T) {
	ring.Require(t, ring.Native)
	f := testFirewall(t)
	const makers = 4
	var done sync.WaitGroup
	for i := range makers {
		done.Go(func() {
			for round := range 25 {
				address := netip.AddrFrom4([4]byte{203, 0, 113, byte(100 + i)})
				assert.NoError(t, f.Block(address, 0))
				_, err := f.Adopt()
				assert.NoError(t, err)
				state, err := f.State()
				assert.NoError(t, err)
				assert.Contains(t, state.Blocks, address, "maker %d, round %d", i, round)
				assert.NoError(t, f.Unblock(address))
			}
		})
	}
	done.Wait()
	assert.NoDirExists(t, f.Directory)
}

func TestTheRootCgroupTakesTheBlock(t *testing.T) {
	ring.Require(t, ring.Native)
	f := testFirewall(t)
	var err error
	outside := f
	outside.Cgroup, err = RootCgroup()
	require.NoError(t, err)
	c := wire(t, f)
	require.NoError(t, outside.Block(netip.MustParseAddr(there), 0))
	assert.Contains(t, c.do("tcp 203.0.113.2:7"), refused)
	require.NoError(t, outside.Unblock(netip.MustParseAddr(there)))
}
