// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// compiled is a set of policies as the kernel has it, before it has a generation.
type compiled struct {
	rules      []placed
	settings   bpf.EnforceSettings
	kernel     [maxRules]bpf.EnforceRule
	subjects   []bpf.EnforceSubject
	endpoints  []bpf.EnforceEndpoint
	nodes      []bpf.EnforceNode // the first is none
	anchors    map[uint32]uint32 // the node of the root of each device's file system
	names      map[name]uint32
	automata   []bpf.EnforceAutomaton // the first is none
	links      map[inode]ruleSet
	places     map[bpf.EnforcePlaceKey]uint64 // without generation
	containers map[string]uint8               // the bit of each that subjects name
	hashes     map[inode]bpf.EnforceHashed
	programs   map[program]int // the bit of each program that subjects name
	mounts     mounts
}

// name is a name in the directory that is a node.
type name struct {
	node uint32
	text string
}

// inode is a file by its number.
type inode struct {
	device uint32
	number uint64
}

// compiler makes a compiled set.
type compiler struct {
	*compiled
	host        policy.Host
	layers      []layer
	numbers     *numbers
	inits       []string
	executables map[string]programSet // by the real path
	leaves      map[bpf.EnforceNode]uint32
	lastPlace   uint8
	sums        map[inode]string // of contents that were read
}

// compile makes of a set what the kernel needs, but for the files with several names. The set is as it is meant on the host, see policy.Set.Resolve.
func compile(set *policy.Set, host policy.Host, m mounts, n *numbers) (*compiled, error) {
	rules, err := place(set)
	if err != nil {
		return nil, err
	}
	c := &compiler{
		compiled: &compiled{
			rules: rules, nodes: make([]bpf.EnforceNode, 1), anchors: map[uint32]uint32{}, names: map[name]uint32{},
			automata: make([]bpf.EnforceAutomaton, 1), links: map[inode]ruleSet{},
			places: map[bpf.EnforcePlaceKey]uint64{}, containers: map[string]uint8{}, hashes: map[inode]bpf.EnforceHashed{}, programs: n.bits, mounts: m,
		},
		host: host, layers: m.layers(), numbers: n, inits: host.InitPrograms(),
		executables: map[string]programSet{}, leaves: map[bpf.EnforceNode]uint32{}, sums: map[inode]string{},
	}
	c.fillSettings()
	for _, r := range rules {
		if err := errors.Join(c.addSubjects(r), c.addEndpoints(r)); err != nil {
			return nil, err
		}
	}
	c.addExecutables()
	if err := c.addNodes(); err != nil {
		return nil, err
	}
	return c.compiled, c.readHashes()
}

// origins are the origins by their place in the settings.
var origins = []policy.Origin{policy.Memfd, policy.Tmpfs, policy.NetworkFS}

func (c *compiler) fillSettings() {
	masks := map[*policy.Policy]uint64{}
	for _, r := range c.rules {
		masks[r.policy] |= 1 << (r.bit % 64)
	}
	for _, r := range c.rules {
		s, word, bit := &c.settings, r.bit/64, uint64(1)<<(r.bit%64)
		c.kernel[r.bit].Policy = masks[r.policy]
		// Without an agent nobody reads what is only reported, so that a rule in audit is as good as none.
		if r.policy.OnAgentLoss == policy.AuditOnLoss || r.policy.OnAgentLoss == policy.ReleaseOnLoss {
			c.kernel[r.bit].LossAfter = uint64(r.policy.LossAfter)
		}
		s.Used |= uint64(r.Operations())
		for o := range s.Operations {
			if r.Operations()>>o&1 != 0 {
				s.Operations[o].Words[word] |= bit
			}
		}
		if r.policy.ModeOf(r.Rule) == policy.Enforce {
			s.Enforce.Words[word] |= bit
		}
		if r.Network != nil && r.Network.HasOnly {
			s.Only.Words[word] |= bit
		}
		if r.Exec == nil {
			continue
		}
		listed := r.Exec.Deny
		if listed == nil {
			listed = r.Exec.Only
			s.Only.Words[word] |= bit
		}
		for i, o := range origins {
			if slices.Contains(listed.Origins, o) {
				s.Origins[i].Words[word] |= bit
				s.Listing |= 1 << i
			}
		}
		if r.Exec.Only != nil {
			s.Listing |= listsOthers
		}
		if len(listed.SHA256) > 0 {
			s.Listing |= listsContent
		}
		if listed.ChangedSinceBoot {
			s.Changed.Words[word] |= bit
			s.Listing |= listsChanged
		}
	}
}

// paths are all that need a node: what rules and subjects name, and where file systems are mounted below that.
func (c *compiler) paths() []string {
	all := map[string]bool{}
	for _, r := range c.rules {
		paths, except := files(r.Rule)
		for _, p := range slices.Concat(paths, except) {
			all[p.Base] = true
			if p.Kind == policy.Exact {
				continue
			}
			for _, place := range c.mounts.below(p.Base) {
				if p.Matches(place) {
					all[place] = true
				}
			}
		}
	}
	for p := range c.executables {
		all[p] = true
	}
	for _, p := range c.inits {
		all[c.host.Real(p)] = true
	}
	for p := range maps.Clone(all) {
		for _, dir := range prefixes(p) {
			all[dir] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// addNodes makes a node for every place that a path leads to, and for those above it on its file system.
func (c *compiler) addNodes() error {
	places := map[uint32]map[string]bool{}
	for _, p := range c.paths() {
		for _, l := range c.placesOf(p) {
			if places[l.device] == nil {
				places[l.device] = map[string]bool{}
			}
			for _, dir := range prefixes(l.path) {
				places[l.device][dir] = true
			}
		}
	}
	for _, device := range slices.Sorted(maps.Keys(places)) {
		if err := c.addDevice(device, slices.Sorted(maps.Keys(places[device]))); err != nil {
			return err
		}
	}
	return nil
}

// addDevice makes the nodes of one file system, whose places are sorted: directories come before what is in them.
func (c *compiler) addDevice(device uint32, places []string) error {
	inner := map[string]bool{}
	for _, p := range places {
		if p != "/" {
			inner[path.Dir(p)] = true
		}
	}
	var lost ruleSet
	numbers := map[string]uint32{}
	for _, p := range places {
		node, all, near, err := c.node(location{device, p})
		if err != nil {
			return err
		}
		lost.addAll(all)
		if inner[p] {
			node.Flags |= nodeInner
		}
		number, err := c.number(node, p == "/")
		if err != nil {
			return err
		}
		numbers[p] = number
		if p == "/" {
			c.anchors[device] = number
			continue
		}
		dir, last := path.Split(p)
		dir = path.Clean(dir)
		c.names[name{numbers[dir], last}] = number
		c.nodes[numbers[dir]].Within |= near
		bit := nameBit(last)
		c.nodes[numbers[dir]].Named[bit/64] |= 1 << (bit % 64)
	}
	c.nodes[c.anchors[device]+1].Below.Words = lost
	return nil
}

// number stores a node. Those that have nothing below them and are the same are stored once; a root has a neighbour.
func (c *compiler) number(node bpf.EnforceNode, root bool) (uint32, error) {
	leaf := node.Flags&nodeInner == 0 && !root
	if number, ok := c.leaves[node]; leaf && ok {
		return number, nil
	}
	number := uint32(len(c.nodes))
	c.nodes = append(c.nodes, node)
	if root {
		c.nodes = append(c.nodes, bpf.EnforceNode{})
	}
	if leaf {
		c.leaves[node] = number
	}
	if len(c.nodes) > maxNodes {
		return 0, fmt.Errorf("the policies name files in too many directories: found more than %d, expected less", maxNodes)
	}
	return number, nil
}

// operationsOf are the operations that rules of a set are about.
func (c *compiled) operationsOf(set ruleSet) uint32 {
	var all policy.Operation
	for _, r := range c.rules {
		if set[r.bit/64]>>(r.bit%64)&1 != 0 {
			all |= r.Operations()
		}
	}
	return uint32(all)
}

// nameBit is one of 256 kinds of names, as the kernel sorts them to see at once that a name is no node's.
func nameBit(text string) uint64 {
	var first [8]byte
	copy(first[:], text)
	return (binary.LittleEndian.Uint64(first[:]) ^ uint64(len(text))) * 0x9e3779b97f4a7c15 >> 56
}

// node says what rules make of a location, by all of its names. All are the rules that are about it or something in it, near is what
// the directory that it is in has to say because of it.
func (c *compiler) node(l location) (node bpf.EnforceNode, all ruleSet, near uint32, err error) {
	var self, way, below ruleSet
	var programs programSet
	names := c.pathsTo(l)
	for _, n := range names {
		for _, r := range c.rules {
			if r.matches(n) {
				self.add(r.bit)
			}
			if r.guardsWay(n) {
				way.add(r.bit)
			}
			if r.covers(n) {
				below.add(r.bit)
			}
		}
		programs.addAll(c.executables[n])
		if slices.Contains(c.inits, n) {
			node.Flags |= nodeInit
		}
	}
	patterns := c.patterns(names)
	all.addAll(self)
	all.addAll(below)
	for _, p := range patterns {
		all.addAll(p.add)
	}
	node.Self.Words, node.Way.Words, node.Below.Words, node.Programs.Words = self, way, below, programs
	node.Beneath, node.Inside = c.operationsOf(below), c.operationsOf(below)
	near = c.operationsOf(self) | c.operationsOf(way)&uint32(policy.Delete|policy.Rename|policy.Mount)
	if programs != (programSet{}) || node.Flags&nodeInit != 0 {
		near |= nearProgram
	}
	for _, p := range patterns {
		node.Inside |= c.operationsOf(p.add)
	}
	node.Within = node.Inside
	if len(patterns) > 0 {
		node.Flags |= nodeInner
		node.Automaton, err = c.addAutomata(patterns)
	}
	return node, all, near, err
}

// patterns are those that rules have for the names in a directory. Where a rule is about what is in the directory by several of its
// paths, an exception has to be there for each.
func (c *compiler) patterns(dirs []string) []pattern {
	found := map[string]*pattern{}
	get := func(text string) *pattern {
		if found[text] == nil {
			found[text] = &pattern{text: text}
		}
		return found[text]
	}
	for _, dir := range dirs {
		for _, r := range c.rules {
			for _, p := range r.paths.others {
				if p.Kind == policy.Glob && p.Base == dir && !r.exceptsTree(dir) {
					get(p.Pattern).add.add(r.bit)
				}
			}
			for _, p := range r.except.others {
				if p.Kind == policy.Glob && p.Base == dir && r.exceptsInAll(dirs, p.Pattern) {
					get(p.Pattern).except.add(r.bit)
				}
			}
		}
	}
	var all []pattern
	for _, text := range slices.Sorted(maps.Keys(found)) {
		all = append(all, *found[text])
	}
	return all
}

func (c *compiler) addAutomata(patterns []pattern) (uint32, error) {
	more, err := automataFor(patterns)
	if err == nil && len(c.automata)+len(more) > maxAutomata {
		err = errManyPatterns
	}
	if err != nil {
		texts := make([]string, len(patterns))
		for i, p := range patterns {
			texts[i] = p.text
		}
		return 0, fmt.Errorf("%s: %w", strings.Join(texts, ", "), err)
	}
	first := uint32(len(c.automata))
	for i := range more[1:] {
		more[i].Next = first + uint32(i) + 1
	}
	c.automata = append(c.automata, more...)
	return first, nil
}
