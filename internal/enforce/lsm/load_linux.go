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

	// Verdicts that were not told one by one, by the rules' bits: all when the set is no more in force, and those that are known from
	// verdicts that were told.
	folded, known [maxRules]uint64
}

// Load puts a set in force. What it consists of is written beside what is in force and then chosen by one number.
func (e *Enforcer) Load(set *policy.Set) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed.Load() {
		return enforce.ErrClosed
	}
	err := e.load(set)
	if err == nil {
		e.wanted, e.stale = set, nil
	}
	return err
}

func (e *Enforcer) load(set *policy.Set) error {
	m, err := readMounts()
	if err != nil {
		return err
	}
	c, err := compile(set.Resolve(e.options.Host), e.options.Host, m, e.numbers)
	if err != nil {
		return fmt.Errorf("compile the policies: %w", err)
	}
	next := &loaded{compiled: c, generation: 1, set: set}
	old := e.now.Load()
	if old != nil {
		next.generation = old.generation + 1
	}
	isNext := func(g uint32) bool { return g == uint32(next.generation) }
	if err := errors.Join(e.leave(old, next), e.claimFirst(), e.write(next)); err != nil {
		return fmt.Errorf("write the policies to the kernel: %w", errors.Join(err, e.sweep(isNext)))
	}
	if err := errors.Join(e.backfill(next), e.findLinks(old, next)); err != nil {
		e.setActive(activeNext, 0)
		return errors.Join(err, e.sweep(isNext))
	}
	e.succeed(next)
	e.setActive(activeGeneration, next.generation)
	e.setActive(activeNext, 0)
	if err := waitForPrograms(); err != nil {
		return fmt.Errorf("wait for the last look at the policies before: %w", err)
	}
	if old != nil {
		e.keepCounts(old)
	} else if err := e.findContainers(next); err != nil { // until now the kernel did not see them start
		return err
	}
	return errors.Join(e.leave(old, next), e.succeedFormer(), e.dropOthers(), e.sweep(func(g uint32) bool { return !isNext(g) }))
}

// succeedFormer lets go of what an agent of another version knew, when all of it is known here.
func (e *Enforcer) succeedFormer() error {
	f := e.former
	if f == nil {
		return nil
	}
	e.former = nil
	return errors.Join(f.vouch(e.maps[bpf.EnforceMapVouched], e.maps[bpf.EnforceMapVouchedNumbers]), f.close())
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

// findLinks looks for files with several names, while the kernel notes for the set what links are made.
func (e *Enforcer) findLinks(old, next *loaded) error {
	if old != nil { // before that the kernel does not look
		e.setActive(activeNext, next.generation)
		if err := waitForPrograms(); err != nil {
			return fmt.Errorf("wait until the kernel notes links: %w", err)
		}
	}
	if err := errors.Join(e.findContainers(next), next.addLinks()); err != nil {
		return err
	}
	if old != nil {
		noted, err := e.notedLinks(old)
		if err != nil {
			return err
		}
		next.noted(old, noted)
	}
	for at, set := range next.links {
		key := bpf.EnforceLabelKey{Generation: uint32(next.generation), Device: at.device, Inode: at.number}
		if err := e.maps[bpf.EnforceMapLinks].Put(key, bpf.EnforceRuleSet{Words: set}); err != nil {
			return fmt.Errorf("write the files with several names to the kernel: %w", err)
		}
	}
	return nil
}

// findContainers tells the kernel in which cgroups containers are. Those that start later it sees itself.
func (e *Enforcer) findContainers(of *loaded) error {
	for cgroup, bits := range of.findContainers() {
		key := bpf.EnforcePlaceKey{Generation: uint32(of.generation), Kind: containerPlace, Value: cgroup}
		if err := e.maps[bpf.EnforceMapPlaces].Put(key, bits); err != nil {
			return fmt.Errorf("write the containers to the kernel: %w", err)
		}
	}
	return nil
}

// notedKey marks the generation of what the kernel noted itself.
const notedKey = 1 << 31

func (e *Enforcer) notedLinks(of *loaded) (map[inode]ruleSet, error) {
	keys, err := keysOf[bpf.EnforceLabelKey](e.maps[bpf.EnforceMapLinks])
	if err != nil {
		return nil, err
	}
	all := map[inode]ruleSet{}
	for _, key := range keys {
		var set bpf.EnforceRuleSet
		if key.Generation == uint32(of.generation)|notedKey && e.maps[bpf.EnforceMapLinks].Lookup(key, &set) == nil {
			all[inode{key.Device, key.Inode}] = set.Words
		}
	}
	return all, nil
}

// write puts the set where its generation is looked for.
func (e *Enforcer) write(n *loaded) error {
	half := uint32(n.generation & 1)
	n.settings.Boot, n.settings.Since = uint64(e.boot.UnixNano()), uint64(e.since.UnixNano())
	if err := e.maps[bpf.EnforceMapHalves].Put(half, n.settings); err != nil {
		return fmt.Errorf("settings: %w", err)
	}
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
	for _, r := range n.rules { // nothing leads to others
		rule := n.kernel[r.bit]
		rule.Who += half * maxSubjects
		rule.Allow += half * maxSubjects
		rule.Target += half * maxSubjects
		rule.Endpoint += half * maxEndpoints
		at := half*maxRules + uint32(r.bit)
		if err := errors.Join(e.maps[bpf.EnforceMapRules].Put(at, rule), e.maps[bpf.EnforceMapRuleCounts].Put(at, bpf.EnforceCounts{})); err != nil {
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
		sweep(e.maps[bpf.EnforceMapLinks], func(k bpf.EnforceLabelKey) bool { return is(k.Generation &^ notedKey) }),
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
