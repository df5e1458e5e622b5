// SPDX-License-Identifier: Apache-2.0

// Package alertmessage renders the output templates of rules: the one line in which an alert tells people what
// happened. The processor and the command line share it.
package alertmessage

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/vedette-sec/vedette/pkg/sigma"
	"github.com/vedette-sec/vedette/pkg/sigma/correlation"
)

const (
	// defaultTemplate follows the title of a rule about events that has no template of its own.
	defaultTemplate = ": {Image} ({ProcessId}) run by {User}, child of {ParentImage}"
	// longestValue is how many characters of a field's value a message shows.
	longestValue = 256
)

// Message is an output template, taken apart once: literal text and fields take turns, text first.
type Message struct {
	texts  []string // one more than fields
	fields []string
}

// OfRule returns the rule's template, or one made of its title.
func OfRule(r *sigma.Rule) Message {
	switch {
	case r.Output != "":
		return New(r.Output)
	case r.LogSource.Category == "":
		return Message{texts: []string{r.Title}}
	default:
		m := New(defaultTemplate)
		m.texts[0] = r.Title + m.texts[0]
		return m
	}
}

// OfCorrelation returns the correlation's template; without one, the group is shown.
func OfCorrelation(c *sigma.Correlation) Message {
	if c.Output != "" {
		return New(c.Output)
	}
	parts := make([]string, len(c.GroupBy))
	for i, field := range c.GroupBy {
		parts[i] = field + " {" + field + "}"
	}
	if len(parts) == 0 {
		return Message{texts: []string{c.Title}}
	}
	m := New(": " + strings.Join(parts, ", "))
	m.texts[0] = c.Title + m.texts[0]
	return m
}

// New takes a template apart. {Field} names a field; a brace without its partner is text.
func New(template string) Message {
	var m Message
	var literal strings.Builder
	for rest := template; ; {
		before, after, open := strings.Cut(rest, "{")
		literal.WriteString(before)
		if !open {
			break
		}
		name, behind, closed := strings.Cut(after, "}")
		if !closed || name == "" || strings.ContainsAny(name, "{ ") {
			literal.WriteByte('{')
			rest = after
			continue
		}
		m.texts = append(m.texts, literal.String())
		m.fields = append(m.fields, name)
		literal.Reset()
		rest = behind
	}
	m.texts = append(m.texts, literal.String())
	return m
}

// Fields returns the names of the fields that the message shows.
func (m Message) Fields() []string { return m.fields }

// Render fills in the values of an event. The result is one line without control characters,
// because values come from whoever runs programs on the host.
func (m Message) Render(ev correlation.Event) string {
	var b strings.Builder
	for i, field := range m.fields {
		b.WriteString(m.texts[i])
		value, ok := First(ev, field)
		if !ok || value == "" {
			value = "-"
		}
		writePlain(&b, value)
	}
	b.WriteString(m.texts[len(m.fields)])
	return b.String()
}

// Plain returns a value as messages show it: on one line, without control characters, and not too long.
func Plain(value string) string {
	var b strings.Builder
	writePlain(&b, value)
	return b.String()
}

func writePlain(b *strings.Builder, value string) {
	n := 0
	for _, c := range value {
		if n == longestValue {
			b.WriteString("…")
			return
		}
		n++
		if unicode.IsPrint(c) {
			b.WriteRune(c)
			continue
		}
		quoted := strconv.QuoteRune(c)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
}

// First returns the first value of a field as text.
func First(ev correlation.Event, field string) (string, bool) {
	values, ok := ev.Lookup(field)
	if !ok || len(values) == 0 {
		return "", false
	}
	return Text(values[0]), true
}

// Text returns the text of a field's value.
func Text(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		return fmt.Sprint(v)
	}
}
