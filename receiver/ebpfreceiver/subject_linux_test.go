// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package ebpfreceiver

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// subjectEnv makes the test binary one of two programs: one that does something of every kind in its
// working directory and ends with status 3, and one that waits for the end of its standard input.
const subjectEnv = "VEDETTE_TEST_SUBJECT"

func TestMain(m *testing.M) {
	switch os.Getenv(subjectEnv) {
	case "acts":
		act()
		os.Exit(3)
	case "waits":
		_, _ = os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// must ends the subject with the status that tells its test that a step failed.
func must(err error) {
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(4)
	}
}

func act() {
	must(os.WriteFile("new", []byte("x"), 0o600))
	f, err := os.OpenFile("new", os.O_WRONLY|os.O_APPEND, 0)
	must(err)
	must(f.Close())
	_, err = os.ReadFile("/etc/shadow")
	must(err)
	must(os.Symlink("/etc/passwd", "link"))
	must(os.Link("new", "hard"))
	must(os.Mkdir("dir", 0o700))
	must(os.WriteFile("\xff", nil, 0o600))
	must(mapped("new"))
	must(os.Chmod("new", os.ModeSetuid|0o755))
	must(os.Rename("new", "dir/renamed"))
	must(os.Remove("dir/renamed"))

	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	must(err)
	conn, err := net.Dial("tcp4", listener.Addr().String())
	must(err)
	_, err = listener.Accept()
	must(err)
	must(ask())
	for _, flags := range []int{os.O_RDONLY, os.O_RDWR} {
		memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", os.Getppid()), flags, 0)
		must(err)
		must(memory.Close())
	}
	file, err := conn.(*net.TCPConn).File()
	must(err)
	self, err := os.Executable()
	must(err)
	remote := exec.Command(self, "remote")
	remote.Env = append(os.Environ(), subjectEnv+"=waits")
	remote.Stdin, remote.Stdout, remote.Stderr = file, file, file
	remote.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Gid: 1001, NoSetGroups: true}}
	must(remote.Start())
	must(remote.Process.Signal(syscall.SIGKILL))
	_ = remote.Wait()
}

// mapped maps a file as a library is.
func mapped(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	memory, err := unix.Mmap(int(f.Fd()), 0, 1, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	return errors.Join(unix.Munmap(memory), f.Close())
}

// ask sends a question to a port where nobody listens.
func ask() error {
	conn, err := net.Dial("udp4", "127.0.0.1:53")
	if err != nil {
		return err
	}
	message := append([]byte{0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 7}, "example\x03org\x00\x00\x10\x00\x01"...)
	_, err = conn.Write(message)
	return errors.Join(err, conn.Close())
}

// runSubject runs the program that acts, in a directory of its own.
func runSubject(t *testing.T) (pid int64, dir string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	dir, err = filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	cmd := exec.Command(self, "an argument")
	cmd.Env = append(os.Environ(), subjectEnv+"=acts")
	cmd.Dir = dir
	output, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	require.ErrorAs(t, err, &ended)
	require.Equal(t, 3, ended.ExitCode(), "%s", output)
	return int64(cmd.Process.Pid), dir
}

// run runs a program of the system: what the test does itself is not reported.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	output, err := exec.Command(name, args...).CombinedOutput()
	require.NoError(t, err, "%s", output)
}
