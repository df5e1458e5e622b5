// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

// Package firewall refuses traffic with addresses, and isolates the host, by eBPF programs on a
// cgroup.
//
// All state is pinned in a BPF file system and nothing is kept here: programs and maps are there
// while something is refused and gone when nothing is, whichever process asked for it. Calls that change
// something wait for each other, also those of different processes.
package firewall

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/bpffs"
	"github.com/vedette-sec/vedette/internal/filelock"
)

// DefaultDirectory is where the programs and maps are pinned.
const DefaultDirectory = "/sys/fs/bpf/vedette/response"

// Firewall names what is worked on.
type Firewall struct {
	Directory string // in a BPF file system, which is mounted where it is not
	Cgroup    string // of version 2; all sockets below it are concerned
}

// Block is a refused address.
type Block struct {
	Expires time.Duration // since the boot; 0: never
	Hits    uint64        // calls and packets refused
}

// State is what is refused now.
type State struct {
	Blocks    map[netip.Addr]Block
	Isolated  bool
	Isolation Block
}

// hooks are the programs and where they belong.
var hooks = map[string]ebpf.AttachType{
	bpf.ResponseProgRefuseConnect4: ebpf.AttachCGroupInet4Connect,
	bpf.ResponseProgRefuseConnect6: ebpf.AttachCGroupInet6Connect,
	bpf.ResponseProgRefuseSendmsg4: ebpf.AttachCGroupUDP4Sendmsg,
	bpf.ResponseProgRefuseSendmsg6: ebpf.AttachCGroupUDP6Sendmsg,
	bpf.ResponseProgRefuseIngress:  ebpf.AttachCGroupInetIngress,
	bpf.ResponseProgRefuseEgress:   ebpf.AttachCGroupInetEgress,
}

var mapNames = []string{bpf.ResponseMapBlocked, bpf.ResponseMapAllowed, bpf.ResponseMapIsolated}

// Block refuses all traffic with the address until the time since the boot, or for ever when that
// is 0. A block there is gets the new time.
func (f Firewall) Block(address netip.Addr, expires time.Duration) error {
	return f.change(func(m maps) error {
		key, value := key(address), bpf.ResponseBlock{Expires: uint64(expires)}
		var old bpf.ResponseBlock
		if m[bpf.ResponseMapBlocked].Lookup(key, &old) == nil {
			value.Hits = old.Hits
		}
		if err := m[bpf.ResponseMapBlocked].Put(key, value); err != nil {
			return fmt.Errorf("block %s: %w", address, err)
		}
		return nil
	})
}

// Unblock ends a block. It is no error when there is none.
func (f Firewall) Unblock(address netip.Addr) error {
	return f.end(func(m maps) error {
		err := m[bpf.ResponseMapBlocked].Delete(key(address))
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("unblock %s: %w", address, err)
		}
		return nil
	})
}

// Isolate refuses all traffic but that with the allowed peers and over the loopback device.
func (f Firewall) Isolate(allow []netip.Prefix, expires time.Duration) error {
	return f.change(func(m maps) error {
		if err := clearAllowed(m); err != nil {
			return err
		}
		for _, p := range allow {
			if err := m[bpf.ResponseMapAllowed].Put(prefixKey(p), uint32(1)); err != nil {
				return fmt.Errorf("allow %s: %w", p, err)
			}
		}
		return m[bpf.ResponseMapIsolated].Put(uint32(0), bpf.ResponseIsolation{Expires: uint64(expires), Active: 1})
	})
}

// Release ends the isolation. It is no error when there is none.
func (f Firewall) Release() error {
	return f.end(func(m maps) error {
		if err := m[bpf.ResponseMapIsolated].Put(uint32(0), bpf.ResponseIsolation{}); err != nil {
			return fmt.Errorf("end the isolation: %w", err)
		}
		return clearAllowed(m)
	})
}

func clearAllowed(m maps) error {
	var keys []bpf.ResponsePrefix
	var key bpf.ResponsePrefix
	var value uint32
	all := m[bpf.ResponseMapAllowed].Iterate()
	for all.Next(&key, &value) {
		keys = append(keys, key)
	}
	err := all.Err()
	for _, key := range keys {
		err = errors.Join(err, m[bpf.ResponseMapAllowed].Delete(key))
	}
	if err != nil {
		return fmt.Errorf("empty the list of allowed peers: %w", err)
	}
	return nil
}

// State tells what is refused now. What expired is not.
func (f Firewall) State() (State, error) {
	m, err := f.open()
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, nil
	}
	if err != nil {
		return State{}, err
	}
	defer m.close()
	return m.state()
}

// Adopt puts the programs of this build in the place of those that an earlier process attached, with
// no gap in between, and removes what expired meanwhile. It is no error when there is nothing. What
// was left incomplete, or is of another layout, is removed; adopted is then false.
func (f Firewall) Adopt() (adopted bool, err error) {
	if _, err := os.Stat(f.Directory); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	unlock, err := lock()
	if err != nil {
		return false, err
	}
	defer unlock()
	m, err := f.open()
	if err != nil {
		return false, f.remove()
	}
	defer m.close()
	state, err := m.state()
	if err != nil || state.empty() {
		return false, errors.Join(err, f.remove())
	}
	return true, f.attach(m)
}

// Sweep removes everything when nothing is refused any more.
func (f Firewall) Sweep() error {
	return f.end(func(maps) error { return nil })
}

func (s State) empty() bool { return len(s.Blocks) == 0 && !s.Isolated }

// change makes a change for which the programs must be attached. What is new is attached last, when
// the maps are complete.
func (f Firewall) change(apply func(maps) error) error {
	unlock, err := lock()
	if err != nil {
		return err
	}
	defer unlock()
	m, err := f.open()
	made := errors.Is(err, fs.ErrNotExist)
	if made {
		m, err = f.create()
	}
	if err != nil {
		return err
	}
	defer m.close()
	err = apply(m)
	if err == nil && made {
		err = f.attach(m)
	}
	if err != nil && made {
		err = errors.Join(err, f.remove())
	}
	return err
}

// end makes a change after which perhaps nothing is refused any more: then nothing stays attached.
func (f Firewall) end(apply func(maps) error) error {
	if _, err := os.Stat(f.Directory); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	unlock, err := lock()
	if err != nil {
		return err
	}
	defer unlock()
	m, err := f.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer m.close()
	if err := apply(m); err != nil {
		return err
	}
	state, err := m.state()
	if err != nil || !state.empty() {
		return err
	}
	return f.remove()
}

// lockFile is where those wait for each other who change a firewall: an agent and a command beside it need not have anything else in
// common. Only root can open it, as whoever can would keep the host from answering attacks.
const lockFile = "/run/vedette/firewall.lock"

// lock waits until nobody else changes a firewall.
func lock() (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(lockFile), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(lockFile, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := filelock.Lock(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() { _ = file.Close() }, nil
}

type maps map[string]*ebpf.Map

func (m maps) close() {
	for _, one := range m {
		_ = one.Close()
	}
}

func (f Firewall) pin(name string) string { return filepath.Join(f.Directory, name) }

// open opens the pinned maps. The error is fs.ErrNotExist when there are none.
func (f Firewall) open() (maps, error) {
	spec, err := bpf.LoadResponse()
	if err != nil {
		return nil, fmt.Errorf("read the compiled programs: %w", err)
	}
	m := maps{}
	for _, name := range mapNames {
		one, err := ebpf.LoadPinnedMap(f.pin(name), nil)
		if err == nil {
			m[name] = one
			err = spec.Maps[name].Compatible(one)
		}
		if err != nil {
			m.close()
			return nil, fmt.Errorf("open the pinned map %s: %w", f.pin(name), err)
		}
	}
	return m, nil
}

func (f Firewall) create() (maps, error) {
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, fmt.Errorf("raise the memory lock limit: %w", err)
	}
	if err := f.remove(); err != nil {
		return nil, err
	}
	if err := bpffs.Mount(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(f.Directory, 0o700); err != nil {
		return nil, err
	}
	spec, err := bpf.LoadResponse()
	if err != nil {
		return nil, fmt.Errorf("read the compiled programs: %w", err)
	}
	m := maps{}
	for _, name := range mapNames {
		one, err := ebpf.NewMap(spec.Maps[name])
		if err == nil {
			m[name] = one
			err = one.Pin(f.pin(name))
		}
		if err != nil {
			m.close()
			return nil, errors.Join(fmt.Errorf("make the map %s: %w", name, err), f.remove())
		}
	}
	return m, nil
}

// attach loads the programs onto the maps, and puts each in its place: that of the pinned link where
// there is one.
func (f Firewall) attach(m maps) error {
	spec, err := bpf.LoadResponse()
	if err != nil {
		return fmt.Errorf("read the compiled programs: %w", err)
	}
	programs, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: m})
	if err != nil {
		return fmt.Errorf("load the programs: %w", err)
	}
	defer programs.Close()
	for name, hook := range hooks {
		if err := f.attachOne(name, hook, programs.Programs[name]); err != nil {
			return fmt.Errorf("attach %s to %s: %w", name, f.Cgroup, err)
		}
	}
	return nil
}

func (f Firewall) attachOne(name string, hook ebpf.AttachType, program *ebpf.Program) error {
	old, err := link.LoadPinnedLink(f.pin(name), nil)
	if err == nil {
		defer old.Close()
		return old.Update(program)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	attached, err := link.AttachCgroup(link.CgroupOptions{Path: f.Cgroup, Attach: hook, Program: program})
	if err != nil {
		return err
	}
	defer attached.Close()
	return attached.Pin(f.pin(name))
}

// remove takes everything out of the kernel. Only what this package pins is removed.
func (f Firewall) remove() error {
	names := append([]string{}, mapNames...)
	for name := range hooks {
		names = append(names, name)
	}
	for _, name := range names {
		if err := os.Remove(f.pin(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("unpin: %w", err)
		}
	}
	if err := os.Remove(f.Directory); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("unpin: %w", err)
	}
	_ = os.Remove(filepath.Dir(f.Directory)) // where nothing else is in it
	return nil
}

// state reads the maps and drops the blocks that expired.
func (m maps) state() (State, error) {
	now := SinceBoot()
	s := State{Blocks: map[netip.Addr]Block{}}
	var address bpf.ResponseAddress
	var block bpf.ResponseBlock
	var expired []bpf.ResponseAddress
	all := m[bpf.ResponseMapBlocked].Iterate()
	for all.Next(&address, &block) {
		if past(block.Expires, now) {
			expired = append(expired, address)
			continue
		}
		s.Blocks[netip.AddrFrom16(address.Bytes).Unmap()] = Block{time.Duration(block.Expires), block.Hits}
	}
	if err := all.Err(); err != nil {
		return State{}, fmt.Errorf("read the blocked addresses: %w", err)
	}
	for _, address := range expired {
		_ = m[bpf.ResponseMapBlocked].Delete(address)
	}
	var isolation bpf.ResponseIsolation
	if err := m[bpf.ResponseMapIsolated].Lookup(uint32(0), &isolation); err != nil {
		return State{}, fmt.Errorf("read the isolation: %w", err)
	}
	s.Isolated = isolation.Active != 0 && !past(isolation.Expires, now)
	s.Isolation = Block{time.Duration(isolation.Expires), isolation.Hits}
	return s, nil
}

func past(expires uint64, now time.Duration) bool {
	return expires != 0 && time.Duration(expires) <= now
}

// SinceBoot is the clock by which blocks expire; it goes on while the host is suspended.
func SinceBoot() time.Duration {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) // cannot fail: every kernel has the clock
	return time.Duration(now.Nano())
}

func key(address netip.Addr) bpf.ResponseAddress {
	return bpf.ResponseAddress{Bytes: address.As16()}
}

// mappedBits is how far IPv4 is inside of IPv6.
const mappedBits = 96

func prefixKey(p netip.Prefix) bpf.ResponsePrefix {
	length := p.Bits()
	if p.Addr().Is4() {
		length += mappedBits
	}
	return bpf.ResponsePrefix{Length: uint32(length), Address: key(p.Addr())}
}
