// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package process

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/internal/sensor"
)

// subject makes the test binary a program that says when it runs and lives until its fourth file ends.
const subject = "VEDETTE_TEST_WAIT"

func TestMain(m *testing.M) {
	if os.Getenv(subject) != "" {
		os.NewFile(4, "runs").Close()
		_, _ = io.Copy(io.Discard, os.NewFile(3, "until"))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestReadsItself(t *testing.T) {
	h := ProcFS{Root: "/proc"}
	s := h.Read(uint32(os.Getpid()))
	require.NotNil(t, s)
	self, err := os.Readlink("/proc/self/exe")
	require.NoError(t, err)
	directory, err := os.Getwd()
	require.NoError(t, err)
	assert.Equal(t, self, s.Executable)
	assert.Equal(t, os.Args, s.Args)
	assert.Equal(t, directory, s.Directory)
	assert.EqualValues(t, os.Getppid(), s.ParentPID)
	assert.EqualValues(t, []int{os.Getuid(), os.Geteuid(), os.Getgid(), os.Getegid()},
		[]int{int(s.UID), int(s.EUID), int(s.GID), int(s.EGID)})
	session, err := unix.Getsid(0)
	require.NoError(t, err)
	assert.EqualValues(t, session, s.Session)
	pids, err := h.List()
	require.NoError(t, err)
	assert.Contains(t, pids, uint32(os.Getpid()))
	assert.Nil(t, h.Read(1<<30))
}

// run is a program to start and what it is started with.
type run struct {
	program string
	args    []string
	streams []*os.File
	attr    os.ProcAttr
}

// TestKernelAndProcAgree starts programs and compares what the kernel programs report of them with
// what /proc shows: after a restart of the agent the same process must look the same.
func TestKernelAndProcAgree(t *testing.T) {
	ring.Require(t, ring.Native)
	s, err := sensor.Open(sensor.Options{Kinds: []sensor.Kind{sensor.KindFork, sensor.KindExec, sensor.KindExit}})
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	self, err := os.Executable()
	require.NoError(t, err)

	for name, prepare := range map[string]func(t *testing.T, r *run){
		"null": func(*testing.T, *run) {},
		"pipes": func(t *testing.T, r *run) {
			in, out := pipePair(t)
			r.streams = []*os.File{in, out, out}
		},
		"files and devices": func(t *testing.T, r *run) {
			r.streams = []*os.File{open(t, "/dev/zero"), create(t), create(t)}
		},
		"a fifo and a directory": func(t *testing.T, r *run) {
			name := filepath.Join(t.TempDir(), "fifo")
			require.NoError(t, unix.Mkfifo(name, 0o600))
			fifo := open(t, name)
			r.streams = []*os.File{fifo, fifo, open(t, "/")}
		},
		"a terminal": func(t *testing.T, r *run) {
			tty := terminal(t)
			r.streams = []*os.File{tty, tty, tty}
			r.attr.Sys = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
		},
		"a terminal that does not control it": func(t *testing.T, r *run) {
			tty := terminal(t)
			r.streams = []*os.File{tty, tty, tty}
			r.attr.Sys = &syscall.SysProcAttr{Setsid: true}
		},
		"TCP":  func(t *testing.T, r *run) { r.streams = connected(t, "tcp4", "127.0.0.1:0") },
		"TCP6": func(t *testing.T, r *run) { r.streams = connected(t, "tcp6", "[::1]:0") },
		"TCP4 at a socket of both": func(t *testing.T, r *run) {
			r.streams = connected(t, "tcp", ":0")
		},
		"UDP": func(t *testing.T, r *run) {
			conn, err := net.Dial("udp4", "127.0.0.1:9")
			require.NoError(t, err)
			t.Cleanup(func() { conn.Close() })
			f := fileOf(t, conn)
			r.streams = []*os.File{f, f, f}
		},
		"a socket pair": func(t *testing.T, r *run) {
			ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			require.NoError(t, err)
			r.streams = nil
			for _, end := range ends {
				f := os.NewFile(uintptr(end), "socketpair")
				t.Cleanup(func() { f.Close() })
				r.streams = append(r.streams, f)
			}
			r.streams = append(r.streams, r.streams[0])
		},
		"a netlink socket": func(t *testing.T, r *run) {
			fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
			require.NoError(t, err)
			f := os.NewFile(uintptr(fd), "netlink")
			t.Cleanup(func() { f.Close() })
			r.streams = []*os.File{f, f, f}
		},
		"arguments": func(t *testing.T, r *run) {
			r.args = []string{"", "two words", "\xff", "last", ""}
		},
		"more arguments than are kept": func(t *testing.T, r *run) {
			for range 500 {
				r.args = append(r.args, "some argument")
			}
		},
		"a group": func(t *testing.T, r *run) {
			r.attr.Sys = &syscall.SysProcAttr{Credential: &syscall.Credential{Gid: 65534}}
		},
		"a set-user-id program": func(t *testing.T, r *run) {
			r.program = copyOf(t, self, 0o755|os.ModeSetuid)
			r.attr.Sys = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		},
		"a relative path and another directory": func(t *testing.T, r *run) {
			r.program = "./" + filepath.Base(self)
			r.attr.Dir = filepath.Dir(self)
		},
		"a link": func(t *testing.T, r *run) {
			r.program = filepath.Join(t.TempDir(), "link")
			require.NoError(t, os.Symlink(self, r.program))
		},
		"a script": func(t *testing.T, r *run) {
			r.program = filepath.Join(t.TempDir(), "script")
			require.NoError(t, os.WriteFile(r.program, []byte("#!"+self+" option\n"), 0o700))
		},
		"memory": func(t *testing.T, r *run) {
			r.program = inMemory(t, self)
		},
		"a program that is deleted": func(t *testing.T, r *run) {
			r.program = copyOf(t, self, 0o755)
		},
	} {
		t.Run(name, func(t *testing.T) {
			null := open(t, os.DevNull)
			r := run{program: self, streams: []*os.File{null, null, null}}
			r.attr.Env = append(os.Environ(), subject+"=1")
			r.attr.Dir = "/"
			prepare(t, &r)
			pid, stop := r.start(t)
			defer stop()
			if name == "a program that is deleted" {
				require.NoError(t, os.Remove(r.program))
			}

			h := ProcFS{Root: "/proc"}
			shown := NewTable(h, "a boot", boot)
			shown.Backfill([]uint32{pid})
			reported := kernelView(t, s, pid)
			compare(t, reported, shown.byPID[pid])
		})
	}
}

// kernelView puts the records of a process into a table that learns from /proc only who its parent is.
func kernelView(t *testing.T, s *sensor.Sensor, pid uint32) *Process {
	t.Helper()
	table := NewTable(ProcFS{Root: "/proc"}, "a boot", boot)
	var batch sensor.Batch
	var kinds []sensor.Kind
	// A busy host has more to tell than one call hands out.
	for range 32 {
		malformed, err := s.Drain(&batch)
		require.NoError(t, err)
		require.Zero(t, malformed)
		if len(batch.Records) == 0 {
			break
		}
		kinds = append(kinds, takeOver(t, table, batch.Records, pid)...)
	}
	require.Equal(t, []sensor.Kind{sensor.KindFork, sensor.KindExec}, kinds)
	return table.byPID[pid]
}

// takeOver puts the records of a process into the table.
func takeOver(t *testing.T, table *Table, records []sensor.Record, pid uint32) (kinds []sensor.Kind) {
	t.Helper()
	for _, record := range records {
		if record.Head().Tgid != pid {
			continue
		}
		kinds = append(kinds, record.Kind())
		switch record.Kind() {
		case sensor.KindFork:
			e, err := record.Fork()
			require.NoError(t, err)
			assert.EqualValues(t, os.Getpid(), e.Parent.Tgid)
			table.Fork(e)
		case sensor.KindExec:
			e, strings, err := record.Exec()
			require.NoError(t, err)
			table.Exec(e, ExecStrings(strings))
		}
	}
	return kinds
}

func compare(t *testing.T, reported, shown *Process) {
	t.Helper()
	require.NotNil(t, reported)
	require.NotNil(t, shown)
	assert.EqualValues(t, os.Getpid(), reported.Parent.Key.PID)
	assert.Equal(t, reported.Parent.EntityID, shown.Parent.EntityID)
	assert.WithinDuration(t, shown.Started, reported.Started, time.Duration(tick))
	comparable := func(p *Process) string {
		c := Process{
			Key: p.Key, EntityID: p.EntityID, Executable: p.Executable, Args: p.Args, CommandLine: p.CommandLine,
			Directory: p.Directory, TTY: p.TTY, Session: p.Session, Streams: p.Streams,
			UID: p.UID, EUID: p.EUID, GID: p.GID, EGID: p.EGID,
		}
		for i := range c.Streams {
			f := &c.Streams[i]
			f.UnixPeer = 0 // /proc does not tell
			if f.Type != fdPipe && f.Type != fdFIFO && f.Type != fdTTY {
				f.Device = 0 // some file systems make one up for stat(2)
			}
		}
		return fmt.Sprintf("%+v", c)
	}
	assert.Equal(t, comparable(reported), comparable(shown))
}

func (r *run) start(t *testing.T) (pid uint32, stop func()) {
	t.Helper()
	wait, until, err := os.Pipe()
	require.NoError(t, err)
	ran, runs, err := os.Pipe()
	require.NoError(t, err)
	r.attr.Files = append(r.streams, wait, runs)
	p, err := os.StartProcess(r.program, append([]string{r.program}, r.args...), &r.attr)
	require.NoError(t, err)
	require.NoError(t, wait.Close())
	require.NoError(t, runs.Close())
	// The kernel closes files before it has done all that makes a process run another program.
	_, err = io.Copy(io.Discard, ran)
	require.NoError(t, err)
	require.NoError(t, ran.Close())
	return uint32(p.Pid), func() {
		require.NoError(t, until.Close())
		state, err := p.Wait()
		require.NoError(t, err)
		assert.True(t, state.Success(), "%v", state)
	}
}

func open(t *testing.T, name string) *os.File {
	t.Helper()
	flag := os.O_RDWR
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		flag = os.O_RDONLY
	}
	f, err := os.OpenFile(name, flag, 0)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

func create(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

func pipePair(t *testing.T) (in, out *os.File) {
	t.Helper()
	in, out, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() {
		in.Close()
		out.Close()
	})
	return in, out
}

// terminal makes a terminal and gives its end for programs.
func terminal(t *testing.T) *os.File {
	t.Helper()
	master := open(t, "/dev/ptmx")
	require.NoError(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	fd, err := unix.Open("/dev/pts/"+strconv.Itoa(number), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	tty := os.NewFile(uintptr(fd), "tty")
	t.Cleanup(func() { tty.Close() })
	return tty
}

// connected gives both ends of a connection and the listener.
func connected(t *testing.T, network, address string) []*os.File {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil && network == "tcp6" {
		ring.Cannot(t, "this machine has no IPv6")
	}
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	port := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	host := "127.0.0.1"
	if network == "tcp6" {
		host = "::1"
	}
	asked, err := net.Dial("tcp", net.JoinHostPort(host, port))
	require.NoError(t, err)
	t.Cleanup(func() { asked.Close() })
	accepted, err := listener.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { accepted.Close() })
	return []*os.File{fileOf(t, asked), fileOf(t, accepted), fileOf(t, listener)}
}

func fileOf(t *testing.T, socket any) *os.File {
	t.Helper()
	f, err := socket.(interface{ File() (*os.File, error) }).File()
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// copyOf copies a program to where everybody may run it.
func copyOf(t *testing.T, program string, mode os.FileMode) string {
	t.Helper()
	content, err := os.ReadFile(program)
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	require.NoError(t, os.Chmod(dir, 0o755))
	name := filepath.Join(dir, "copy")
	require.NoError(t, os.WriteFile(name, content, 0o700))
	require.NoError(t, os.Chmod(name, mode))
	return name
}

func inMemory(t *testing.T, program string) string {
	t.Helper()
	content, err := os.ReadFile(program)
	require.NoError(t, err)
	fd, err := unix.MemfdCreate("hidden", unix.MFD_CLOEXEC)
	require.NoError(t, err)
	memory := os.NewFile(uintptr(fd), "memfd")
	t.Cleanup(func() { memory.Close() })
	_, err = memory.Write(content)
	require.NoError(t, err)
	return "/proc/" + strconv.Itoa(os.Getpid()) + "/fd/" + strconv.Itoa(fd)
}

var _ Host = ProcFS{}
