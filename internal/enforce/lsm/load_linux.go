// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// loaded is a set in the kernel.
type loaded struct {
	*compiled
	generation uint64
	set        *policy.Set
	mounts     mounts
}

// Load puts a set in force. What it consists of is written beside what is in force and then chosen by one number.
func (e *Enforcer) Load(set *policy.Set) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed.Load() {
		return enforce.ErrClosed
	}
	m, err := readMounts()
	if err != nil {
		return err
	}
	c, err := compile(set.Resolve(e.options.Host), e.options.Host, m, e.numbers)
	if err != nil {
		return fmt.Errorf("compile the policies: %w", err)
	}
	next := &loaded{compiled: c, generation: 1, set: set, mounts: m}
	old := e.now.Load()
	if old != nil {
		next.generation = old.generation + 1
	}
	isNext := func(g uint32) bool { return g == uint32(next.generation) }
	if err := errors.Join(e.leave(old, next), e.claimOwn(), e.write(next)); err != nil {
		return fmt.Errorf("write the policies to the kernel: %w", errors.Join(err, e.sweep(isNext)))
	}
	if err := e.backfill(next); err != nil {
		return errors.Join(err, e.sweep(isNext))
	}
	e.before.Store(old)
	e.now.Store(next)
	e.setActive(activeGeneration, next.generation)
	if err := waitForPrograms(); err != nil {
		return fmt.Errorf("wait for the last look at the policies before: %w", err)
	}
	if old != nil {
		e.keepCounts(old)
	}
	return errors.Join(e.leave(old, next), e.dropOthers(), e.sweep(func(g uint32) bool { return !isNext(g) }))
}

// waitForPrograms returns when no program still looks at a number that it read before the call.
func waitForPrograms() error {
	const global = 1 // MEMBARRIER_CMD_GLOBAL waits for every reader in the kernel
	_, _, number := unix.Syscall(unix.SYS_MEMBARRIER, global, 0, 0)
	if number != 0 {
		return number
	}
	return nil
}

// write puts the set where its generation is looked for.
func (e *Enforcer) write(n *loaded) error {
	half := uint32(n.generation & 1)
	n.settings.Boot, n.settings.Since = uint64(e.boot.UnixNano()), uint64(e.since.UnixNano())
	if err := e.maps[bpf.EnforceMapHalves].Put(half, n.settings); err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	counts := make([]bpf.EnforceCounts, maxRules)
	for i, subject := range n.subjects {
		if err := e.maps[bpf.EnforceMapSubjects].Put(half*maxSubjects+uint32(i), subject); err != nil {
			return fmt.Errorf("subjects: %w", err)
		}
	}
	for i, one := range n.endpoints {
		if err := e.maps[bpf.EnforceMapEndpoints].Put(half*maxEndpoints+uint32(i), one); err != nil {
			return fmt.Errorf("addresses: %w", err)
		}
	}
	for i := range n.kernel {
		rule := n.kernel[i]
		rule.Who += half * maxSubjects
		rule.Allow += half * maxSubjects
		rule.Target += half * maxSubjects
		rule.Endpoint += half * maxEndpoints
		at := half*maxRules + uint32(i)
		if err := errors.Join(e.maps[bpf.EnforceMapRules].Put(at, rule), e.maps[bpf.EnforceMapRuleCounts].Put(at, counts[i])); err != nil {
			return fmt.Errorf("rules: %w", err)
		}
	}
	for i := range n.nodes {
		if err := e.maps[bpf.EnforceMapNodes].Put(half*maxNodes+uint32(i), &n.nodes[i]); err != nil {
			return fmt.Errorf("nodes: %w", err)
		}
	}
	for i := range n.automata {
		if err := e.maps[bpf.EnforceMapAutomata].Put(half*maxAutomata+uint32(i), &n.automata[i]); err != nil {
			return fmt.Errorf("patterns: %w", err)
		}
	}
	return e.writeKeys(n)
}

// writeKeys puts what is looked up by content.
func (e *Enforcer) writeKeys(n *loaded) error {
	g := uint32(n.generation)
	for device, node := range n.anchors {
		if err := e.maps[bpf.EnforceMapLabels].Put(bpf.EnforceLabelKey{Generation: g, Device: device}, node); err != nil {
			return fmt.Errorf("roots: %w", err)
		}
	}
	for at, node := range n.names {
		key := bpf.EnforceNameKey{Generation: g, Node: at.node, Hash: e.numbers.hash(at.text)}
		if err := e.maps[bpf.EnforceMapNames].Put(key, node); err != nil {
			return fmt.Errorf("names: %w", err)
		}
	}
	for at, set := range n.links {
		key := bpf.EnforceLabelKey{Generation: g, Device: at.device, Inode: at.number}
		if err := e.maps[bpf.EnforceMapLinks].Put(key, bpf.EnforceRuleSet{Words: set}); err != nil {
			return fmt.Errorf("files with several names: %w", err)
		}
	}
	for at, h := range n.hashes {
		key := bpf.EnforceLabelKey{Generation: g, Device: at.device, Inode: at.number}
		if err := e.maps[bpf.EnforceMapHashes].Put(key, h); err != nil {
			return fmt.Errorf("contents: %w", err)
		}
	}
	for key, bit := range n.places {
		key.Generation = g
		if err := e.maps[bpf.EnforceMapPlaces].Put(key, bit); err != nil {
			return fmt.Errorf("units and containers: %w", err)
		}
	}
	return nil
}

// sweep removes what has one of these generations in its key.
func (e *Enforcer) sweep(is func(generation uint32) bool) error {
	return errors.Join(
		sweep(e.maps[bpf.EnforceMapLabels], func(k bpf.EnforceLabelKey) bool { return is(k.Generation) }),
		sweep(e.maps[bpf.EnforceMapNames], func(k bpf.EnforceNameKey) bool { return is(k.Generation) }),
		sweep(e.maps[bpf.EnforceMapLinks], func(k bpf.EnforceLabelKey) bool { return is(k.Generation) }),
		sweep(e.maps[bpf.EnforceMapHashes], func(k bpf.EnforceLabelKey) bool { return is(k.Generation) }),
		sweep(e.maps[bpf.EnforceMapPlaces], func(k bpf.EnforcePlaceKey) bool { return is(k.Generation) }),
	)
}

func sweep[K any](m *ebpf.Map, old func(K) bool) error {
	keys, err := keysOf[K](m)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if !old(key) {
			continue
		}
		if err := m.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("remove what is no more in force: %w", err)
		}
	}
	return nil
}

// keysOf are the keys of a map, as far as it does not change meanwhile.
func keysOf[K any](m *ebpf.Map) ([]K, error) {
	var keys []K
	var key, next K
	err := m.NextKey(nil, &next)
	for err == nil {
		key = next
		keys = append(keys, key)
		if len(keys) > int(m.MaxEntries()) {
			break // what is removed while we look makes us begin anew
		}
		err = m.NextKey(key, &next)
	}
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return nil, fmt.Errorf("list what is in force: %w", err)
	}
	return keys, nil
}
