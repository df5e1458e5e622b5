// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/bits"
	"path"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// Next waits for the next verdict.
func (e *Enforcer) Next(ctx context.Context) (enforce.Verdict, error) {
	e.reading.Lock()
	defer e.reading.Unlock()
	// A flush makes the reader give what is there, and then say so: that is when the context's end is told.
	stop := context.AfterFunc(ctx, func() { _ = e.reader.Flush() })
	defer stop()
	for {
		if len(e.untold) > 0 {
			v := e.untold[0]
			e.untold = e.untold[1:]
			return v, nil
		}
		err := e.reader.ReadInto(&e.record)
		switch {
		case errors.Is(err, ringbuf.ErrClosed):
			return enforce.Verdict{}, enforce.ErrClosed
		case errors.Is(err, ringbuf.ErrFlushed) && ctx.Err() != nil:
			return enforce.Verdict{}, ctx.Err()
		case errors.Is(err, ringbuf.ErrFlushed):
			continue // for a call before
		case err != nil:
			return enforce.Verdict{}, fmt.Errorf("read a verdict: %w", err)
		}
		v, err := parseVerdict(e.record.RawSample)
		if err != nil {
			return enforce.Verdict{}, err
		}
		e.untold = e.verdictsOf(v)
	}
}

// parseVerdict copies a record, which is laid out as the type is.
func parseVerdict(raw []byte) (*bpf.EnforceVerdict, error) {
	v := &bpf.EnforceVerdict{}
	if len(raw) < int(unsafe.Sizeof(*v)) {
		return nil, fmt.Errorf("read a verdict: found %d bytes, expected %d", len(raw), unsafe.Sizeof(*v))
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v)), raw)
	return v, nil
}

// setOf finds the set that a verdict is of, and how many verdicts like it were not told before it. The verdict counts as lost where
// the set is no more known.
func (e *Enforcer) setOf(v *bpf.EnforceVerdict) (l *loaded, folded uint64) {
	e.telling.Lock()
	defer e.telling.Unlock()
	for _, one := range []*loaded{e.now.Load(), e.before.Load()} {
		if one != nil && one.generation == v.Generation {
			l = one
		}
	}
	first := int(v.Word)*64 + bits.TrailingZeros64(v.Rules)
	if l == nil || first >= maxRules {
		e.untellable++
		return nil, 0
	}
	if v.Folded > l.known[first] {
		folded, l.known[first] = v.Folded-l.known[first], v.Folded
	}
	return l, folded
}

// verdictsOf puts the kernel's numbers into words, for each rule.
func (e *Enforcer) verdictsOf(v *bpf.EnforceVerdict) []enforce.Verdict {
	l, folded := e.setOf(v)
	if l == nil {
		return nil
	}
	told := enforce.Verdict{
		Time: sinceBoot(v.Time), Strength: enforce.Detected, Mode: policy.Audit,
		Hook: hookNames[v.Hook], Operation: policy.Operation(1) << v.Operation,
		PID: v.Tgid, TID: v.Tid, Start: v.Start, UID: v.Uid, Comm: text(v.Comm[:]), CgroupID: v.Cgroup, Folded: folded,
		Object: object(l, v),
	}
	if v.Refused != 0 {
		told.Errno = int(unix.EPERM)
	}
	var all []enforce.Verdict
	for _, r := range l.rules {
		if r.bit/64 != int(v.Word) || v.Rules>>(r.bit%64)&1 == 0 {
			continue
		}
		one := told
		one.Policy, one.Rule = r.policy.Name, r.Name
		if v.AuditOnly == 0 && r.policy.ModeOf(r.Rule) == policy.Enforce {
			one.Mode, one.Strength = policy.Enforce, enforce.Prevented
		}
		all = append(all, one)
	}
	return all
}

// sinceBoot turns a time since boot into one of the clock.
func sinceBoot(ns uint64) time.Time {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return time.Now()
	}
	return time.Now().Add(time.Duration(ns) - time.Duration(now.Nano()))
}

func text(raw []int8) string {
	var b strings.Builder
	for _, c := range raw {
		if c == 0 {
			break
		}
		b.WriteByte(byte(c))
	}
	return b.String()
}

func object(l *loaded, v *bpf.EnforceVerdict) enforce.Object {
	o := enforce.Object{PID: v.Target}
	if v.Object == uint8(bpf.EnforceObjectOBJECT_ADDRESS) {
		address(&o, v.Peer)
	}
	if v.Object != uint8(bpf.EnforceObjectOBJECT_FILE) && v.Object != uint8(bpf.EnforceObjectOBJECT_FILES) {
		return o
	}
	o.Inode = v.Inode
	o.Device = unix.Mkdev(v.Device>>minorBits, v.Device&(1<<minorBits-1))
	o.Path = pathOf(l.mounts, v.Device, pathBytes(v.Path[:], v.Length))
	if v.Object == uint8(bpf.EnforceObjectOBJECT_FILES) {
		o.NewPath = pathOf(l.mounts, v.Device, pathBytes(v.Path2[:], v.Length2))
	}
	return o
}

// pathBytes are the bytes of a path that were told.
func pathBytes(raw []byte, length uint16) []byte {
	const cut = 0x8000 // some names are missing at the front
	return raw[:min(int(length&^cut), len(raw))]
}

// pathOf puts together a path that is told name by name, from the object up.
func pathOf(m mounts, device uint32, names []byte) string {
	var parts []string
	for name := range bytes.SplitSeq(bytes.TrimSuffix(names, []byte{0}), []byte{0}) {
		parts = append(parts, string(name))
	}
	slices.Reverse(parts)
	return m.name(location{device, path.Clean("/" + strings.Join(parts, "/"))})
}
