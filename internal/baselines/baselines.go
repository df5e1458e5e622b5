// SPDX-License-Identifier: Apache-2.0

// Package baselines is what the operator's command line tells about baselines.
package baselines

import (
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/vedette-sec/vedette/config"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

// Ready is before the file names of the templates that are part of the program.
const Ready = "ready"

// Load reads the templates that are part of the program, and those and the waivers of files and directories.
func Load(places []string) (*baseline.Set, error) {
	ready, err := fs.Sub(config.Files, config.BaselinesRoot)
	if err != nil {
		return nil, fmt.Errorf("reading the ready templates: %w", err)
	}
	l := &baseline.Loader{}
	l.AddFS(ready, Ready)
	l.Add(places...)
	return l.Set()
}

// Listed is a template in a list.
type Listed struct {
	ID       string        `json:"id"`
	Title    baseline.Text `json:"title"`
	Extends  string        `json:"extends,omitempty"`
	Profiles []string      `json:"profiles,omitempty"`
	Rules    int           `json:"rules"`
	Manual   int           `json:"manual"` // of the rules, those that a person must judge
	Clauses  Clauses       `json:"clauses"`
	File     string        `json:"file"`
}

// Clauses counts the different clauses that the rules name, by standard.
type Clauses map[string]int

// List tells what templates there are.
func List(set *baseline.Set) ([]Listed, error) {
	list := []Listed{}
	for _, t := range set.Templates {
		b, err := set.Resolve(t.ID, nil)
		if err != nil {
			return nil, err
		}
		l := Listed{ID: t.ID, Title: t.Title, Extends: t.Extends, Rules: len(b.Rules), Clauses: Clauses{}, File: t.File}
		for _, p := range b.Profiles {
			l.Profiles = append(l.Profiles, p.ID)
		}
		seen := map[[2]string]bool{}
		for _, r := range b.Rules {
			if r.Manual != nil {
				l.Manual++
			}
			for standard, clauses := range r.Maps {
				for _, c := range clauses {
					seen[[2]string{standard, c}] = true
				}
			}
		}
		for key := range seen {
			l.Clauses[key[0]]++
		}
		list = append(list, l)
	}
	return list, nil
}

// WriteList writes a line for each template.
func WriteList(w io.Writer, list []Listed, language string) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TEMPLATE\tRULES\tMANUAL\tPROFILES\tFILE\tTITLE")
	for _, l := range list {
		profiles := strings.Join(l.Profiles, ",")
		if profiles == "" {
			profiles = "-"
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%s\t%s\t%s\n", l.ID, l.Rules, l.Manual, profiles, l.File, l.Title.In(language))
	}
	return table.Flush()
}

// Text gives the file of a ready template with its comments.
func Text(id string) ([]byte, error) {
	set, err := Load(nil)
	if err != nil {
		return nil, err
	}
	t := set.Template(id)
	if t == nil {
		ids := make([]string, len(set.Templates))
		for i, t := range set.Templates {
			ids[i] = t.ID
		}
		return nil, fmt.Errorf("found the template %q, expected one of the ready ones: %s", id, strings.Join(ids, ", "))
	}
	return config.Files.ReadFile(config.BaselinesRoot + strings.TrimPrefix(t.File, Ready))
}

// Shown is a rule as `show` tells it.
type Shown struct {
	ID        string              `json:"id"`
	Title     baseline.Text       `json:"title"`
	Rationale baseline.Text       `json:"rationale"`
	Severity  baseline.Severity   `json:"severity"`
	Profiles  []string            `json:"profiles,omitempty"`
	Maps      map[string][]string `json:"maps,omitempty"`
	Place     string              `json:"place"`
}

// Show gives a rule of a baseline.
func Show(b *baseline.Baseline, id string) (*Shown, error) {
	i := slices.IndexFunc(b.Rules, func(r *baseline.Rule) bool { return r.ID == id })
	if i < 0 {
		return nil, fmt.Errorf("found the rule %q, expected one of the template %s", id, b.ID)
	}
	return shownOf(b.Rules[i]), nil
}

func shownOf(r *baseline.Rule) *Shown {
	return &Shown{r.ID, r.Title, r.Rationale, r.Severity, r.Profiles, r.Maps, r.Position.String()}
}

// ShownTemplate is a template as `show` tells it to programs, with the rules of those that it extends.
type ShownTemplate struct {
	ID    string        `json:"id"`
	Title baseline.Text `json:"title"`
	Rules []*Shown      `json:"rules"`
}

// ShowAll gives all rules of a baseline.
func ShowAll(b *baseline.Baseline) *ShownTemplate {
	all := &ShownTemplate{ID: b.ID, Title: b.Title, Rules: []*Shown{}}
	for _, r := range b.Rules {
		all.Rules = append(all.Rules, shownOf(r))
	}
	return all
}

// WriteText writes what a rule says about itself.
func (s *Shown) WriteText(w io.Writer, language string) error {
	_, err := fmt.Fprintf(w, "%s (%s)\n%s\n%s\n%s\n%s\n", s.ID, s.Severity, s.Title.In(language), s.Rationale.In(language), clauses(s.Maps), s.Place)
	return err
}
