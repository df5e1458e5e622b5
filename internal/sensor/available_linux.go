// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package sensor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/cgroup"
)

// available tells what attaching cannot: an LSM program attaches on a kernel that never calls it.
func available(tier Tier) error {
	switch tier {
	case LSM:
		list, err := lsmList()
		if err != nil {
			return fmt.Errorf("read the list of security modules: %w", err)
		}
		for name := range strings.SplitSeq(list, ",") {
			if name == "bpf" {
				return nil
			}
		}
		return fmt.Errorf("bpf is not among the active security modules (%s); add it to the lsm= kernel parameter", list)
	case Tracepoint:
		return ensureTracefs()
	}
	return nil
}

// lsmList reads the active security modules from a private instance of securityfs, which works
// whether or not the host has it mounted.
func lsmList() (string, error) {
	fs, err := unix.Fsopen("securityfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return "", fmt.Errorf("open securityfs: %w", err)
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return "", fmt.Errorf("create a securityfs instance: %w", err)
	}
	mount, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("mount securityfs privately: %w", err)
	}
	defer unix.Close(mount)
	fd, err := unix.Openat(mount, "lsm", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("open lsm in securityfs: %w", err)
	}
	f := os.NewFile(uintptr(fd), "securityfs/lsm")
	defer f.Close()
	list, err := io.ReadAll(f)
	return strings.TrimSpace(string(list)), err
}

// attachCgroup attaches a program to the root of the cgroups of version 2, which exist whether or not
// the host has them mounted.
func attachCgroup(prog *ebpf.Program) (link.Link, error) {
	root, err := cgroup.Private()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return link.AttachCgroup(link.CgroupOptions{
		Path:    fmt.Sprintf("/proc/self/fd/%d", root.Fd()),
		Attach:  ebpf.AttachCGroupInetEgress,
		Program: prog,
	})
}

const tracefsPath = "/sys/kernel/tracing"

// ensureTracefs mounts tracefs where every distribution has it: without it the kernel tells no
// tracepoint's number. It stays mounted, as others may have begun to use it.
func ensureTracefs() error {
	if _, err := os.Stat(tracefsPath + "/events"); err == nil {
		return nil
	}
	err := unix.Mount("tracefs", tracefsPath, "tracefs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	if err != nil && !errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("mount tracefs on %s: %w", tracefsPath, err)
	}
	return nil
}

// explain shortens what the kernel and the loader say to what a person can use.
func explain(err error) error {
	var verifier *ebpf.VerifierError
	switch {
	case errors.As(err, &verifier):
		return fmt.Errorf("the kernel refuses the program: %w", verifier)
	case errors.Is(err, ebpf.ErrNotSupported):
		return fmt.Errorf("not supported by this kernel: %w", err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("the kernel does not permit it: %w", unix.EPERM)
	}
	return err
}
