// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package fallback

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
)

// findListeners tells the kernel side who listens by sockets that it did not see made, in every network namespace. Of processes that
// share one it is the first, which has made it. Sockets that do not listen yet get a cookie, so that it is seen when they do.
func (k *kernelSide) findListeners(programs *registry) error {
	if k.found {
		return nil
	}
	pids, err := proc.List()
	if err != nil {
		return err
	}
	slices.Sort(pids)
	for _, pid := range pids {
		cookies, unknown := listening(int(pid))
		k.unknown += unknown
		if len(cookies) == 0 {
			continue
		}
		a := k.actorOf(pid, programs)
		l := bpf.FallbackListener{Cgroup: a.cgroup, Tgid: pid, Euid: a.policy.UID}
		copy(l.Comm[:], a.comm)
		for _, cookie := range cookies {
			err := k.maps.Maps[bpf.FallbackMapListeners].Update(cookie, l, ebpf.UpdateNoExist)
			if err != nil && !errors.Is(err, ebpf.ErrKeyExist) {
				return fmt.Errorf("tell the kernel side who listens: %w", err)
			}
		}
	}
	k.found = true
	return nil
}

// listening gives the cookies of a process's sockets that listen, none where it ended meanwhile, and how many have theirs where nobody
// can ask for it: of MPTCP those of the sockets behind it.
func listening(pid int) (cookies []uint64, unknown int) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, 0
	}
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, 0
	}
	defer unix.Close(process)
	for _, entry := range entries {
		if target, err := os.Readlink(dir + "/" + entry.Name()); err != nil || !strings.HasPrefix(target, "socket:") {
			continue
		}
		number, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		cookie, protocol, listens := inspect(process, number)
		switch {
		case listens && protocol == unix.IPPROTO_TCP:
			cookies = append(cookies, cookie)
		case listens && protocol == unix.IPPROTO_MPTCP:
			unknown++
		}
	}
	return cookies, unknown
}

// inspect gives a socket's cookie, which it gets if it has none, and tells whether it listens.
func inspect(process, number int) (cookie uint64, protocol int, listens bool) {
	socket, err := unix.PidfdGetfd(process, number, 0)
	if err != nil {
		return 0, 0, false
	}
	defer unix.Close(socket)
	protocol, errProtocol := unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	accepts, errAccepts := unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	cookie, errCookie := unix.GetsockoptUint64(socket, unix.SOL_SOCKET, unix.SO_COOKIE)
	return cookie, protocol, errors.Join(errProtocol, errAccepts, errCookie) == nil && accepts != 0
}
