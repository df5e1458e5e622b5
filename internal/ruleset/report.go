// SPDX-License-Identifier: Apache-2.0

package ruleset

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// State is what became of a document.
type State string

// The states of documents.
const (
	Loaded   State = "loaded"
	Degraded State = "degraded" // in force, but something in it can never match here
	Disabled State = "disabled" // switched off by the configuration
	Refused  State = "refused"  // not in force
)

// states is the order of the states in reports.
var states = []State{Refused, Degraded, Disabled, Loaded}

// Entry tells what became of one document.
type Entry struct {
	State   State       `json:"state"`
	Kind    string      `json:"kind"` // rule, correlation or filter; empty where it could not be read
	ID      string      `json:"id,omitempty"`
	Title   string      `json:"title,omitempty"`
	Level   sigma.Level `json:"level,omitempty"`
	Source  string      `json:"source"`
	File    string      `json:"file"`
	Line    int         `json:"line,omitempty"`
	Reasons []string    `json:"reasons,omitempty"` // where the state is not loaded
}

// Report tells what became of every document, in the order of files and lines, and what of the configuration
// had no effect.
type Report struct {
	Entries []Entry  `json:"entries"`
	Notes   []string `json:"notes,omitempty"`
	// Faults are the faults of refused documents one by one, with file, line and column.
	Faults []*sigma.Error `json:"-"`
}

// Counts returns how many rules and correlations are in each state; filters are not counted unless refused.
func (r *Report) Counts() map[State]int {
	counts := map[State]int{}
	for _, e := range r.Entries {
		if e.Kind != "filter" {
			counts[e.State]++
		}
	}
	return counts
}

// report writes an entry for every document.
func (l *loader) report(report *Report, resolved *sigma.Collection) {
	report.Faults = l.faults
	broken := l.refusedEntries()
	inForce := map[place]bool{}
	report.Entries = slices.Grow(report.Entries, len(resolved.Rules)+len(resolved.Correlations)+len(resolved.Filters)+len(broken))
	add := func(kind string, h *sigma.Header, reasons []string) {
		e := Entry{State: Loaded, Kind: kind, ID: h.ID, Title: h.Title, Level: h.Level, Source: l.sources[h.File], File: h.File, Line: h.Line}
		switch off := l.disabledBy(h); {
		case kind != "filter" && off != "":
			e.State, e.Reasons = Disabled, []string{off}
		case len(reasons) > 0:
			e.State, e.Reasons = Degraded, reasons
		}
		inForce[place{h.File, h.Line}] = true
		report.Entries = append(report.Entries, e)
	}
	for _, r := range resolved.Rules {
		add("rule", &r.Header, Degradations(r))
	}
	for _, c := range resolved.Correlations {
		add("correlation", &c.Header, unknownResponses(&c.Header))
	}
	for _, f := range resolved.Filters {
		add("filter", &f.Header, nil)
	}
	for _, e := range broken {
		if !inForce[place{e.File, e.Line}] {
			report.Entries = append(report.Entries, e)
		}
	}
	slices.SortStableFunc(report.Entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
}

// place is where a document begins.
type place struct {
	file string
	line int
}

// refusedEntries makes an entry for each document that has a fault.
func (l *loader) refusedEntries() []Entry {
	byPlace := map[place]*Entry{}
	var order []place
	for _, fault := range l.faults {
		line, title, id := document(l.texts[fault.File], fault.Line)
		key := place{fault.File, line}
		e := byPlace[key]
		if e == nil {
			e = &Entry{State: Refused, ID: id, Title: title, Source: l.sources[fault.File], File: fault.File, Line: line}
			byPlace[key] = e
			order = append(order, key)
		}
		e.Reasons = append(e.Reasons, fault.Error())
	}
	entries := make([]Entry, len(order))
	for i, key := range order {
		entries[i] = *byPlace[key]
	}
	return entries
}

var (
	titleLine = regexp.MustCompile(`^title:[ \t]*["']?(.*?)["']?[ \t]*\r?\n?$`)
	idLine    = regexp.MustCompile(`^id:[ \t]*["']?([^"'#\s]+)`)
)

// document finds the document of a file that a line belongs to, by its first line with content, and what
// its title and id seem to be. It has to do with documents that are not valid.
func document(text []byte, line int) (begin int, title, id string) {
	number := 0
	for content := range bytes.Lines(text) {
		number++
		separator := bytes.HasPrefix(content, []byte("---"))
		if separator && number > max(line, 1) {
			break
		}
		if separator {
			begin, title, id = 0, "", ""
			continue
		}
		trimmed := bytes.TrimSpace(content)
		if begin == 0 && len(trimmed) > 0 && trimmed[0] != '#' {
			begin = number
		}
		if m := titleLine.FindSubmatch(content); m != nil {
			title = string(m[1])
		}
		if m := idLine.FindSubmatch(content); m != nil {
			id = string(m[1])
		}
	}
	return begin, title, id
}

// WriteTable writes the report for reading: what is not simply loaded, with the reasons, and the sums. With all,
// also what is.
func (r *Report) WriteTable(w io.Writer, all bool) error {
	var b strings.Builder
	for _, state := range states {
		for _, e := range r.Entries {
			if e.State != state || state == Loaded && !all {
				continue
			}
			fmt.Fprintf(&b, "%-9s %s:%d  %s\n", e.State, e.File, e.Line, cmp.Or(e.Title, e.ID, "(no title)"))
			for _, reason := range e.Reasons {
				fmt.Fprintf(&b, "          %s\n", strings.TrimPrefix(reason, e.File+":"))
			}
		}
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "note      %s\n", note)
	}
	counts := r.Counts()
	fmt.Fprintf(&b, "%d loaded, %d degraded, %d disabled, %d refused\n",
		counts[Loaded], counts[Degraded], counts[Disabled], counts[Refused])
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteJSON writes the report as one JSON object.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

// disabled reports whether the configuration switches a document off.
func (l *loader) disabled(h *sigma.Header) bool { return l.disabledBy(h) != "" }

// disabledBy names the key of the configuration that switches a document off.
func (l *loader) disabledBy(h *sigma.Header) string {
	d := l.cfg.Disable
	if h.ID != "" && slices.Contains(d.IDs, h.ID) {
		return "disable::ids names it"
	}
	if slices.Contains(d.Levels, cmp.Or(h.Level, sigma.Medium)) {
		return "disable::levels names its level"
	}
	for _, tag := range h.Tags {
		if slices.ContainsFunc(d.Tags, func(off string) bool { return strings.EqualFold(off, tag) }) {
			return "disable::tags names its tag " + tag
		}
	}
	return ""
}
