// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/ecs"
	"github.com/vedette-sec/vedette/internal/eventlog"
	"github.com/vedette-sec/vedette/internal/judge"
	"github.com/vedette-sec/vedette/internal/logsource"
	"github.com/vedette-sec/vedette/internal/ruleset"
	"github.com/vedette-sec/vedette/pkg/sigma"
)

// Explained is what a rule makes of an event, in all its parts.
type Explained struct {
	ID         string               `json:"id,omitempty"`
	Title      string               `json:"title"`
	Event      string               `json:"event,omitempty"` // its kind, where it is a record
	Matched    bool                 `json:"matched"`
	Unseen     string               `json:"unseen,omitempty"` // why the rule does not look at such events at all
	Conditions []ExplainedCondition `json:"conditions,omitempty"`
	Selections []ExplainedSelection `json:"selections,omitempty"`

	verdicts map[string]bool // of selections
}

// ExplainedCondition is a condition and whether it holds.
type ExplainedCondition struct {
	Text  string `json:"text"`
	Holds bool   `json:"holds"`

	condition sigma.Condition
}

// ExplainedSelection is a selection, whether it holds, and its alternatives.
type ExplainedSelection struct {
	Name         string            `json:"name"`
	Holds        bool              `json:"holds"`
	Alternatives [][]ExplainedItem `json:"alternatives"`
}

// ExplainedItem is what an item asks and what the event has.
type ExplainedItem struct {
	Asks  string   `json:"asks"` // the field with its modifiers
	Holds bool     `json:"holds"`
	Want  []string `json:"want"`
	Met   []bool   `json:"met"` // for each of want whether the event satisfies it
	Have  []any    `json:"have"`
	None  bool     `json:"none,omitempty"` // the event has no such field
}

// Explain tells what a rule makes of each event in a text, which is a map of Sigma fields, an ECS document as security logs
// have it, or OTLP logs in JSON; several may follow each other.
func Explain(r *ruleset.Rule, text []byte) ([]*Explained, error) {
	var all []*Explained
	decoder := json.NewDecoder(bytes.NewReader(text))
	for {
		var one json.RawMessage
		switch err := decoder.Decode(&one); {
		case errors.Is(err, io.EOF) && len(all) > 0:
			return all, nil
		case errors.Is(err, io.EOF):
			return nil, errors.New("found nothing, expected an event in JSON")
		case err != nil:
			return nil, fmt.Errorf("not JSON: %w", err)
		}
		explained, err := explainOne(r, one)
		if err != nil {
			return nil, err
		}
		all = append(all, explained...)
	}
}

// ReadEvent reads the event that an argument names: a file, "-" for standard input, or the event itself.
func ReadEvent(argument string, stdin io.Reader) ([]byte, error) {
	switch {
	case argument == "-":
		return io.ReadAll(stdin)
	case strings.HasPrefix(strings.TrimSpace(argument), "{"):
		return []byte(argument), nil
	}
	return os.ReadFile(argument)
}

func explainOne(r *ruleset.Rule, text json.RawMessage) ([]*Explained, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil || members == nil {
		return nil, errors.New("found no object, expected a map of Sigma fields, an ECS document or OTLP logs")
	}
	has := func(name string) bool { _, ok := members[name]; return ok }
	if !has("resourceLogs") && !has("@timestamp") {
		return explainFields(r, text, members)
	}
	records, err := eventlog.NewDecoder().Decode(text)
	if err != nil {
		return nil, err
	}
	x := newRecordExplainer(r)
	var all []*Explained
	for _, record := range records {
		all = append(all, x.explain(record))
	}
	return all, nil
}

// explainFields takes a map of Sigma fields, or a line of a file of events, which has it below event.
func explainFields(r *ruleset.Rule, text json.RawMessage, members map[string]json.RawMessage) ([]*Explained, error) {
	var e expectation
	if inner, ok := members["event"]; ok && bytes.HasPrefix(bytes.TrimSpace(inner), []byte("{")) {
		if err := decodeStrictly(text, &e); err != nil {
			return nil, err
		}
	} else {
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		if err := dec.Decode(&e.Event); err != nil {
			return nil, err
		}
		numbered(e.Event)
	}
	return []*Explained{explained(r, sigma.MapEvent(e.Event, e.Keywords...))}, nil
}

// recordExplainer sees records as a rule does.
type recordExplainer struct {
	rule   *ruleset.Rule
	record *judge.Record
}

func newRecordExplainer(r *ruleset.Rule) *recordExplainer {
	return &recordExplainer{r, judge.New([]*ruleset.Rule{r}, noFields).Acquire()}
}

func (x *recordExplainer) explain(record eventlog.Record) *Explained {
	log := plog.NewLogRecord()
	record.Log.CopyTo(log)
	if !ecs.Event(log) {
		return &Explained{ID: x.rule.ID, Title: x.rule.Title, Event: record.Log.EventName(),
			Unseen: "it is an alert that does not hold the event it is about, as those of correlations and of lines of logs"}
	}
	name := cmp.Or(log.EventName(), "a line of a log")
	x.record.Matches(log, record.Resource.Attributes())
	if !x.record.Seen() {
		return &Explained{ID: x.rule.ID, Title: x.rule.Title, Event: name, Unseen: unseen(x.rule.Rule, name)}
	}
	out := explained(x.rule, x.record.Event(0))
	out.Event = name
	return out
}

func unseen(r *sigma.Rule, name string) string {
	binding := logsource.For(r.LogSource)
	if len(binding.Views) == 0 {
		return binding.Reason
	}
	var views []string
	for _, view := range binding.Views {
		views = append(views, viewName(view))
	}
	return fmt.Sprintf("the rule does not look at %s; it sees %s", name, strings.Join(views, ", "))
}

// explained judges an event by a rule.
func explained(r *ruleset.Rule, ev sigma.Event) *Explained {
	x := r.Explain(ev)
	out := &Explained{ID: r.ID, Title: r.Title, Matched: x.Matched, verdicts: map[string]bool{}}
	for _, c := range x.Conditions {
		out.Conditions = append(out.Conditions, ExplainedCondition{outermost(c.Condition.String()), c.Holds, c.Condition})
	}
	for _, s := range x.Selections {
		out.verdicts[s.Selection.Name] = s.Holds
		selection := ExplainedSelection{Name: s.Selection.Name, Holds: s.Holds}
		for _, a := range s.Alternatives {
			var items []ExplainedItem
			for _, item := range a.Items {
				items = append(items, explainedItem(item))
			}
			selection.Alternatives = append(selection.Alternatives, items)
		}
		out.Selections = append(out.Selections, selection)
	}
	return out
}

func explainedItem(x sigma.ItemExplanation) ExplainedItem {
	asks := strings.Join(append([]string{cmp.Or(x.Item.Field, "keyword")}, x.Item.Modifiers...), "|")
	out := ExplainedItem{Asks: asks, Holds: x.Holds, Met: x.Held, Have: x.Found, None: !x.Present}
	for _, v := range x.Item.Values {
		out.Want = append(out.Want, v.Text)
	}
	return out
}

// mostShown bounds what is shown of an item's values that are not met.
const mostShown = 8

// WriteText writes the verdict, the condition with a mark at each selection, and below each selection what its items ask
// and what the event has.
func (x *Explained) WriteText(w io.Writer, paint Paint) error {
	var b strings.Builder
	verdict := paint.in(red, "does not match")
	if x.Matched {
		verdict = paint.in(green, "matches")
	}
	fmt.Fprintf(&b, "%s %s %s", paint.mark(x.Matched), paint.in(bold, x.Title), verdict)
	if x.Event != "" {
		fmt.Fprintf(&b, " (%s)", x.Event)
	}
	b.WriteString("\n")
	if x.Unseen != "" {
		fmt.Fprintf(&b, "  %s\n", x.Unseen)
	}
	for _, c := range x.Conditions {
		fmt.Fprintf(&b, "  %s condition: %s\n", paint.mark(c.Holds), x.marked(c.condition, paint, true))
	}
	for _, s := range x.Selections {
		fmt.Fprintf(&b, "  %s %s\n", paint.mark(s.Holds), paint.in(bold, s.Name))
		for i, items := range s.Alternatives {
			if i > 0 {
				b.WriteString("      or\n")
			}
			for _, item := range items {
				item.write(&b, paint)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// marked writes a condition with a mark behind each selection.
func (x *Explained) marked(c sigma.Condition, paint Paint, outer bool) string {
	join := func(terms []sigma.Condition, operator string) string {
		texts := make([]string, len(terms))
		for i, t := range terms {
			texts[i] = x.marked(t, paint, false)
		}
		text := strings.Join(texts, operator)
		if outer {
			return text
		}
		return "(" + text + ")"
	}
	switch c := c.(type) {
	case sigma.And:
		return join(c.Terms, " and ")
	case sigma.Or:
		return join(c.Terms, " or ")
	case sigma.Not:
		return "not " + x.marked(c.Term, paint, false)
	case sigma.Quantified:
		held := func(s *sigma.Selection) bool { return x.verdicts[s.Name] }
		holds := slices.ContainsFunc(c.Selections, held)
		if c.All {
			holds = !slices.ContainsFunc(c.Selections, func(s *sigma.Selection) bool { return !held(s) })
		}
		return c.String() + paint.mark(holds)
	}
	return c.String() + paint.mark(x.verdicts[c.String()])
}

func (i ExplainedItem) write(b *strings.Builder, paint Paint) {
	fmt.Fprintf(b, "      %s %s: %s\n", paint.mark(i.Holds), i.Asks, i.wanted(paint))
	switch {
	case i.None:
		fmt.Fprintf(b, "          %s\n", paint.in(dim, "the event has no such field"))
	case len(i.Have) == 0:
		fmt.Fprintf(b, "          %s\n", paint.in(dim, "the event has no value for it"))
	}
	for _, v := range i.Have {
		fmt.Fprintf(b, "          %s %s\n", paint.in(dim, "the event has"), printable(v))
	}
}

// wanted lists what is asked, what is met first, so that it is seen in a long list.
func (i ExplainedItem) wanted(paint Paint) string {
	var met, unmet []string
	for n, text := range i.Want {
		if i.Met[n] {
			met = append(met, paint.in(green, fmt.Sprintf("%q", text)))
		} else {
			unmet = append(unmet, fmt.Sprintf("%q", text))
		}
	}
	if len(unmet) > mostShown {
		unmet = append(unmet[:mostShown], fmt.Sprintf("and %d more", len(unmet)-mostShown))
	}
	if len(met) > 0 && len(unmet) > 0 {
		return strings.Join(met, ", ") + paint.in(dim, " (not "+strings.Join(unmet, ", ")+")")
	}
	return strings.Join(append(met, unmet...), ", ")
}

// printable shows a value so that what someone chose as a name does nothing to a terminal.
func printable(v any) string {
	if text, ok := v.(string); ok {
		return fmt.Sprintf("%q", text)
	}
	return fmt.Sprint(v)
}
