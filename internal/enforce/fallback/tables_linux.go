// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package fallback

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// tables are a set of policies as the kernel side judges by them, and what its numbers stand for.
type tables struct {
	bpf        bpf.FallbackTables
	rules      []*ruleState // by bit
	operations policy.Operation
	programs   *registry
}

// judgedInKernel are the operations that the kernel side decides about by itself.
const judgedInKernel = policy.ProcessOperations | policy.NetworkOperations | policy.KernelOperations&^(policy.RawDevices|policy.AgentBPF)

// inKernel are the operations of a rule that the kernel side judges.
func inKernel(r *policy.Rule) policy.Operation {
	if r.Exec != nil && (r.Exec.Only != nil || slices.Contains(r.Exec.Deny.Origins, policy.Memfd)) {
		return policy.Run
	}
	return r.Operations() & judgedInKernel
}

// compile fills the tables. Errors name the rule or the entry for which there is no room.
func compile(set *policy.Set, programs *registry, states func(*policy.Policy, *policy.Rule) *ruleState) (*tables, error) {
	t := &tables{programs: programs}
	policies := 0
	for _, p := range set.Policies {
		before := len(t.rules)
		for _, r := range p.Rules {
			if inKernel(r) == 0 {
				continue
			}
			if len(t.rules) == len(t.bpf.ByPolicy) {
				return nil, fmt.Errorf("%s: found more than %d rules about processes, the network, the kernel and programs in memory, expected no more where the kernel has no BPF LSM",
					r.Position, len(t.bpf.ByPolicy))
			}
			if err := t.add(p, r, states(p, r)); err != nil {
				return nil, err
			}
			if err := programs.full(); err != nil {
				return nil, fmt.Errorf("%s: %w", r.Position, err)
			}
		}
		if mask := uint64(1)<<len(t.rules) - uint64(1)<<before; mask != 0 {
			t.bpf.ByPolicy[policies] = mask
			policies++
		}
	}
	return t, nil
}

func (t *tables) add(p *policy.Policy, r *policy.Rule, state *ruleState) error {
	number := len(t.rules)
	bit := uint64(1) << number
	t.rules = append(t.rules, state)
	t.operations |= inKernel(r)
	for o := inKernel(r); o != 0; o &= o - 1 {
		t.bpf.ByOperation[bits.TrailingZeros32(uint32(o))] |= bit
	}
	if p.ModeOf(r) == policy.Enforce {
		t.bpf.Enforce |= bit
	}
	if len(r.Who) == 0 {
		t.bpf.Everybody |= bit
	}
	switch {
	case r.Network != nil:
		if err := t.endpoints(r.Network, number); err != nil {
			return err
		}
	case r.Exec != nil:
		t.origins(r.Exec, bit)
	case r.Processes != nil:
		t.targets(r.Processes, number)
	}
	if err := t.subjects(r.Allow, number, bpf.FallbackSubjectFlagsSUBJECT_ALLOW); err != nil {
		return err
	}
	return t.subjects(r.Who, number, 0)
}

func (t *tables) origins(e *policy.Exec, bit uint64) {
	programs := e.Deny
	if e.Only != nil {
		programs = e.Only
		t.bpf.Only |= bit
	}
	if slices.Contains(programs.Origins, policy.Memfd) {
		t.bpf.ByOrigin[bpf.FallbackOriginORIGIN_MEMFD] |= bit
	}
}

func (t *tables) targets(p *policy.Processes, number int) {
	target := &t.bpf.Targets[number]
	for _, e := range p.Executables {
		target.Programs = t.mask(target.Programs, e)
	}
	for _, u := range p.Units {
		target.Units |= t.programs.unit(u.Name)
	}
}

// mask adds the bit of a program of an expanded set.
func (t *tables) mask(words [4]uint64, path policy.Path) [4]uint64 {
	for _, p := range t.programs.byNumber {
		if p.name == path.Base {
			words[p.number/64] |= 1 << (p.number % 64)
		}
	}
	return words
}

func (t *tables) subjects(subjects []policy.Subject, number int, flags bpf.FallbackSubjectFlags) error {
	for _, s := range subjects {
		if int(t.bpf.SubjectCount) == len(t.bpf.Subjects) {
			return fmt.Errorf("%s: found more than %d subjects in such rules, expected no more where the kernel has no BPF LSM", s.Position, len(t.bpf.Subjects))
		}
		out := &t.bpf.Subjects[t.bpf.SubjectCount]
		t.bpf.SubjectCount++
		t.subject(out, s, flags)
		out.Rule = uint16(number)
	}
	return nil
}

func (t *tables) subject(out *bpf.FallbackSubject, s policy.Subject, flags bpf.FallbackSubjectFlags) {
	if s.Executable.Kind != 0 {
		flags |= bpf.FallbackSubjectFlagsSUBJECT_PROGRAM
		out.Programs = t.mask(out.Programs, s.Executable)
	}
	if s.Lineage {
		flags |= bpf.FallbackSubjectFlagsSUBJECT_LINEAGE
	}
	if s.User != "" {
		flags |= bpf.FallbackSubjectFlagsSUBJECT_USER
		out.Uid = ^uint32(0) // no process has it
		if number, err := strconv.ParseUint(s.User, 10, 32); err == nil {
			out.Uid = uint32(number)
		}
	}
	if s.Unit != "" {
		flags |= bpf.FallbackSubjectFlagsSUBJECT_UNIT
		out.Unit = t.programs.unit(s.Unit)
	}
	if s.Container != "" {
		flags |= bpf.FallbackSubjectFlagsSUBJECT_CONTAINER
		out.Container = t.programs.container(s.Container)
	}
	out.Flags = uint16(flags | bpf.FallbackSubjectFlagsSUBJECT_USED)
}

func (t *tables) endpoints(n *policy.Network, number int) error {
	if n.HasOnly {
		t.bpf.Only |= 1 << number
	}
	for _, e := range slices.Concat(n.Deny, n.Only) {
		if int(t.bpf.EndpointCount) == len(t.bpf.Endpoints) {
			return fmt.Errorf("%s: found more than %d addresses in rules about the network, expected no more where the kernel has no BPF LSM",
				e.Position, len(t.bpf.Endpoints))
		}
		out := &t.bpf.Endpoints[t.bpf.EndpointCount]
		t.bpf.EndpointCount++
		*out = endpoint(e)
		out.Rule = uint32(number)
	}
	return nil
}

var protocols = map[policy.Protocol]uint8{policy.TCP: unix.IPPROTO_TCP, policy.UDP: unix.IPPROTO_UDP}

func endpoint(e policy.Endpoint) bpf.FallbackEndpoint {
	out := bpf.FallbackEndpoint{FirstPort: e.FirstPort, LastPort: e.LastPort, Protocol: protocols[e.Protocol]}
	if e.Protocol != "" {
		out.ProtocolMask = 0xff
	}
	if !e.Prefix.IsValid() {
		return out
	}
	out.Family, out.FamilyMask = unix.AF_INET6, 0xff
	if e.Prefix.Addr().Is4() {
		out.Family = unix.AF_INET
	}
	var address, mask [16]byte
	copy(address[:], e.Prefix.Addr().AsSlice())
	for i := range e.Prefix.Bits() {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	out.Address, out.Mask = wordsOf(address), wordsOf(mask)
	return out
}

// wordsOf gives bytes as the kernel side compares them.
func wordsOf(b [16]byte) [2]uint64 {
	return [2]uint64{binary.NativeEndian.Uint64(b[:8]), binary.NativeEndian.Uint64(b[8:])}
}

func bytesOf(words [2]uint64) (b [16]byte) {
	binary.NativeEndian.PutUint64(b[:8], words[0])
	binary.NativeEndian.PutUint64(b[8:], words[1])
	return b
}
