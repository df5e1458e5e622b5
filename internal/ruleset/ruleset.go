// SPDX-License-Identifier: Apache-2.0

// Package ruleset gathers the detection rules that are in force: the built-in ones and the user's, with
// the user's lists, exceptions, levels and switches applied, and tells of every document what became
// of it. The processor and the command line share it, so that both mean the same by a rule.
package ruleset

import (
	"cmp"
	"maps"
	"slices"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// Builtin is the name of the source of the rules that are part of the program.
const Builtin = "builtin"

// Config says where rules come from and what is changed about them. Paths of directories are walked;
// names that begin with a dot are passed over.
type Config struct {
	Builtin     bool     // load the rules that are part of the program
	Directories []string // of rules, correlations and filters
	Lists       []string // directories of lists, or single lists, for the modifier expand
	Exceptions  []string // directories of filters, or single files
	Disable     Disable
	Levels      map[string]sigma.Level // of rules and correlations, by id
}

// Disable names rules and correlations that do not alert. A disabled rule still counts for correlations.
type Disable struct {
	IDs    []string
	Tags   []string // as rules have them, in either letter case
	Levels []sigma.Level
}

// Rule is a rule in force.
type Rule struct {
	*sigma.Rule
	Source string // Builtin, or the directory it came from
	Silent bool   // does not alert by itself: a correlation uses it, or it is disabled
}

// Correlation is a correlation in force. Those it refers to come before it.
type Correlation struct {
	*sigma.Correlation
	Source string
	Silent bool
}

// Set is the rules in force and what became of every document.
type Set struct {
	Rules        []*Rule
	Correlations []*Correlation
	// Filters are the exceptions that narrow a rule, with the selections that they added to it.
	Filters []*sigma.Filter
	Report  *Report
}

// Load reads everything the configuration names. The error is about a directory or list that cannot be
// read or understood; broken documents are in the report and take nothing else down.
func Load(cfg Config) (*Set, error) {
	lists, err := readLists(cfg.Lists)
	if err != nil {
		return nil, err
	}
	l := &loader{cfg: cfg, sources: map[string]string{}, texts: map[string][]byte{}}
	for _, s := range sources(cfg) {
		if err := l.read(s, sigma.WithPlaceholders(lists)); err != nil {
			return nil, err
		}
	}
	return l.set(), nil
}

// loader gathers documents and faults.
type loader struct {
	cfg     Config
	all     sigma.Collection
	faults  []*sigma.Error
	sources map[string]string // the source of each file
	texts   map[string][]byte // the content of each file
}

// set applies the user's changes, resolves what refers to what, and reports.
func (l *loader) set() *Set {
	l.faults = append(l.faults, l.all.Unique()...)
	report := &Report{}
	l.setLevels(report)
	resolved, faults := l.all.Resolve()
	l.faults = append(l.faults, faults...)
	set := &Set{Filters: resolved.Filters, Report: report}
	silentRules, silentCorrelations := resolved.Silent()
	for _, c := range resolved.Correlations {
		if !l.disabled(&c.Header) {
			set.Correlations = append(set.Correlations, &Correlation{c, l.sources[c.File], silentCorrelations[c]})
		}
	}
	used := usedRules(set.Correlations)
	for _, r := range resolved.Rules {
		off := l.disabled(&r.Header)
		if !off || used[r] {
			set.Rules = append(set.Rules, &Rule{r, l.sources[r.File], off || silentRules[r] && used[r]})
		}
	}
	l.report(report, resolved)
	return set
}

// usedRules are those that a correlation refers to, directly or through another one.
func usedRules(correlations []*Correlation) map[*sigma.Rule]bool {
	used := map[*sigma.Rule]bool{}
	var follow func(c *sigma.Correlation)
	follow = func(c *sigma.Correlation) {
		for _, reference := range c.Rules {
			if reference.Rule != nil {
				used[reference.Rule] = true
			} else {
				follow(reference.Correlation)
			}
		}
	}
	for _, c := range correlations {
		follow(c.Correlation)
	}
	return used
}

// setLevels overrides the levels that the configuration names.
func (l *loader) setLevels(report *Report) {
	known := map[string]bool{}
	override := func(h *sigma.Header) {
		known[h.ID] = true
		h.Level = cmp.Or(l.cfg.Levels[h.ID], h.Level)
	}
	for _, r := range l.all.Rules {
		override(&r.Header)
	}
	for _, c := range l.all.Correlations {
		override(&c.Header)
	}
	for _, id := range slices.Sorted(maps.Keys(l.cfg.Levels)) {
		if !known[id] {
			report.Notes = append(report.Notes, "levels: no rule has the id "+id)
		}
	}
	for _, id := range l.cfg.Disable.IDs {
		if !known[id] {
			report.Notes = append(report.Notes, "disable::ids: no rule has the id "+id)
		}
	}
}
