// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/vedette-sec/vedette/internal/ring"
)

// Summary counts the tests of a run. A test with subtests counts by them.
type Summary struct {
	Passed, Failed, Skipped int
	// Ran counts the tests of each ring that passed or failed.
	Ran map[ring.Ring]int
	// FailedPackages names the packages that failed, in the order they ended.
	FailedPackages []string
	// FailedTests names the tests that failed as "package.Test", in the order they ended.
	FailedTests []string
	// Groups holds the skipped tests by reason.
	Groups []Group
}

// Group is the tests that could not run for one reason.
type Group struct {
	Reason string
	Ring   ring.Ring
	// RingSkipped is true when the reason held for the whole ring.
	RingSkipped bool
	// Tests holds "package.Test", sorted.
	Tests []string
}

// Summarize counts what rec has recorded. module is cut from package names.
func Summarize(rec *Recorder, module string) Summary {
	s := Summary{Ran: make(map[ring.Ring]int)}
	groups := make(map[string]*Group)
	for _, t := range leaves(rec.Tests) {
		switch t.Outcome {
		case Pass:
			s.Passed++
			s.Ran[t.Ring]++
		case Fail:
			s.Failed++
			s.FailedTests = append(s.FailedTests, ShortName(t.Package, module)+"."+t.Name)
			s.Ran[t.Ring]++
		case Skip:
			s.Skipped++
			addToGroup(groups, t, module)
		}
	}
	for _, p := range rec.Packages {
		if p.Outcome == Fail {
			s.FailedPackages = append(s.FailedPackages, p.Name)
		}
	}
	for _, g := range groups {
		sort.Strings(g.Tests)
		s.Groups = append(s.Groups, *g)
	}
	sort.Slice(s.Groups, func(i, j int) bool { return s.Groups[i].less(s.Groups[j]) })
	return s
}

func (g Group) less(other Group) bool {
	if g.Ring != other.Ring {
		return g.Ring < other.Ring
	}
	return g.Reason < other.Reason
}

func addToGroup(groups map[string]*Group, t Test, module string) {
	key := string(t.Ring) + "\x00" + t.Reason
	g, ok := groups[key]
	if !ok {
		g = &Group{Reason: t.Reason, Ring: t.Ring, RingSkipped: t.RingSkipped}
		groups[key] = g
	}
	g.Tests = append(g.Tests, ShortName(t.Package, module)+"."+t.Name)
}

// ShortName cuts the module path from a package's import path.
func ShortName(pkg, module string) string { return strings.TrimPrefix(pkg, module+"/") }

// leaves drops every test whose subtests already tell its outcome.
func leaves(tests []Test) []Test {
	type child struct{ any, failed bool }
	children := make(map[string]child)
	for _, t := range tests {
		for name := parent(t.Name); name != ""; name = parent(name) {
			key := t.Package + "." + name
			c := children[key]
			children[key] = child{any: true, failed: c.failed || t.Outcome == Fail}
		}
	}
	var out []Test
	for _, t := range tests {
		c := children[t.Package+"."+t.Name]
		if !c.any || (t.Outcome == Fail && !c.failed) {
			out = append(out, t)
		}
	}
	return out
}

func parent(name string) string {
	i := strings.LastIndex(name, "/")
	if i < 0 {
		return ""
	}
	return name[:i]
}

// OK tells whether nothing failed.
func (s Summary) OK() bool { return s.Failed == 0 && len(s.FailedPackages) == 0 }

// Missing names those of the required rings of which no test ran.
func (s Summary) Missing(required []ring.Ring) []ring.Ring {
	var missing []ring.Ring
	for _, r := range required {
		if s.Ran[r] == 0 {
			missing = append(missing, r)
		}
	}
	return missing
}

// Counts is the one-line form: "42 passed, 0 failed, 3 skipped".
func (s Summary) Counts() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", s.Passed, s.Failed, s.Skipped)
}

// WriteGroups lists the skipped tests by reason, each line after indent.
func WriteGroups(w io.Writer, indent string, groups []Group) {
	for _, g := range groups {
		fmt.Fprintf(w, "%s%s: %s: %s\n", indent, plural(len(g.Tests), "test"), g.Reason, strings.Join(g.Tests, ", "))
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
