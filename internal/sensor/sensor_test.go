// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package sensor

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/ring"
)

// Detaching a system call's tracepoint takes the kernel long, so a test asks for what it needs.
var (
	processKinds = []Kind{KindFork, KindExec, KindExit}
	fileKinds    = []Kind{KindOpen, KindCreate, KindDelete, KindRename}
	networkKinds = []Kind{KindConnect, KindAccept, KindBind, KindListen}
)

// subject makes the test binary a program that ends at once with status 7, with many threads if asked to.
const subject = "VEDETTE_TEST_EXIT"

// waits makes it one that waits for the end of its standard input.
const waits = "VEDETTE_TEST_WAITS"

// changesIDs makes it one that changes its user and group.
const changesIDs = "VEDETTE_TEST_IDS"

func TestMain(m *testing.M) {
	if os.Getenv(waits) != "" {
		wait()
		os.Exit(0)
	}
	if os.Getenv(changesIDs) != "" {
		changeIDs()
		os.Exit(0)
	}
	switch os.Getenv(subject) {
	case "":
		os.Exit(m.Run())
	case "threads":
		haveThreads(32)
	}
	os.Exit(7)
}

// haveThreads returns when so many threads sleep in the kernel, whence a process's end wakes all at once.
func haveThreads(n int) {
	var started sync.WaitGroup
	for range n {
		started.Add(1)
		go func() {
			runtime.LockOSThread()
			started.Done()
			_ = unix.Nanosleep(&unix.Timespec{Sec: 60}, nil)
		}()
	}
	started.Wait()
}

// seen is a record in words.
type seen struct {
	kind        Kind
	path, other string
	mode        uint32
	flags       uint32
	address     bpf.SensorEventAddress
	ret         int32
	pid         uint32
}

// refusals are what kernels that have a tier may say of a single program.
var refusals = []string{
	// 5.10 hands no structures to programs, such as the user that a file is to have.
	"type STRUCT is unsupported",
	// Some, such as 6.1, have some calls a second time, for kernels that are built without them.
	"ambiguous kernel symbol",
}

// watch opens a sensor on its own process in one tier, where the kernel has it. The tier of free kinds is
// the sensor's choice.
func watch(t *testing.T, tier Tier, opts Options, free ...Kind) *Sensor {
	t.Helper()
	opts.ReportSelf = true
	opts.Force = map[Kind]Tier{}
	for _, u := range units() {
		for _, kind := range u.kinds {
			if len(u.programs(tier)) > 0 && !slices.Contains(free, kind) {
				opts.Force[kind] = tier
			}
		}
	}
	s, err := Open(opts)
	if err != nil {
		if tier >= Cgroup || !strings.Contains(err.Error(), tier.String()+": ") {
			require.NoError(t, err)
		}
		known := slices.ContainsFunc(refusals, func(reason string) bool { return strings.Contains(err.Error(), reason) })
		if ring.InGuest() && !known {
			require.NoError(t, err, "a guest's kernel has every tier")
		}
		ring.Cannot(t, fmt.Sprintf("the %s tier does not work on this kernel", tier))
	}
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	for _, chosen := range s.Tiers() {
		require.NoError(t, chosen.Err)
	}
	return s
}

// events are the records of this process and those it started.
func events(t *testing.T, s *Sensor) []seen {
	t.Helper()
	var batch Batch
	var out []seen
	malformed, err := s.Drain(&batch)
	require.NoError(t, err)
	require.Zero(t, malformed)
	for _, r := range batch.Records {
		e := seen{kind: r.Kind(), pid: r.Head().Tgid}
		switch r.Kind() {
		case KindOpen, KindImageLoad, KindFileAccess, KindCreate, KindDelete, KindRename:
			f, text, err := r.File()
			require.NoError(t, err)
			e.path, e.other, e.mode, e.flags = string(text.Path), string(text.Path2), f.Mode, f.OpenFlags
			if f.Flags&uint32(bpf.SensorFileFlagsFILE_USER_PATH) != 0 {
				e.path = filepath.Join(string(text.Base), e.path)
				if filepath.IsAbs(string(text.Path)) {
					e.path = string(text.Path)
				}
			}
		case KindConnect, KindAccept, KindBind, KindListen:
			n, err := r.Net()
			require.NoError(t, err)
			e.address, e.ret = n.Address, n.Ret
		}
		out = append(out, e)
	}
	return out
}

func find(list []seen, match func(seen) bool) *seen {
	for i := range list {
		if match(list[i]) {
			return &list[i]
		}
	}
	return nil
}

// eachTier runs a test in the tiers that there are for a kind.
func eachTier(t *testing.T, kind Kind, test func(t *testing.T, tier Tier)) {
	ring.Require(t, ring.Native)
	for tier := LSM; tier < tierCount; tier++ {
		if slices.ContainsFunc(units(), func(u unit) bool {
			return slices.Contains(u.kinds, kind) && len(u.programs(tier)) > 0
		}) {
			t.Run(tier.String(), func(t *testing.T) { test(t, tier) })
		}
	}
}

func TestFilesInEveryTier(t *testing.T) {
	eachTier(t, KindOpen, func(t *testing.T, tier Tier) {
		s := watch(t, tier, Options{Kinds: fileKinds})
		t.Run("changes", func(t *testing.T) { changesFiles(t, s) })
		t.Run("deep and long paths", func(t *testing.T) { makesDeepAndLongPaths(t, s) })
	})
}

func changesFiles(t *testing.T, s *Sensor) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	in := func(name string) string { return filepath.Join(dir, name) }
	t.Chdir(dir)

	require.NoError(t, os.WriteFile("new", []byte("x"), 0o600))
	f, err := os.OpenFile("new", os.O_WRONLY|os.O_APPEND, 0)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	_, err = os.ReadFile("new")
	require.NoError(t, err)
	require.NoError(t, os.Mkdir("dir", 0o700))
	require.NoError(t, os.Symlink("/etc/passwd", "link"))
	require.NoError(t, os.Link("new", "hard"))
	require.NoError(t, unix.Mkfifo("fifo", 0o600))
	require.NoError(t, os.Rename("new", "dir/renamed"))
	require.NoError(t, os.Remove("dir/renamed"))
	require.Error(t, os.Remove("missing"))
	require.Error(t, os.Mkdir("dir", 0o700))
	require.NoError(t, os.Remove("dir"))

	list := events(t, s)
	file := func(kind Kind, path string) *seen {
		return find(list, func(e seen) bool { return e.kind == kind && e.path == path })
	}
	created := file(KindCreate, in("new"))
	require.NotNil(t, created, "create in %v", list)
	assert.EqualValues(t, unix.S_IFREG, created.mode&unix.S_IFMT)
	opened := file(KindOpen, in("new"))
	require.NotNil(t, opened, "open")
	assert.NotZero(t, opened.flags&unix.O_APPEND)
	made := file(KindCreate, in("dir"))
	require.NotNil(t, made, "mkdir")
	assert.EqualValues(t, unix.S_IFDIR, made.mode&unix.S_IFMT)
	linked := file(KindCreate, in("link"))
	require.NotNil(t, linked, "symlink")
	assert.Equal(t, "/etc/passwd", linked.other)
	hard := file(KindCreate, in("hard"))
	require.NotNil(t, hard, "link")
	assert.True(t, strings.HasSuffix(hard.other, "new"))
	require.NotNil(t, file(KindCreate, in("fifo")), "mkfifo")
	renamed := file(KindRename, in("dir/renamed"))
	require.NotNil(t, renamed, "rename")
	assert.True(t, strings.HasSuffix(renamed.other, "new"))
	require.NotNil(t, file(KindDelete, in("dir/renamed")), "unlink")
	require.NotNil(t, file(KindDelete, in("dir")), "rmdir")
	assert.Nil(t, file(KindDelete, in("missing")), "nothing was deleted")

	opens := 0
	for _, e := range list {
		if e.kind == KindOpen && e.path == in("new") {
			opens++
		}
	}
	assert.Equal(t, 1, opens, "an open for reading is none of this kind")
}

func makesDeepAndLongPaths(t *testing.T, s *Sensor) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	deep := filepath.Join(dir, strings.Repeat("d/", 40))
	long := filepath.Join(dir, strings.Repeat("n", 255))
	require.NoError(t, os.MkdirAll(deep, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(deep, "f"), nil, 0o600))
	require.NoError(t, os.WriteFile(long, nil, 0o600))

	// Deeper than a path may be: only its end is known, and that is said.
	t.Chdir(dir)
	for range 12 {
		component := strings.Repeat("x", 250)
		require.NoError(t, os.Mkdir(component, 0o700))
		require.NoError(t, unix.Chdir(component))
	}
	for range 10 {
		component := strings.Repeat("y", 250)
		require.NoError(t, unix.Mkdir(component, 0o700))
		require.NoError(t, unix.Chdir(component))
	}
	fd, err := unix.Open("end", unix.O_CREAT|unix.O_WRONLY, 0o600)
	require.NoError(t, err)
	require.NoError(t, unix.Close(fd))
	require.NoError(t, unix.Chdir("/"))

	var batch Batch
	_, err = s.Drain(&batch)
	require.NoError(t, err)
	found := map[string]bool{}
	for _, r := range batch.Records {
		if r.Kind() != KindCreate {
			continue
		}
		e, text, err := r.File()
		require.NoError(t, err)
		found[string(text.Path)] = true
		if strings.HasSuffix(string(text.Path), "y/end") {
			assert.EqualValues(t, 1, e.Path.Truncated)
			found["cut"] = true
		}
	}
	assert.True(t, found[filepath.Join(deep, "f")], "a path of many components")
	assert.True(t, found[long], "a component of 255 bytes")
	assert.True(t, found["cut"], "a path longer than a record takes")
}

func TestNetworkInEveryTier(t *testing.T) {
	eachTier(t, KindConnect, func(t *testing.T, tier Tier) {
		s := watch(t, tier, Options{Kinds: networkKinds})
		for _, network := range []string{"tcp4", "tcp6"} {
			t.Run(network, func(t *testing.T) { connects(t, s, network) })
		}
	})
}

func connects(t *testing.T, s *Sensor, network string) {
	host := map[string]string{"tcp4": "127.0.0.1", "tcp6": "[::1]"}[network]
	listener, err := net.Listen(network, host+":0")
	if err != nil && network == "tcp6" {
		ring.Cannot(t, "this machine has no IPv6")
	}
	require.NoError(t, err)
	accepted := make(chan net.Conn, 1)
	go func() {
		defer close(accepted)
		if c, err := listener.Accept(); err == nil {
			accepted <- c
		}
	}()
	conn, err := net.Dial(network, listener.Addr().String())
	require.NoError(t, err)
	peer, ok := <-accepted
	require.True(t, ok)
	defer conn.Close()
	defer peer.Close()
	require.NoError(t, listener.Close())
	_, err = net.DialTimeout(network, listener.Addr().String(), time.Second)
	require.Error(t, err)

	list := events(t, s)
	port := uint16(listener.Addr().(*net.TCPAddr).Port)
	swapped := port>>8 | port<<8
	byPort := func(kind Kind, local bool) *seen {
		return find(list, func(e seen) bool {
			got := e.address.PeerPort
			if local {
				got = e.address.LocalPort
			}
			return e.kind == kind && got == swapped && e.address.Protocol == unix.IPPROTO_TCP
		})
	}
	connect := byPort(KindConnect, false)
	require.NotNil(t, connect, "connect in %v", list)
	assert.GreaterOrEqual(t, connect.ret, int32(0))
	accept := byPort(KindAccept, true)
	require.NotNil(t, accept, "accept in %v", list)
	client := uint16(conn.LocalAddr().(*net.TCPAddr).Port)
	assert.Equal(t, client>>8|client<<8, accept.address.PeerPort)
	require.NotNil(t, byPort(KindListen, true), "listen in %v", list)
	require.NotNil(t, find(list, func(e seen) bool { return e.kind == KindBind }), "bind in %v", list)
	if network == "tcp4" {
		assert.Equal(t, [4]byte{127, 0, 0, 1}, [4]byte(connect.address.Peer[:4]))
	}
}

func TestProcessLifecycle(t *testing.T) {
	ring.Require(t, ring.Native)
	s := watch(t, Tracepoint, Options{Kinds: processKinds})
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, "first argument", "", "third")
	cmd.Env = append(os.Environ(), subject+"=1")
	cmd.Dir = "/"
	require.Error(t, cmd.Run())
	pid := uint32(cmd.Process.Pid)

	var batch Batch
	_, err = s.Drain(&batch)
	require.NoError(t, err)
	var order []Kind
	for _, r := range batch.Records {
		if r.Head().Tgid != pid {
			continue
		}
		order = append(order, r.Kind())
		switch r.Kind() {
		case KindFork:
			e, err := r.Fork()
			require.NoError(t, err)
			assert.EqualValues(t, os.Getpid(), e.Parent.Tgid)
			assert.NotZero(t, e.Parent.StartTime)
		case KindExec:
			e, text, err := r.Exec()
			require.NoError(t, err)
			resolved, err := filepath.EvalSymlinks(self)
			require.NoError(t, err)
			assert.Equal(t, resolved, string(text.Exe))
			assert.Equal(t, self, string(text.Filename))
			assert.Equal(t, "/", string(text.Cwd))
			assert.Equal(t, self+"\x00first argument\x00\x00third\x00", string(text.Args))
			assert.EqualValues(t, bpf.SensorFdTypeFD_NULL, e.Fds[0].Type)
			assert.EqualValues(t, os.Getuid(), e.Head.Uid)
			assert.EqualValues(t, 4, e.Argc)
		case KindExit:
			e, err := r.Exit()
			require.NoError(t, err)
			assert.EqualValues(t, 7<<8, e.ExitCode)
		}
	}
	assert.Equal(t, []Kind{KindFork, KindExec, KindExit}, order)
}

// TestDrainKeepsTheOrder drains while programs are run and files are opened in turn: what one ring tells is not handed out
// before what led to it and is told by the other.
func TestDrainKeepsTheOrder(t *testing.T) {
	ring.Require(t, ring.Native)
	s := watch(t, Tracepoint, Options{Kinds: append([]Kind{KindOpen, KindCreate}, processKinds...)})
	dir := t.TempDir()
	done := make(chan error, 1)
	go func() {
		done <- exec.Command("/bin/sh", "-c", `i=0; while [ $i -lt 300 ]; do : >`+dir+`/$i; (:); i=$((i+1)); done`).Run()
	}()
	var batch Batch
	var last uint64
	var mine []uint32
	for running := true; running; {
		select {
		case err := <-done:
			require.NoError(t, err)
			running = false
		default:
		}
		malformed, err := s.Drain(&batch)
		require.NoError(t, err)
		require.Zero(t, malformed)
		for _, r := range batch.Records {
			head := r.Head()
			if fork, err := r.Fork(); err == nil && (fork.Parent.Tgid == uint32(os.Getpid()) || slices.Contains(mine, fork.Parent.Tgid)) {
				mine = append(mine, head.Tgid)
			}
			if !slices.Contains(mine, head.Tgid) {
				continue
			}
			require.GreaterOrEqual(t, head.Time, last, "one after the other")
			last = head.Time
		}
		now, err := bootClock()
		require.NoError(t, err)
		require.LessOrEqual(t, batch.Until, now+1, "it can say nothing of what is yet to happen")
	}
	assert.Greater(t, len(mine), 300)
}

// Threads that end at the same time all see that none is left.
func TestEndOfManyThreads(t *testing.T) {
	ring.Require(t, ring.Native)
	s := watch(t, Tracepoint, Options{Kinds: []Kind{KindExit}})
	self, err := os.Executable()
	require.NoError(t, err)
	ends := map[uint32]int{}
	for range 50 {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), subject+"=threads")
		require.Error(t, cmd.Run())
		ends[uint32(cmd.Process.Pid)] = 0
	}
	for _, e := range events(t, s) {
		if _, mine := ends[e.pid]; mine {
			ends[e.pid]++
		}
	}
	for pid, n := range ends {
		assert.Equal(t, 1, n, "ends of process %d", pid)
	}
}

// TestMovedStreams moves a socket onto standard input, and other things that are none of the sensor's business.
func TestMovedStreams(t *testing.T) {
	eachTier(t, KindStdio, func(t *testing.T, tier Tier) {
		s := watch(t, tier, Options{Kinds: []Kind{KindStdio}})
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(fd)
		local, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(local)
		kept, err := unix.Dup(0)
		require.NoError(t, err)
		defer unix.Close(kept)
		const elsewhere = 900
		require.NoError(t, unix.Dup2(fd, elsewhere))
		require.NoError(t, unix.Close(elsewhere))
		require.NoError(t, unix.Dup2(local, 0))
		require.NoError(t, unix.Dup2(fd, 0))
		require.NoError(t, unix.Dup3(fd, 0, 0))
		require.NoError(t, unix.Close(0))
		lowest, err := unix.Dup(fd)
		require.NoError(t, err)
		require.Zero(t, lowest)
		require.NoError(t, unix.Dup2(kept, 0))

		var batch Batch
		_, err = s.Drain(&batch)
		require.NoError(t, err)
		n := 0
		for _, r := range batch.Records {
			if r.Head().Tgid != uint32(os.Getpid()) {
				continue
			}
			e, err := r.Stdio()
			require.NoError(t, err)
			assert.EqualValues(t, bpf.SensorFdTypeFD_SOCKET, e.Fds[0].Type)
			assert.NotEqualValues(t, bpf.SensorFdTypeFD_SOCKET, e.Fds[1].Type)
			n++
		}
		assert.Equal(t, 3, n, "by dup2, dup3 and dup")
	})
}

func TestExecFromMemory(t *testing.T) {
	ring.Require(t, ring.Native)
	s := watch(t, Tracepoint, Options{Kinds: processKinds})
	self, err := os.ReadFile("/proc/self/exe")
	require.NoError(t, err)
	fd, err := unix.MemfdCreate("hidden", 0)
	require.NoError(t, err)
	memory := os.NewFile(uintptr(fd), "memfd")
	defer memory.Close()
	_, err = memory.Write(self)
	require.NoError(t, err)
	cmd := exec.Command(fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd))
	cmd.Env = append(os.Environ(), subject+"=1")
	require.Error(t, cmd.Run())

	var batch Batch
	_, err = s.Drain(&batch)
	require.NoError(t, err)
	for _, r := range batch.Records {
		if r.Kind() != KindExec || r.Head().Tgid != uint32(cmd.Process.Pid) {
			continue
		}
		e, text, err := r.Exec()
		require.NoError(t, err)
		assert.NotZero(t, e.ExeFlags&uint32(bpf.SensorExeFlagsEXE_MEMORY))
		assert.Equal(t, "/memfd:hidden", string(text.Exe))
		return
	}
	t.Fatal("the exec was not seen")
}

func TestLossIsCounted(t *testing.T) {
	ring.Require(t, ring.Native)
	s := watch(t, Tracepoint, Options{Kinds: append([]Kind{KindOpen, KindCreate}, processKinds...), ActivityRing: 4096})
	name := filepath.Join(t.TempDir(), "f")
	const opens = 200
	for range opens {
		require.NoError(t, os.WriteFile(name, nil, 0o600))
	}
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), subject+"=1")
	require.Error(t, cmd.Run())

	got := 0
	lifecycle := 0
	for _, e := range events(t, s) {
		if e.path == name {
			got++
		}
		if e.pid == uint32(cmd.Process.Pid) && slices.Contains(processKinds, e.kind) {
			lifecycle++
		}
	}
	losses, err := s.Losses()
	require.NoError(t, err)
	var lost uint64
	for _, loss := range losses {
		assert.Equal(t, "ring_full", loss.Cause)
		assert.Contains(t, []Kind{KindOpen, KindCreate}, loss.Kind)
		lost += loss.Count
	}
	assert.Positive(t, lost)
	assert.GreaterOrEqual(t, uint64(got)+lost, uint64(opens), "every open is seen or counted as lost")
	assert.Equal(t, 3, lifecycle, "a flood of file events does not evict process lifecycle")
}

func TestUnwantedKindsAreNotReported(t *testing.T) {
	eachTier(t, KindOpen, func(t *testing.T, tier Tier) {
		s := watch(t, tier, Options{Kinds: []Kind{KindOpen}})
		name := filepath.Join(t.TempDir(), "f")
		require.NoError(t, os.WriteFile(name, nil, 0o600))
		require.NoError(t, os.WriteFile(name, nil, 0o600))
		for _, e := range events(t, s) {
			assert.Equal(t, KindOpen, e.kind)
		}
	})
}

func TestOwnActivityIsNotReported(t *testing.T) {
	ring.Require(t, ring.Native)
	s, err := Open(Options{Kinds: fileKinds})
	require.NoError(t, err)
	defer s.Close()
	name := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(name, nil, 0o600))
	require.NoError(t, os.Remove(name))
	assert.Nil(t, find(events(t, s), func(e seen) bool { return strings.HasPrefix(e.path, name) }))
}

// TestOtherCallsCostNothing wants no tracepoint of a system call where the kernel has better: the first one
// makes every call of every process slower.
func TestOtherCallsCostNothing(t *testing.T) {
	ring.Require(t, ring.VM)
	var kinds []Kind
	for kind := Kind(1); kind < kindCount; kind++ {
		kinds = append(kinds, kind)
	}
	s, err := Open(Options{Kinds: kinds})
	require.NoError(t, err)
	defer s.Close()
	for _, part := range s.loaded {
		for name, program := range part.Programs {
			assert.NotEqual(t, ebpf.TracePoint, program.Type(), name)
		}
	}
}

func TestTierThatDoesNotServeIsAnError(t *testing.T) {
	ring.Require(t, ring.Native)
	_, err := Open(Options{Kinds: processKinds, Force: map[Kind]Tier{KindExec: LSM}})
	assert.ErrorContains(t, err, "the tier asked for does not serve this kind")
}
