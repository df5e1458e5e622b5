// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	hostName      = "web1"
	serverAddress = "10.20.0.2"
	clientAddress = "10.20.0.1"
	// visitorAddress is an address of the clients that is not of the server's network.
	visitorAddress = "203.0.113.10"
	initProgram    = "/usr/bin/tini"
	bootProgram    = "/usr/local/sbin/boot"
)

// place is what the first process of the server has to know.
type place struct{ Root string }

// server is a running server: a root in namespaces and a cgroup of its own.
type server struct {
	root   string
	cgroup *cgroup
	cmd    *exec.Cmd
	ended  chan error
}

// startServer starts the server and waits until it has brought itself up.
func startServer(ctx context.Context, root string, cpu int, log *os.File) (s *server, err error) {
	s = &server{root: root, ended: make(chan error, 1)}
	if s.cgroup, err = newCgroup(cpu); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	ready, release, err := os.Pipe()
	if err != nil {
		return s, err
	}
	defer ready.Close()
	defer release.Close()
	if err := s.start(ready, log); err != nil {
		return s, fmt.Errorf("start the server: %w", err)
	}
	if err := errors.Join(s.cgroup.limit(s.pid()), s.connect(ctx)); err != nil {
		return s, err
	}
	if _, err := release.Write([]byte{1}); err != nil {
		return s, fmt.Errorf("start the server: %w", err)
	}
	return s, s.awaitReady(ctx)
}

func (s *server) pid() int { return s.cmd.Process.Pid }

func (s *server) start(ready, log *os.File) error {
	group, err := os.Open(s.cgroup.dir)
	if err != nil {
		return err
	}
	defer group.Close()
	cmd, err := again(serverCommand, place{Root: s.root})
	if err != nil {
		return err
	}
	cmd.ExtraFiles = []*os.File{ready}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWNET,
		// It is in the cgroup from the first, so that the agent never takes it for one of the host.
		UseCgroupFD: true,
		CgroupFD:    int(group.Fd()),
		Pdeathsig:   syscall.SIGKILL,
		Setsid:      true,
	}
	// The signal at the parent's death is for the death of the thread that started the child.
	runtime.LockOSThread()
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd = cmd
	go func() { s.ended <- cmd.Wait() }()
	return nil
}

// connect makes a cable from the server's network to that of the clients, which is this program's.
func (s *server) connect(ctx context.Context) error {
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"link", "add", "desk", "type", "veth", "peer", "name", "eth0", "netns", fmt.Sprint(s.pid())},
		{"address", "add", clientAddress + "/24", "dev", "desk"},
		{"address", "add", visitorAddress + "/24", "dev", "desk"},
		{"link", "set", "desk", "up"},
	} {
		// The host's program, because the root's has no /proc here in which to find the namespace.
		if out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %v: %w: %s", args, err, out)
		}
	}
	return nil
}

// outside is a command from the server's root that runs as a client: in the network of the clients
// and outside of the container, so that it is not recorded.
func (s *server) outside(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=vt100", "LANG=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: s.root, Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

func (s *server) awaitReady(ctx context.Context) error {
	const patience = 3 * time.Minute
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		// Its /run is another file system than the one of the root; /proc leads to it.
		if _, err := os.Stat(fmt.Sprintf("/proc/%d/root/run/ready", s.pid())); err == nil {
			return nil
		}
		select {
		case err := <-s.ended:
			s.ended <- err // for stop
			return fmt.Errorf("the server ended while it came up: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
	}
	return fmt.Errorf("the server was not up after %s", patience)
}

// stop lets the server go down, and kills what is left after a minute.
func (s *server) stop() error {
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(syscall.SIGTERM) // it fails where the server has ended by itself
		late := time.AfterFunc(time.Minute, func() { _ = s.cmd.Process.Kill() })
		<-s.ended
		late.Stop()
	}
	return s.cgroup.remove()
}

// becomeServer runs as the first process in the server's namespaces and turns into its init.
func becomeServer(_ context.Context, know string) error {
	var p place
	if err := json.Unmarshal([]byte(know), &p); err != nil {
		return err
	}
	ready := os.NewFile(3, "ready")
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		return fmt.Errorf("wait for the network: %w", err)
	}
	if err := errors.Join(ready.Close(), unix.Sethostname([]byte(hostName))); err != nil {
		return err
	}
	// All may ping, as systemd has it.
	if err := os.WriteFile("/proc/sys/net/ipv4/ping_group_range", []byte("0 2147483647"), 0o644); err != nil {
		return err
	}
	if err := enterRoot(p.Root); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"address", "add", serverAddress + "/24", "dev", "eth0"},
		{"link", "set", "eth0", "up"},
		{"route", "add", "default", "via", clientAddress},
	} {
		if out, err := exec.Command("/usr/sbin/ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %v: %w: %s", args, err, out)
		}
	}
	runtime.LockOSThread() // capabilities are a thread's
	if err := dropCapabilities(); err != nil {
		return err
	}
	return syscall.Exec(initProgram, []string{filepath.Base(initProgram), "--", bootProgram}, os.Environ())
}

// dropCapabilities takes away what reaches beyond the namespaces: modules, the clock, the kernel's log
// and the like.
func dropCapabilities() error {
	for _, capability := range []uintptr{unix.CAP_SYS_MODULE, unix.CAP_SYS_TIME, unix.CAP_SYS_BOOT, unix.CAP_SYSLOG,
		unix.CAP_SYS_RAWIO, unix.CAP_MAC_ADMIN, unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_WAKE_ALARM} {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0); err != nil {
			return fmt.Errorf("drop capability %d: %w", capability, err)
		}
	}
	return nil
}
