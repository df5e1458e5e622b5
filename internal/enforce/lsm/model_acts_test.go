// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/tiny"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// performer is a program that stays and does what it is told: to start one for each act would take a guest too long.
type performer struct {
	name    string
	actor   policy.Actor
	pid     int
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

// strange is an act that failed without a number.
const strange = unix.Errno(4095)

// tell gives what became of an act; 0 for success.
func (p *performer) tell(words ...string) (unix.Errno, error) {
	if _, err := fmt.Fprintln(p.in, strings.Join(words, "|")); err != nil {
		return 0, fmt.Errorf("tell %s: %w", p.name, err)
	}
	line, err := p.out.ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("hear from %s: %w", p.name, err)
	}
	number, err := strconv.Atoi(strings.TrimSpace(line))
	return unix.Errno(number), err
}

// start lets a command serve, whose words say through which programs.
func (p *performer) start(c *exec.Cmd) (err error) {
	p.command = c
	if p.in, err = c.StdinPipe(); err != nil {
		return err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	p.out = bufio.NewReader(out)
	if err := c.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	line, err := p.out.ReadString('\n')
	if err != nil {
		return fmt.Errorf("hear from %s: %w", p.name, err)
	}
	p.pid, err = strconv.Atoi(strings.TrimSpace(line))
	return err
}

func (p *performer) end() error { return errors.Join(p.in.Close(), p.command.Wait()) }

// running is the executable of the performer.
func (p *performer) running() string { return p.actor.Lineage[0].Executable }

func init() {
	acts["serve"] = func([]string) error { // does what it is told, line by line, until its input ends
		fmt.Println(os.Getpid())
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			words := strings.Split(lines.Text(), "|")
			fmt.Println(int(numberOf(modelActs[words[0]](words[1:]))))
		}
		return lines.Err()
	}
	acts["host"] = func(args []string) error { // starts a program that serves in its place
		c := command(args[0], args[1:]...)
		c.Stdin, c.Stdout = os.Stdin, os.Stdout
		return c.Run()
	}
}

func numberOf(err error) unix.Errno {
	var number unix.Errno
	switch {
	case err == nil:
		return 0
	case errors.As(err, &number):
		return number
	}
	fmt.Fprintln(os.Stderr, err)
	return strange
}

// modelActs are what performers can do: one call each where that is possible.
var modelActs = map[string]func(args []string) error{
	"open": func(args []string) error {
		flags := map[string]int{"read": unix.O_RDONLY, "write": unix.O_WRONLY, "cut": unix.O_WRONLY | unix.O_TRUNC, "make": unix.O_WRONLY | unix.O_CREAT}
		fd, err := unix.Open(args[1], flags[args[0]], 0o666)
		return errors.Join(err, closed(fd))
	},
	"truncate": func(args []string) error { return unix.Truncate(args[0], 0) },
	"mkdir":    func(args []string) error { return unix.Mkdir(args[0], 0o777) },
	"mknod":    func(args []string) error { return unix.Mknod(args[0], unix.S_IFREG|0o666, 0) },
	"pipe":     func(args []string) error { return unix.Mkfifo(args[0], 0o666) },
	"symlink":  func(args []string) error { return unix.Symlink("x", args[0]) },
	"unlink":   func(args []string) error { return unix.Unlink(args[0]) },
	"rmdir":    func(args []string) error { return unix.Rmdir(args[0]) },
	"rename":   func(args []string) error { return unix.Rename(args[0], args[1]) },
	"exchange": func(args []string) error { return exchange(args[0], args[1]) },
	"link":     func(args []string) error { return unix.Link(args[0], args[1]) },
	"chmod":    func(args []string) error { return unix.Chmod(args[0], 0o777) },
	"times":    func(args []string) error { return unix.Utimes(args[0], make([]unix.Timeval, 2)) },
	"mount":    func(args []string) error { return unix.Mount("none", args[0], "tmpfs", 0, "") },
	"unmount":  func(args []string) error { return unix.Unmount(args[0], unix.MNT_DETACH) },
	"map": func(args []string) error {
		fd, err := unix.Open(args[0], unix.O_RDONLY, 0)
		if err != nil {
			return err
		}
		memory, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE)
		if err == nil {
			err = unix.Munmap(memory)
		}
		return errors.Join(err, closed(fd))
	},
	"run": func(args []string) error { return runTiny(args[0]) },
	"run-memory": func([]string) error {
		fd, err := unix.MemfdCreate("tiny", 0)
		if err != nil {
			return err
		}
		if _, err := unix.Write(fd, tiny.Program()); err != nil {
			return err
		}
		return errors.Join(runTiny(fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd)), closed(fd))
	},
	"write-tiny": func(args []string) error { return os.WriteFile(args[0], tiny.Program(), 0o755) },
	"signal":     func(args []string) error { return unix.Kill(pidIn(args), 0) },
	"nice":       func(args []string) error { return unix.Setpriority(unix.PRIO_PROCESS, pidIn(args), 0) },
	"take": func(args []string) error {
		process, err := unix.PidfdOpen(pidIn(args), 0)
		if err != nil {
			return err
		}
		fd, err := unix.PidfdGetfd(process, 0, 0)
		return errors.Join(err, closed(fd), closed(process))
	},
	"memory": func(args []string) error {
		local := make([]byte, 8)
		_, err := unix.ProcessVMReadv(pidIn(args), []unix.Iovec{{Base: &local[0], Len: 8}}, []unix.RemoteIovec{{Base: 8, Len: 8}}, 0)
		return err
	},
	"socket": func(args []string) error { return socketDoes(args[0], args[1], netip.MustParseAddrPort(args[2])) },
	"accept": func(args []string) error {
		return acceptsFromItself(netip.MustParseAddrPort(args[0]), netip.MustParseAddrPort(args[1]))
	},
	"kernel": func(args []string) error { return kernelCalls[args[0]]() },
}

func pidIn(args []string) int {
	pid, _ := strconv.Atoi(args[0]) // the test wrote it
	return pid
}

// closed closes what was opened.
func closed(fd int) error {
	if fd < 0 {
		return nil
	}
	return unix.Close(fd)
}

// socketAddress gives an address as system calls want it, and its family.
func socketAddress(at netip.AddrPort) (unix.Sockaddr, int) {
	if at.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}, unix.AF_INET
	}
	return &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}, unix.AF_INET6
}

func socketDoes(what, protocol string, at netip.AddrPort) error {
	to, family := socketAddress(at)
	kind := unix.SOCK_STREAM
	if protocol == "udp" {
		kind = unix.SOCK_DGRAM
	}
	fd, err := unix.Socket(family, kind|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	switch what {
	case "connect":
		return unix.Connect(fd, to)
	case "bind":
		return unix.Bind(fd, to)
	}
	return unix.Sendto(fd, []byte("x"), 0, to)
}

// bound gives a socket of TCP that has an address, and leaves nothing behind when it is closed.
func bound(at netip.AddrPort) (fd int, err error) {
	own, family := socketAddress(at)
	if fd, err = unix.Socket(family, unix.SOCK_STREAM, 0); err != nil {
		return fd, err
	}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}),
		unix.Bind(fd, own),
	)
	return fd, err
}

// acceptsFromItself listens, connects from an address, accepts that and uses it in every way.
func acceptsFromItself(at, peer netip.AddrPort) error {
	listener, err := bound(at)
	defer unix.Close(listener)
	if err != nil {
		return err
	}
	if err := unix.Listen(listener, 1); err != nil {
		return err
	}
	client, err := bound(peer)
	defer unix.Close(client)
	if err != nil {
		return err
	}
	to := at
	if at.Addr().IsUnspecified() {
		to = netip.AddrPortFrom(peer.Addr(), at.Port())
	}
	there, _ := socketAddress(to)
	if err := unix.Connect(client, there); err != nil {
		return err
	}
	if _, err := unix.Write(client, make([]byte, 64)); err != nil {
		return err
	}
	fd, _, err := unix.Accept(listener)
	if err != nil {
		return err
	}
	return errors.Join(usesSocket(fd), unix.Close(fd))
}

// runTiny runs a program to its end, without the calls that Go's own way of starting programs makes besides.
func runTiny(name string) error {
	pid, err := syscall.ForkExec(name, []string{name}, &syscall.ProcAttr{Files: []uintptr{0, 1, 2}})
	if err != nil {
		return err
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, 0, nil); err != nil {
		return err
	}
	if status != 0 {
		return fmt.Errorf("%s ended with %#x", name, status)
	}
	return nil
}
