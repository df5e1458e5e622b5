// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// mountsSettle is how long changes of what is mounted are gathered before policies are loaded again: who starts a container mounts much.
const mountsSettle = 200 * time.Millisecond

// follower waits for changes of what is mounted where.
type follower struct {
	mounts int // a file of its own, as who asks whether something is new is told once
	ended  int // an eventfd that is written to at the end
}

func newFollower() (*follower, error) {
	mounts, err := unix.Open("/proc/self/mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("watch what is mounted: %w", err)
	}
	ended, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("watch what is mounted: %w", err), unix.Close(mounts))
	}
	return &follower{mounts, ended}, nil
}

// next waits for a change; it is false at the end.
func (f *follower) next(timeout time.Duration) (changed, on bool) {
	fds := []unix.PollFd{{Fd: int32(f.mounts), Events: unix.POLLPRI}, {Fd: int32(f.ended), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds, int(timeout/time.Millisecond))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return err == nil && fds[0].Revents != 0, err == nil && fds[1].Revents == 0
	}
}

// end makes next return false from now on.
func (f *follower) end() error {
	_, err := unix.Write(f.ended, binary.NativeEndian.AppendUint64(nil, 1))
	return err
}

func (f *follower) close() error { return errors.Join(unix.Close(f.mounts), unix.Close(f.ended)) }

// forever is a timeout that poll takes for none.
const forever = -time.Millisecond

// follow loads the set in force again whenever something was mounted or unmounted, until the follower ends: what is mounted below a
// protected directory is protected, and what is mounted above one leads elsewhere.
func (e *Enforcer) follow() {
	for {
		changed, on := e.follower.next(forever)
		for on && changed { // more may come at once
			changed, on = e.follower.next(mountsSettle)
		}
		if !on {
			return
		}
		e.loadAgain()
	}
}

func (e *Enforcer) loadAgain() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.wanted != nil && !e.closed.Load() {
		e.stale = e.load(e.wanted)
	}
}
