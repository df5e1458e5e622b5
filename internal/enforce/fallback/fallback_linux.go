// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package fallback

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// Enforcer keeps policies in force without BPF LSM.
type Enforcer struct {
	kernel *kernelSide
	files  *fileGuard
	outbox *outbox
	done   sync.WaitGroup

	// What judges files while their openers wait reads these, and no lock.
	current   atomic.Pointer[loaded]
	auditOnly atomic.Bool

	mu       sync.Mutex // for all that follows
	programs *registry
	states   map[[2]string]*ruleState
	closed   bool

	// By generation: verdicts of a set that was just replaced may be under way. Who reads them does not wait while policies are loaded, as
	// more sets could be replaced then than are remembered.
	telling sync.Mutex
	recent  map[uint64]*tables
}

var _ enforce.Enforcer = (*Enforcer)(nil)

// loaded is the set in force.
type loaded struct {
	generation uint64
	set        *policy.Set // expanded
	tables     *tables
	rules      []enforce.RuleStatus
	states     map[[2]string]*ruleState
	programs   *registry // a copy that nobody changes
	hashes     bool
}

// Open loads what follows processes. Nothing is forbidden until Load.
func Open() (*Enforcer, error) {
	kernel, err := openKernel()
	if err != nil {
		return nil, fmt.Errorf("follow the processes of this host: %w", err)
	}
	e := &Enforcer{kernel: kernel, outbox: newOutbox(), programs: newRegistry(), states: map[[2]string]*ruleState{}, recent: map[uint64]*tables{}}
	e.current.Store(&loaded{set: &policy.Set{}, programs: newRegistry()})
	if e.files, err = openFiles(e); err != nil {
		return nil, errors.Join(fmt.Errorf("watch files: %w", err), kernel.close())
	}
	e.done.Go(e.readVerdicts)
	return e, nil
}

// Load implements enforce.Enforcer.
func (e *Enforcer) Load(set *policy.Set) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return enforce.ErrClosed
	}
	next, err := e.compile(set)
	if err != nil {
		return err
	}
	e.kernel.need(next.tables.operations)
	next.tables.bpf.Generation = next.generation
	tells := []func(*registry) error{e.kernel.tellPrograms, e.kernel.findCgroups, e.kernel.backfill}
	if next.tables.operations&policy.Accept != 0 {
		tells = append(tells, e.kernel.findListeners)
	}
	for _, tell := range tells {
		if err := tell(e.programs); err != nil {
			return err
		}
	}
	watch := e.files.plan(next)
	watch.add()
	if err := e.replace(next); err != nil {
		e.files.abandon(watch)
		return err
	}
	next.rules = e.strengths(next.set, watch)
	e.current.Store(next)
	e.files.keep(watch)
	e.telling.Lock()
	delete(e.recent, next.generation-mostRecent)
	e.telling.Unlock()
	maps.DeleteFunc(e.states, func(key [2]string, _ *ruleState) bool { return next.states[key] == nil })
	return nil
}

// replace puts what the kernel side judges by in force.
func (e *Enforcer) replace(next *loaded) error {
	if err := e.collectLost(next.generation); err != nil {
		return err
	}
	e.telling.Lock()
	e.recent[next.generation] = next.tables
	e.telling.Unlock()
	return e.kernel.replace(&next.tables.bpf)
}

// rulesInKernel is how many rules a set can have that the kernel side judges.
const rulesInKernel = len(bpf.FallbackTables{}.ByPolicy)

// collectLost makes room for what the kernel side counts about the rules of a set: what it counted about the last but one's is kept with
// these.
func (e *Enforcer) collectLost(generation uint64) error {
	last := e.tablesOf(generation - 2)
	for i := range rulesInKernel {
		key, n := slotOf(generation, i), bpf.FallbackUntold{}
		lost := e.kernel.maps.Maps[bpf.FallbackMapLostOfRules]
		if err := lost.Lookup(key, &n); err != nil {
			return fmt.Errorf("read what could not be told: %w", err)
		}
		if n == (bpf.FallbackUntold{}) {
			continue
		}
		if last != nil && i < len(last.rules) {
			r := last.rules[i]
			r.denied.Add(n.Denied)
			r.audited.Add(n.Audited)
			r.lost.Add(n.Denied + n.Audited)
		}
		if err := lost.Put(key, bpf.FallbackUntold{}); err != nil {
			return fmt.Errorf("count what cannot be told from zero: %w", err)
		}
	}
	return nil
}

// slotOf is where the kernel side counts about a rule of a set.
func slotOf(generation uint64, rule int) uint32 {
	return uint32(generation&1)*uint32(rulesInKernel) + uint32(rule)
}

// lostOfRules gives what the kernel side has counted about rules and is not kept with them yet.
func (e *Enforcer) lostOfRules(now *loaded) map[*ruleState]bpf.FallbackUntold {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := map[*ruleState]bpf.FallbackUntold{}
	for generation := now.generation; generation+2 > now.generation; generation-- {
		t := e.tablesOf(generation)
		if t == nil {
			continue
		}
		for i, state := range t.rules {
			var n bpf.FallbackUntold
			if e.kernel.maps.Maps[bpf.FallbackMapLostOfRules].Lookup(slotOf(generation, i), &n) == nil { // it fails once everything is closed
				sum := all[state]
				all[state] = bpf.FallbackUntold{Denied: sum.Denied + n.Denied, Audited: sum.Audited + n.Audited}
			}
		}
	}
	return all
}

// mostRecent is how many sets are remembered for verdicts that come late.
const mostRecent = 8

func (e *Enforcer) compile(set *policy.Set) (*loaded, error) {
	x := &expander{host: policy.NewHost("/"), programs: e.programs}
	next := &loaded{generation: e.current.Load().generation + 1, set: x.set(set), states: map[[2]string]*ruleState{}}
	if x.err != nil {
		return nil, x.err
	}
	for _, p := range next.set.Policies {
		for _, r := range p.Rules {
			next.states[[2]string{p.Name, r.Name}] = e.stateOf(p, r)
			next.hashes = next.hashes || usesHashes(r)
		}
	}
	var err error
	if next.tables, err = compile(next.set, e.programs, e.stateOf); err != nil {
		return nil, err
	}
	next.programs = &registry{byNumber: slices.Clone(e.programs.byNumber)}
	return next, nil
}

func (e *Enforcer) stateOf(p *policy.Policy, r *policy.Rule) *ruleState {
	key := [2]string{p.Name, r.Name}
	if e.states[key] == nil {
		e.states[key] = &ruleState{policy: p.Name, rule: r.Name}
	}
	return e.states[key]
}

// usesHashes reports whether a rule looks at what is in the files that are run.
func usesHashes(r *policy.Rule) bool {
	return r.Exec != nil && (r.Exec.Deny != nil && len(r.Exec.Deny.SHA256) > 0 || r.Exec.Only != nil && len(r.Exec.Only.SHA256) > 0)
}

// Next implements enforce.Enforcer.
func (e *Enforcer) Next(ctx context.Context) (enforce.Verdict, error) { return e.outbox.next(ctx) }

// AuditOnly implements enforce.Enforcer.
func (e *Enforcer) AuditOnly(on bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return enforce.ErrClosed
	}
	if err := e.kernel.auditOnly(on); err != nil {
		return fmt.Errorf("switch between refusing and reporting: %w", err)
	}
	e.auditOnly.Store(on)
	return nil
}

// Status implements enforce.Enforcer.
func (e *Enforcer) Status() enforce.Status {
	now := e.current.Load()
	s := enforce.Status{Generation: now.generation, AuditOnly: e.auditOnly.Load(), Missing: missing(e), Lost: e.outbox.lost.Load()}
	if losses, err := e.kernel.losses(); err == nil { // it fails once everything is closed
		s.Lost += losses.Verdicts
	}
	lost := e.lostOfRules(now)
	for _, r := range now.rules {
		state := now.states[[2]string{r.Policy, r.Rule}]
		untold := lost[state]
		r.Denied, r.Audited = state.denied.Load()+untold.Denied, state.audited.Load()+untold.Audited
		r.Folded, r.Lost = state.summed.Load(), state.lost.Load()+untold.Denied+untold.Audited
		s.Rules = append(s.Rules, r)
	}
	return s
}

// Close implements enforce.Enforcer. Nothing is pinned.
func (e *Enforcer) Close() error {
	e.mu.Lock()
	before := e.closed
	e.closed = true
	e.mu.Unlock()
	if before {
		return nil
	}
	err := errors.Join(e.files.close(), e.kernel.close())
	e.done.Wait()
	close(e.outbox.closed)
	return err
}

// Release implements enforce.Enforcer.
func (e *Enforcer) Release() error { return e.Close() }

// readVerdicts tells what the kernel side decided.
func (e *Enforcer) readVerdicts() {
	var record ringbuf.Record
	for {
		if err := e.kernel.reader.ReadInto(&record); err != nil {
			return // it is closed
		}
		var v bpf.FallbackVerdict
		if err := binary.Read(bytes.NewReader(record.RawSample), binary.NativeEndian, &v); err != nil {
			e.outbox.lost.Add(1)
			continue
		}
		e.told(&v)
	}
}

// tablesOf gives a set that is in force or was lately.
func (e *Enforcer) tablesOf(generation uint64) *tables {
	e.telling.Lock()
	defer e.telling.Unlock()
	return e.recent[generation]
}

// told counts a verdict for every rule that has a say in it, and tells it of the one that decides.
func (e *Enforcer) told(v *bpf.FallbackVerdict) {
	t := e.tablesOf(v.Generation)
	if t == nil {
		e.outbox.lost.Add(1)
		return
	}
	decides, mode := v.Denied, policy.Enforce
	if decides == 0 {
		decides, mode = v.Audited, policy.Audit
	}
	for _, part := range []struct {
		mask uint64
		mode policy.Mode
	}{{v.Denied, policy.Enforce}, {v.Audited, policy.Audit}} {
		for mask := part.mask; mask != 0; mask &= mask - 1 {
			t.rules[bits.TrailingZeros64(mask)].count(part.mode)
		}
	}
	e.outbox.put(t.rules[bits.TrailingZeros64(decides)], verdictOf(v, mode, bootTime()))
}

var hookNames = map[bpf.FallbackHook]string{
	bpf.FallbackHookHOOK_SOCKET_CONNECT: "socket_connect",
	bpf.FallbackHookHOOK_SOCKET_SENDMSG: "socket_sendmsg",
	bpf.FallbackHookHOOK_SOCKET_BIND:    "socket_bind",
	bpf.FallbackHookHOOK_EXEC:           "sched_process_exec",
	bpf.FallbackHookHOOK_SIGNAL:         "signal_generate",
	bpf.FallbackHookHOOK_CALL:           "sys_enter",
	bpf.FallbackHookHOOK_INGRESS:        "cgroup_skb_ingress",
}

func verdictOf(v *bpf.FallbackVerdict, mode policy.Mode, boot time.Time) enforce.Verdict {
	out := enforce.Verdict{
		Time: boot.Add(time.Duration(v.Time)), Mode: mode, Strength: enforce.Detected,
		Hook: hookNames[bpf.FallbackHook(v.Hook)], Operation: policy.Operation(1) << v.Operation,
		PID: v.Tgid, TID: v.Tid, Start: v.StartTime, UID: v.Euid, Comm: unix.ByteSliceToString(v.Comm[:]), CgroupID: v.Cgroup,
		Object: enforce.Object{PID: v.Target, Inode: v.Inode},
	}
	if v.Device != 0 {
		out.Object.Device = unix.Mkdev(v.Device>>20, v.Device&(1<<20-1))
	}
	if v.Inode != 0 {
		out.Object.Path = "memfd:"
	}
	address := bytesOf(v.Address)
	switch v.Family {
	case unix.AF_INET:
		out.Object.Address = netip.AddrPortFrom(netip.AddrFrom4([4]byte(address[:4])), v.Port)
	case unix.AF_INET6:
		out.Object.Address = netip.AddrPortFrom(netip.AddrFrom16(address), v.Port)
	}
	for name, number := range protocols {
		if v.Protocol == number {
			out.Object.Protocol = name
		}
	}
	if mode != policy.Enforce {
		return out
	}
	out.Strength = enforce.Killed
	if out.Operation&policy.NetworkOperations != 0 {
		out.Strength, out.Errno = enforce.Prevented, int(unix.EPERM)
	}
	return out
}

// bootTime is the wall clock's view of when the boot clock was zero.
func bootTime() time.Time {
	var boot unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) // cannot fail with a known clock
	return time.Now().Round(0).Add(-time.Duration(boot.Nano()))
}
