// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package process

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/ring"
)

// afterName is a line of /proc/PID/stat from the state on: parent 7, session 9, terminal pts3, start 1234.
const afterName = " S 7 8 9 34819 8 4194560 1 2 3 4 5 6 7 8 20 0 1 0 1234 5 6"

func TestParseStat(t *testing.T) {
	for name, tc := range map[string]struct{ stat, program, err string }{
		"plain":           {stat: "42 (sh)" + afterName, program: "sh"},
		"spaces":          {stat: "42 (tmux: server)" + afterName, program: "tmux: server"},
		"brackets":        {stat: "42 (a) S 1 (b)" + afterName, program: "a) S 1 (b"},
		"line ends":       {stat: "42 (a\nb)" + afterName + "\n", program: "a\nb"},
		"only a bracket":  {stat: "42 ())" + afterName, program: ")"},
		"no name":         {stat: "42 ()" + afterName, program: ""},
		"nothing":         {stat: "", err: `no name in brackets in ""`},
		"no bracket":      {stat: "42 sh S 1", err: `no name in brackets in "42 sh S 1"`},
		"turned brackets": {stat: "42 )sh( S 1", err: `no name in brackets in "42 )sh( S 1"`},
		"short":           {stat: "42 (sh) S 7 8", err: "3 fields after the name, at least 20 expected"},
		"no start":        {stat: "42 (sh)" + strings.Replace(afterName, "1234", "soon", 1), err: `start time: strconv.ParseUint: parsing "soon": invalid syntax`},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := parseStat([]byte(tc.stat))
			if tc.err != "" {
				assert.EqualError(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			want := &Snapshot{ParentPID: 7}
			want.Executable, want.Key.Start, want.Session, want.TTY = tc.program, 1234, 9, "pts3"
			assert.Equal(t, want, s)
		})
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("42 (sh)" + afterName))
	f.Add([]byte("42 (a) S 1 (b)" + afterName))
	f.Add([]byte("42 (sh) S 7"))
	f.Add([]byte(")("))
	f.Fuzz(func(t *testing.T, stat []byte) {
		s, err := parseStat(stat)
		if (s == nil) != (err != nil) {
			t.Fatal("a snapshot or an error, one of them")
		}
		if s == nil {
			return
		}
		// The name may hold anything: whatever it is, the fields after it are the same.
		again, err := parseStat([]byte("1 (" + s.Executable + ") x) y)" + string(stat[strings.LastIndexByte(string(stat), ')')+1:])))
		require.NoError(t, err)
		again.Executable = s.Executable
		require.Equal(t, s, again)
	})
}

func TestParseSocket(t *testing.T) {
	end := netip.MustParseAddrPort
	rest := " 01 00000000:00000000 00:00000000 00000000     0        0 "
	for name, tc := range map[string]struct {
		line        string
		local, peer netip.AddrPort
		inode       uint64
		ok          bool
	}{
		"IPv4":        {"  0: 0100007F:1F90 010200C0:C350" + rest + "4711 1 0", end("127.0.0.1:8080"), end("192.0.2.1:50000"), 4711, true},
		"a listener":  {"  0: 00000000:0016 00000000:0000" + rest + "9", end("0.0.0.0:22"), end("0.0.0.0:0"), 9, true},
		"IPv6":        {"  0: B80D0120000000000000000001000000:01BB 00000000000000000000000000000000:0000" + rest + "1 1 0", end("[2001:db8::1]:443"), end("[::]:0"), 1, true},
		"mapped":      {"  0: 0000000000000000FFFF00000100007F:0016 0000000000000000FFFF0000010200C0:C350" + rest + "1 1 0", end("127.0.0.1:22"), end("192.0.2.1:50000"), 1, true},
		"the heading": {"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode", netip.AddrPort{}, netip.AddrPort{}, 0, false},
		"short":       {"  0: 0100007F:1F90 010200C0:C350 01", netip.AddrPort{}, netip.AddrPort{}, 0, false},
		"no peer":     {"  0: 0100007F:1F90 xx" + rest + "4711", end("127.0.0.1:8080"), netip.AddrPort{}, 0, false},
		"no inode":    {"  0: 0100007F:1F90 010200C0:C350" + rest + "-1", end("127.0.0.1:8080"), end("192.0.2.1:50000"), 0, false},
		"nothing":     {"", netip.AddrPort{}, netip.AddrPort{}, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := parseSocket(tc.line)
			require.Equal(t, tc.ok, ok)
			if ok {
				assert.Equal(t, listedSocket{tc.local, tc.peer, 1, tc.inode}, got)
			}
		})
	}
	for _, text := range []string{"", ":", "0100007F", "0100007F:", "0100007F:10000", "0100007:1F90", "01007F:1F90", "0100007F0100007F:1", "zz00007F:1F90", ":1F90"} {
		_, ok := parseEnd(text)
		assert.False(t, ok, "%q", text)
	}
}

func TestHolds(t *testing.T) {
	for _, network := range []string{"tcp4", "tcp6"} {
		t.Run(network, func(t *testing.T) {
			listener, err := net.Listen(network, "localhost:0")
			if err != nil {
				ring.Cannot(t, "this machine has no "+network)
			}
			defer listener.Close()
			conn, err := net.Dial(network, listener.Addr().String())
			require.NoError(t, err)
			local := conn.LocalAddr().(*net.TCPAddr).AddrPort()
			peer := conn.RemoteAddr().(*net.TCPAddr).AddrPort()
			host, self := ProcFS{Root: "/proc"}, uint32(os.Getpid())
			other := netip.AddrPortFrom(local.Addr(), local.Port()-1)

			assert.True(t, host.Holds(self, unix.IPPROTO_TCP, local, peer))
			assert.True(t, host.Holds(self, unix.IPPROTO_TCP, netip.AddrPort{}, peer), "the local port is not known")
			assert.False(t, host.Holds(self, unix.IPPROTO_TCP, other, peer), "another connection")
			assert.False(t, host.Holds(self, unix.IPPROTO_UDP, local, peer), "another protocol")
			assert.True(t, host.Holds(1<<31-1, unix.IPPROTO_TCP, other, peer), "a process that is gone may have held it")

			accepted, err := listener.Accept()
			require.NoError(t, err)
			require.NoError(t, accepted.(*net.TCPConn).SetLinger(0))
			require.NoError(t, accepted.Close())
			require.NoError(t, conn.Close())
			assert.Eventually(t, func() bool { return !host.Holds(self, unix.IPPROTO_TCP, local, peer) }, 30*time.Second, 10*time.Millisecond, "a closed connection")
		})
	}
}

func FuzzParseSocket(f *testing.F) {
	f.Add("  0: 0100007F:1F90 010200C0:C350 01 00000000:00000000 00:00000000 00000000     0        0 4711 1 0")
	f.Add("  0: B80D0120000000000000000001000000:01BB 00000000000000000000000000000000:0000 01 0:0 0:0 0 0 0 1")
	f.Add("x : : x x x x x x x")
	f.Fuzz(func(t *testing.T, line string) {
		s, ok := parseSocket(line)
		if ok && (!s.local.IsValid() || !s.peer.IsValid() || s.local.Addr().Is4In6() || s.peer.Addr().Is4In6()) {
			t.Fatalf("%q gives %+v", line, s)
		}
	})
}

func TestDevices(t *testing.T) {
	for name, tc := range map[string]struct {
		major, minor uint32
		device       FDType
		tty          string
	}{
		"null":                   {1, 3, FDType(bpf.SensorFdTypeFD_NULL), ""},
		"zero":                   {1, 5, FDType(bpf.SensorFdTypeFD_DEVICE), ""},
		"a console":              {4, 1, fdTTY, "tty1"},
		"the last console":       {4, 63, fdTTY, "tty63"},
		"a serial line":          {4, 64, fdTTY, "ttyS0"},
		"the process's terminal": {5, 0, fdTTY, ""},
		"ptmx":                   {5, 2, fdTTY, ""},
		"pts":                    {136, 3, fdTTY, "pts3"},
		"a high pts":             {136, 1000, fdTTY, "pts1000"},
		"a pts of the next":      {137, 3, fdTTY, "pts259"},
		"after the last pts":     {144, 0, FDType(bpf.SensorFdTypeFD_DEVICE), ""},
		"a disk":                 {8, 1, FDType(bpf.SensorFdTypeFD_DEVICE), ""},
	} {
		t.Run(name, func(t *testing.T) {
			device := tc.major<<minorBits | tc.minor
			assert.Equal(t, tc.device, charType(device))
			assert.Equal(t, tc.tty, ttyName(device))
			assert.Equal(t, device, kernelDevice(unix.Mkdev(tc.major, tc.minor)))
		})
	}
	assert.Equal(t, "tty", fdTTY.String())
	assert.Equal(t, "closed", FD{}.Type.String())
	assert.Equal(t, "other", FDType(200).String(), "a type of a later kernel program")
}

// TestReadsFiles reads a proc file system that a test wrote: what real processes do not show on demand.
func TestReadsFiles(t *testing.T) {
	root := t.TempDir()
	write := func(pid, name, content string) {
		require.NoError(t, os.MkdirAll(filepath.Join(root, pid), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(root, pid, name), []byte(content), 0o600))
	}
	h := ProcFS{Root: root}

	write("10", "stat", "10 (kworker/0:1)"+afterName)
	s := h.Read(10)
	require.NotNil(t, s)
	assert.Equal(t, "[kworker/0:1]", s.Executable, "a kernel thread has no file")
	assert.Equal(t, Key{10, 1234}, s.Key)
	assert.Empty(t, s.Args)
	_, _, ok := h.Container(10)
	assert.False(t, ok, "its cgroup cannot be read")

	write("11", "stat", "11 (sh)"+afterName)
	write("11", "cmdline", strings.Repeat("a\x00", maxArgs))
	write("11", "status", "Name:\tsh\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nShort:\t1\n\n")
	write("11", "cgroup", "0::/system.slice/docker-"+strings.Repeat("ab", 32)+".scope\n")
	require.NoError(t, os.Symlink("/usr/bin/dash (deleted)", filepath.Join(root, "11", "exe")))
	require.NoError(t, os.Symlink("/\xff", filepath.Join(root, "11", "cwd")))
	s = h.Read(11)
	require.NotNil(t, s)
	assert.Equal(t, "/usr/bin/dash", s.Executable)
	assert.Equal(t, "/\uFFFD", s.Directory)
	assert.Len(t, s.Args, maxArgs/2+1)
	assert.Equal(t, []uint32{1, 2, 5, 6}, []uint32{s.UID, s.EUID, s.GID, s.EGID})
	assert.Equal(t, "docker", s.ContainerRuntime)

	write("12", "stat", "12")
	assert.Nil(t, h.Read(12))
	assert.Nil(t, h.Read(13))
	write("self", "stat", "")
	pids, err := h.List()
	require.NoError(t, err)
	assert.Equal(t, []uint32{10, 11, 12}, pids)
	_, err = ProcFS{Root: filepath.Join(root, "none")}.List()
	assert.ErrorContains(t, err, "list the processes: ")
}
