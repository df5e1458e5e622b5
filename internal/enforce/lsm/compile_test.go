// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"fmt"
	"strings"
	"testing"

	"github.com/moby/sys/mountinfo"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/pkg/policy"
)

// accepts runs an automaton as the kernel does, and gives which of its patterns match.
func accepts(t *testing.T, patterns []string, name string) []bool {
	t.Helper()
	var all []pattern
	for _, p := range patterns {
		all = append(all, pattern{text: p})
	}
	automata, err := automataFor(all)
	require.NoError(t, err)
	var matched []bool
	for _, a := range automata {
		states := a.Start
		for _, b := range []byte(name) {
			states = states<<1&a.Steps[b] | states&a.Loops
		}
		for _, p := range a.Patterns[:a.Count] {
			matched = append(matched, states&p.Accept != 0)
		}
	}
	return matched
}

func FuzzAutomaton(f *testing.F) {
	for _, p := range []string{"*", "*.conf", "ssh_host_*_key", "a?c", "[a-z]*[!0-9]", "a*b*c", "x", "**", "*a*"} {
		f.Add(p, "sshd.conf")
		f.Add(p, "abc")
	}
	f.Fuzz(func(t *testing.T, p, name string) {
		other := "other*"
		if states(p) > stateBits || p == "" || strings.ContainsRune(name, 0) {
			return
		}
		want := []bool{policy.MatchName(other, name), policy.MatchName(p, name), policy.MatchName(other, name)}
		assert.Equal(t, want, accepts(t, []string{other, p, other}, name), "%q %q", p, name)
	})
}

func TestAutomatonLimits(t *testing.T) {
	_, err := automataFor([]pattern{{text: strings.Repeat("x", 64)}})
	assert.ErrorIs(t, err, errLongPattern)
	many := make([]pattern, maxPatterns*automataOfNode+1)
	for i := range many {
		many[i].text = "*"
	}
	_, err = automataFor(many)
	assert.ErrorIs(t, err, errManyPatterns)
}

func TestLocations(t *testing.T) {
	m := mounts{
		{ID: 1, Parent: 0, Major: 8, Minor: 1, Root: "/", Mountpoint: "/"},
		{ID: 2, Parent: 1, Major: 8, Minor: 2, Root: "/", Mountpoint: "/var"},
		{ID: 3, Parent: 2, Major: 8, Minor: 1, Root: "/srv/www", Mountpoint: "/var/www"},
		{ID: 4, Parent: 3, Major: 0, Minor: 40, Root: "/", Mountpoint: "/var/www/cache"},
		{ID: 5, Parent: 4, Major: 0, Minor: 41, Root: "/", Mountpoint: "/var/www/cache"},
	}
	const disk, other, first, top = 8<<20 | 1, 8<<20 | 2, 40, 41
	tests := map[string][]location{
		"/etc/passwd":      {{disk, "/etc/passwd"}},
		"/var":             {{disk, "/var"}, {other, "/"}},
		"/var/log/x":       {{other, "/log/x"}},
		"/var/www/index":   {{disk, "/srv/www/index"}},
		"/var/www/cache":   {{disk, "/srv/www/cache"}, {first, "/"}, {top, "/"}},
		"/var/www/cache/a": {{top, "/a"}},
		"/":                {{disk, "/"}},
	}
	for name, want := range tests {
		assert.Equal(t, want, m.locations(name), name)
	}
	assert.Equal(t, []string{"/srv/www/index", "/var/www/index"}, m.names(location{disk, "/srv/www/index"}))
	assert.Equal(t, "/srv/www/index", m.name(location{disk, "/srv/www/index"}))
	assert.Equal(t, []string{"/var/www", "/var/www/cache", "/var/www/cache"}, m.below("/var"))
}

// A rule about what is seen in an overlay is about what its layers have too.
func TestCompiledKnowsLayers(t *testing.T) {
	m := append(only(), &mountinfo.Info{ID: 2, Parent: 1, Major: 0, Minor: 50, Root: "/", Mountpoint: "/merged", FSType: "overlay",
		VFSOptions: "rw,lowerdir=/low:/lower,upperdir=/up,workdir=/work"})
	policies, err := policy.Parse("test.yaml", []byte("policy: p\nrules:\n  - {name: r, files: {paths: [/merged/etc/**], operations: [write]}}\n"))
	require.NoError(t, err)
	c, err := compile(&policy.Set{Policies: policies}, policy.NewHost(t.TempDir()), m, &numbers{bits: map[program]int{}})
	require.NoError(t, err)
	const disk, overlay = 8<<20 | 1, 50
	for file, device := range map[string]uint32{"/etc/a": overlay, "/low/etc/a": disk, "/lower/etc": disk, "/up/etc/b/c": disk} {
		self, _ := find(c, device, file)
		assert.Equal(t, ruleSet{1}, self, file)
	}
	for file, device := range map[string]uint32{"/a": overlay, "/low/a": disk, "/etc/a": disk, "/work/etc": disk} {
		self, _ := find(c, device, file)
		assert.Zero(t, self, file)
	}
}

// only is a host with nothing mounted but its root.
func only() mounts { return mounts{{ID: 1, Major: 8, Minor: 1, Root: "/", Mountpoint: "/"}} }

// find gives the rules about a path as the kernel finds them.
func find(c *compiled, device uint32, file string) (self, way ruleSet) {
	node := c.anchors[device]
	parts := strings.FieldsFunc(file, func(r rune) bool { return r == '/' })
	for i, part := range parts {
		next, ok := c.names[name{node, part}]
		if ok {
			node = next
			continue
		}
		below := ruleSet(c.nodes[node].Below.Words)
		if first := c.nodes[node].Automaton; i == len(parts)-1 && first != 0 {
			return byPatterns(c, below, first, part), ruleSet{}
		}
		return below, ruleSet{}
	}
	return c.nodes[node].Self.Words, c.nodes[node].Way.Words
}

func byPatterns(c *compiled, rules ruleSet, at uint32, file string) ruleSet {
	var except ruleSet
	for ; at != 0; at = c.automata[at].Next {
		a := c.automata[at]
		states := a.Start
		for _, b := range []byte(file) {
			states = states<<1&a.Steps[b] | states&a.Loops
		}
		for _, p := range a.Patterns[:a.Count] {
			if states&p.Accept != 0 {
				rules.addAll(p.Add.Words)
				except = union4(except, p.Except.Words)
			}
		}
	}
	for w := range rules {
		rules[w] &^= except[w]
	}
	return rules
}

func union4(a, b ruleSet) ruleSet {
	a.addAll(b)
	return a
}

// isNamed tells whether a rule's paths name a file, and its exceptions do not.
func isNamed(r placed, name string) bool {
	matches := func(p policy.Path) bool { return p.Matches(name) }
	return anyPath(r.Files.Paths, matches) && !anyPath(r.Files.Except, matches)
}

// What the kernel finds about a path is what the policies say about it.
func TestCompiledAgreesWithPaths(t *testing.T) {
	texts := []string{
		"paths: [/a/b]", "paths: [/a/b/**]", "paths: [/a/*.conf]", "paths: [/a/**], except: [/a/b/**]",
		"paths: [/a/**], except: [/a/b/c, /a/*.log]", "paths: [/q/**, /a/**], except: [/a/b/**]", `paths: ["/a/b/*", /x], except: ["/a/b/?"]`,
		"paths: [/a/*.conf], except: [/a/x*]", "paths: [/y/z/w]",
	}
	var document strings.Builder
	for i, text := range texts {
		fmt.Fprintf(&document, "---\npolicy: p%d\nrules:\n  - {name: r, files: {%s, operations: tamper}}\n", i, text)
	}
	policies, err := policy.Parse("test.yaml", []byte(document.String()))
	require.NoError(t, err)
	c, err := compile(&policy.Set{Policies: policies}, policy.NewHost(t.TempDir()), only(), &numbers{bits: map[program]int{}})
	require.NoError(t, err)
	for _, file := range []string{"/", "/a", "/a/b", "/a/b/c", "/a/b/c/d", "/a/b/cc", "/a/x.conf", "/a/y.conf", "/a/y.log", "/a/b/y.log", "/x", "/y",
		"/y/z", "/y/z/w", "/y/z/w/v", "/q", "/q/r"} {
		self, way := find(c, 8<<20|1, file)
		for _, r := range c.rules {
			assert.Equal(t, isNamed(r, file), self[r.bit/64]>>(r.bit%64)&1 != 0, "%s %s", texts[r.bit], file)
			guards := anyPath(r.Files.Paths, func(p policy.Path) bool { return p.LeadsThrough(file) })
			assert.Equal(t, guards, way[r.bit/64]>>(r.bit%64)&1 != 0, "way of %s %s", texts[r.bit], file)
		}
	}
}

// near gives the operations that the kernel takes for possible on a path, without looking for its rules.
func near(c *compiled, device uint32, file string) uint32 {
	number := c.anchors[device]
	parts := strings.FieldsFunc(file, func(r rune) bool { return r == '/' })
	for _, part := range parts[:len(parts)-1] {
		next, ok := c.names[name{number, part}]
		if !ok {
			return c.nodes[number].Beneath
		}
		number = next
	}
	node, bit := c.nodes[number], nameBit(parts[len(parts)-1])
	switch {
	case node.Flags&nodeInner == 0:
		return node.Beneath
	case node.Named[bit/64]>>(bit%64)&1 != 0:
		return node.Within
	}
	return node.Inside
}

// What the kernel takes for impossible near a path, no rule is about.
func TestCompiledKnowsWhatIsNear(t *testing.T) {
	policies, err := policy.Parse("test.yaml", []byte(`
policy: p
rules:
  - {name: tree, files: {paths: [/a/**], except: [/a/b/**], operations: [write]}}
  - {name: names, files: {paths: ["/a/b/*.conf"], operations: [read]}}
  - {name: one, files: {paths: [/a/b/c/one], operations: [delete, attributes]}}
  - {name: run, exec: {deny: {paths: [/x/**]}}}
`))
	require.NoError(t, err)
	c, err := compile(&policy.Set{Policies: policies}, policy.NewHost(t.TempDir()), only(), &numbers{bits: map[program]int{{path: "/bin/service"}: 0}})
	require.NoError(t, err)
	for file, want := range map[string]policy.Operation{
		"/other": 0, "/a/x": policy.Write, "/a/b/x": policy.Read, "/a/b/c/x": 0, "/a/b/c/one": policy.Delete | policy.Attributes,
		"/a/b/c/one/x": 0, "/a/b/d/x": 0, "/x/y/z": policy.Run, "/bin/other": 0, "/bin/service": nearProgram,
	} {
		assert.Equal(t, want, policy.Operation(near(c, 8<<20|1, file)), file)
	}
	for _, file := range []string{"/a", "/a/b", "/a/b/c", "/a/b/c/one", "/a/b/x.conf", "/a/y", "/x", "/x/y"} {
		self, way := find(c, 8<<20|1, file)
		may := near(c, 8<<20|1, file)
		assert.Zero(t, c.operationsOf(self)&^may, file)
		assert.Zero(t, c.operationsOf(way)&uint32(policy.Delete|policy.Rename|policy.Mount)&^may, "way of %s", file)
	}
}

// A program that some set named before is known when it runs, for the set that names it next.
func TestCompiledHasProgramsOfEarlierSets(t *testing.T) {
	n := &numbers{bits: map[program]int{{path: "/a/service"}: 0, {path: "/a/other"}: 1}}
	c, err := compile(&policy.Set{}, policy.NewHost(t.TempDir()), only(), n)
	require.NoError(t, err)
	node := c.anchors[8<<20|1]
	for _, part := range []string{"a", "other"} {
		node = c.names[name{node, part}]
	}
	assert.Equal(t, uint64(2), c.nodes[node].Programs.Words[0])
}

// A directory that is mounted twice has two paths, and a rule's exceptions are by path.
func TestCompiledAgreesWithPathsOfTwoMounts(t *testing.T) {
	m := append(only(), &mountinfo.Info{ID: 2, Parent: 1, Major: 8, Minor: 1, Root: "/a", Mountpoint: "/b"})
	for _, text := range []string{
		`paths: [/a/**], except: ["/a/*.log"]`, `paths: [/a/**], except: ["/b/*.log"]`, `paths: [/a/**, /b/**], except: ["/a/*.log"]`,
		`paths: [/a/**, /b/**], except: ["/a/*.log", "/b/*.log"]`, `paths: ["/a/*", /b/**], except: [/b/**, "/a/x*"]`,
	} {
		policies, err := policy.Parse("test.yaml", []byte("policy: p\nrules:\n  - {name: r, files: {"+text+", operations: [write]}}\n"))
		require.NoError(t, err)
		c, err := compile(&policy.Set{Policies: policies}, policy.NewHost(t.TempDir()), m, &numbers{bits: map[program]int{}})
		require.NoError(t, err)
		for _, file := range []string{"x", "x.log", "y.conf"} {
			self, _ := find(c, 8<<20|1, "/a/"+file)
			assert.Equal(t, isNamed(c.rules[0], "/a/"+file) || isNamed(c.rules[0], "/b/"+file), self[0]&1 != 0, "%s %s", text, file)
		}
	}
}

func TestPlaceKeepsPoliciesInOneWord(t *testing.T) {
	var set policy.Set
	for i := range 6 {
		p := &policy.Policy{Name: fmt.Sprint(i)}
		for range 40 {
			p.Rules = append(p.Rules, &policy.Rule{Kernel: &policy.Kernel{}})
		}
		set.Policies = append(set.Policies, p)
	}
	_, err := place(&set)
	assert.ErrorContains(t, err, "policy 4: found 40 rules")
	set.Policies = set.Policies[:4]
	rules, err := place(&set)
	require.NoError(t, err)
	for _, r := range rules {
		assert.Equal(t, set.Policies[r.bit/64], r.policy)
		assert.NotEqual(t, 63, r.bit%64, "the bit for answers")
	}
}

func FuzzVerdict(f *testing.F) {
	f.Add(make([]byte, 4096))
	f.Add([]byte{1})
	l := &loaded{compiled: &compiled{rules: []placed{{Rule: &policy.Rule{Name: "r"}, policy: &policy.Policy{Name: "p"}}}, mounts: only()}}
	e := &Enforcer{}
	e.now.Store(l)
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := parseVerdict(raw)
		if err != nil {
			return
		}
		v.Generation = 0
		for _, told := range e.verdictsOf(v) {
			assert.Equal(t, "r", told.Rule)
		}
	})
}

func TestIDNumber(t *testing.T) {
	for id, want := range map[string]uint64{
		"0123456789ab":     0x0123456789ab | idFound,
		"0123456789abcdef": 0x0123456789ab | idFound,
		"000000000000":     idFound,
	} {
		got, ok := idNumber(id)
		assert.True(t, ok, id)
		assert.Equal(t, want, got, id)
	}
	for _, name := range []string{"", "0123456789a", "machine-of-mine", "0123456789ag"} {
		_, ok := idNumber(name)
		assert.False(t, ok, name)
	}
}

// What the kernel noted of links goes on for a rule whose paths are the same, wherever it stands, and for no other.
func TestNotedLinksOfRulesThatChanged(t *testing.T) {
	compiledOf := func(rules string) *compiled {
		policies, err := policy.Parse("test.yaml", []byte("policy: p\nrules:\n"+rules))
		require.NoError(t, err)
		c, err := compile(&policy.Set{Policies: policies}, policy.NewHost(t.TempDir()), only(), &numbers{bits: map[program]int{}})
		require.NoError(t, err)
		return c
	}
	before := compiledOf(`  - {name: same, files: {paths: [/a/**], except: [/a/b], operations: [write]}}
  - {name: paths, files: {paths: [/a/**], operations: [write]}}
  - {name: except, files: {paths: [/a/**], except: [/a/b], operations: [write]}}
`)
	after := compiledOf(`  - {name: paths, files: {paths: [/a], operations: [write]}}
  - {name: except, files: {paths: [/a/**], operations: [write]}}
  - {name: same, files: {paths: [/a/**], except: [/a/b], operations: [read]}}
`)
	link := inode{device: 1, number: 2}
	after.noted(&loaded{compiled: before}, map[inode]ruleSet{link: {0b111}})
	assert.Equal(t, map[inode]ruleSet{link: {0b100}}, after.links)
}
