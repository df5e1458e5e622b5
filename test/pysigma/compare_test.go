// SPDX-License-Identifier: Apache-2.0

package pysigma

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/pkg/sigma"
)

// source is where rules come from.
type source struct {
	name  string
	files []file
	names []string // of the files
	// missing says why there are no files.
	missing string
}

const (
	generatedFiles = 600
	eventsPerRule  = 12
)

func TestAgainstPySigma(t *testing.T) {
	ring.Require(t, ring.Reference)
	sources := []source{
		directory(t, "public rules", publicRules()),
		directory(t, "own rules", "../../config/rules"),
		generated(generatedFiles),
	}
	var all []file
	for _, s := range sources {
		all = append(all, s.files...)
	}
	theirs := askPySigma(t, append(all, known()...))
	for _, s := range sources {
		t.Run(s.name, func(t *testing.T) {
			if s.missing != "" {
				t.Skip(s.missing)
			}
			compareAll(t, s, theirs[:len(s.files)])
		})
		theirs = theirs[len(s.files):]
	}
	t.Run("differences", func(t *testing.T) { compareKnown(t, theirs) })
}

// publicRules is the directory of the Sigma project's Linux rules, which are not part of this repository.
func publicRules() string {
	if dir := os.Getenv("VEDETTE_SIGMA_DIR"); dir != "" {
		return dir
	}
	return "../../../shared/sigma-linux"
}

func directory(t *testing.T, name, dir string) source {
	t.Helper()
	s := source{name: name}
	if _, err := os.Stat(dir); err != nil {
		s.missing = fmt.Sprintf("no Sigma rules to compare: set VEDETTE_SIGMA_DIR to a directory with them (%v)", err)
		return s
	}
	maker := eventMaker{rand.New(rand.NewPCG(1, 1))}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yml" {
			return err
		}
		text, err := os.ReadFile(path)
		s.add(path, string(text), maker)
		return err
	})
	require.NoError(t, err)
	require.NotEmpty(t, s.files)
	return s
}

// add takes a rule file, with events for each of its rules.
func (s *source) add(name, text string, maker eventMaker) {
	f := file{Source: text, Events: []event{}}
	c, _ := sigma.Parse(name, []byte(text))
	for _, r := range c.Rules {
		f.Events = append(f.Events, maker.events(r, eventsPerRule)...)
	}
	s.files, s.names = append(s.files, f), append(s.names, name)
}

func compareAll(t *testing.T, s source, theirs []judgement) {
	var n counts
	for i, f := range s.files {
		n.compare(t, s.names[i], f, theirs[i])
	}
	t.Logf("%d rules taken by both, %d files refused by both; %d of %d verdicts are a match; %d rules have both verdicts",
		n.rules, n.refused, n.matches, n.verdicts, n.both)
	assert.Greater(t, 2*n.both, n.rules, "most rules should have events that match and events that do not")
}

type counts struct{ rules, refused, verdicts, matches, both int }

func (n *counts) compare(t *testing.T, name string, f file, their judgement) {
	our := ours(f)
	ourRules, theirRules := byTitle(t, our), byTitle(t, their)
	if len(ourRules) == 0 && len(theirRules) == 0 {
		n.refused++
	}
	for title := range union(ourRules, theirRules) {
		a, taken := ourRules[title]
		b, takenByThem := theirRules[title]
		if !taken || !takenByThem {
			t.Errorf("%s: %q is taken by us: %v, by pySigma: %v\nour errors: %s\npySigma: %s\n%s",
				name, title, taken, takenByThem, our.Error, compact(refusals(their)), f.Source)
			continue
		}
		n.rules++
		n.count(a.Verdicts)
		if explanation := difference(a, b, f.Events); explanation != "" {
			t.Errorf("%s: %q: %s\n%s", name, title, explanation, f.Source)
		}
	}
}

func (n *counts) count(verdicts []bool) {
	matches := 0
	for _, matched := range verdicts {
		n.verdicts++
		if matched {
			matches++
		}
	}
	n.matches += matches
	if 0 < matches && matches < len(verdicts) {
		n.both++
	}
}

// byTitle gives the rules that were taken.
func byTitle(t *testing.T, j judgement) map[string]readRule {
	rules := map[string]readRule{}
	for _, r := range j.Rules {
		if r.Error == "" {
			assert.NotContains(t, rules, r.Title, "titles tell the rules of a file apart")
			rules[r.Title] = r
		}
	}
	return rules
}

// refusals gives why rules were not taken.
func refusals(j judgement) []string {
	all := []string{j.Error}
	for _, r := range j.Rules {
		all = append(all, r.Error)
	}
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

func union(a, b map[string]readRule) map[string]bool {
	all := map[string]bool{}
	for title := range a {
		all[title] = true
	}
	for title := range b {
		all[title] = true
	}
	return all
}

// difference tells in what two readings of a rule differ, "" where in nothing.
func difference(our, their readRule, events []event) string {
	ourParse, theirParse := parse(our), parse(their)
	parses := fmt.Sprintf("we read   %s\nthey read %s", ourParse, theirParse)
	if ourParse != theirParse {
		return "the readings differ\n" + parses
	}
	for i, e := range events {
		if our.Verdicts[i] != their.Verdicts[i] {
			return fmt.Sprintf("an event is matched by us: %v, by pySigma: %v\n%s\n%s", our.Verdicts[i], their.Verdicts[i], compact(e), parses)
		}
	}
	return ""
}

func parse(r readRule) string {
	r = normalised(r)
	r.Verdicts = nil
	return compact(r)
}
