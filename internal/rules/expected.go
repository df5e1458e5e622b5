// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/vedette-sec/vedette/internal/ruleset"
	"github.com/vedette-sec/vedette/pkg/sigma"
)

// expectation is a line of a file of events: an event in Sigma's words and the rules that must match it, and no others.
type expectation struct {
	Name     string         `json:"name"`
	Product  string         `json:"product"`
	Category string         `json:"category"`
	Service  string         `json:"service"`
	Event    map[string]any `json:"event"`
	Keywords []string       `json:"keywords"`
	Match    []string       `json:"match"` // ids, names or titles; the unique beginning of a title will do

	line int
}

// TestEvents judges the events of a file by the rules, and tells where the rules that match are not those that a line
// expects. The error is about the file.
func TestEvents(set *ruleset.Set, file string, from io.Reader) (*TestReport, error) {
	expectations, err := readExpectations(file, from)
	if err != nil {
		return nil, err
	}
	t := newTester(set)
	defer t.record.Release()
	for _, e := range expectations {
		trial, err := t.expected(e)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: match: %w", file, e.line, err)
		}
		t.add(&sigma.Header{File: file, Line: e.line, Title: cmp.Or(e.Name, "event")}, []Trial{trial})
	}
	return t.report, nil
}

const longestLine = 16 << 20

func readExpectations(file string, from io.Reader) ([]expectation, error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, longestLine)
	var all []expectation
	for number := 1; lines.Scan(); number++ {
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 {
			continue
		}
		e := expectation{line: number}
		if err := decodeStrictly(text, &e); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, number, err)
		}
		switch {
		case e.Event == nil && e.Keywords == nil:
			return nil, fmt.Errorf("%s:%d: found neither event nor keywords, expected one of them", file, number)
		case e.Match == nil:
			return nil, fmt.Errorf("%s:%d: found no match, expected a list of rules, which may be empty", file, number)
		}
		all = append(all, e)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return all, nil
}

// decodeStrictly reads one JSON object without keys that are not known. Whole numbers stay whole.
func decodeStrictly(text []byte, into *expectation) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("expected an object with name, product, category, service, event, keywords and match: %w", err)
	}
	numbered(into.Event)
	return nil
}

// numbered makes numbers of what JSON has for them.
func numbered(value any) any {
	switch v := value.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
		return v.String()
	case []any:
		for i := range v {
			v[i] = numbered(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = numbered(v[name])
		}
	}
	return value
}

func (t *tester) expected(e expectation) (Trial, error) {
	want := map[string]bool{}
	for _, text := range e.Match {
		r, c, err := Find(t.set, text)
		switch {
		case err != nil:
			return Trial{}, err
		case c != nil:
			return Trial{}, fmt.Errorf("%q is a correlation, expected rules, which look at one event", c.Title)
		}
		want[r.Title] = true
	}
	event := sigmaEvent{
		source: sigma.LogSource{Product: e.Product, Category: e.Category, Service: e.Service},
		fields: e.Event, keywords: e.Keywords,
	}
	trial := Trial{Line: e.line, Name: "matched by " + cmp.Or(strings.Join(slices.Sorted(maps.Keys(want)), ", "), "no rule")}
	forms := event.forms()
	if len(forms) == 0 {
		trial.Faults = append(trial.Faults, fmt.Sprintf("no log record is of the log source %s", event.source))
	}
	for _, f := range forms {
		found := map[string]bool{}
		for _, number := range t.record.Matches(f.log, pcommon.NewMap()) {
			found[t.set.Rules[number].Title] = true
		}
		for _, title := range slices.Sorted(maps.Keys(found)) {
			if !want[title] {
				trial.Faults = append(trial.Faults, fmt.Sprintf("as %s: %q matched, expected no match", f.name, title))
			}
		}
		for _, title := range slices.Sorted(maps.Keys(want)) {
			if !found[title] {
				trial.Faults = append(trial.Faults, fmt.Sprintf("as %s: no match of %q, expected one", f.name, title))
			}
		}
	}
	return trial, nil
}
