// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

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

// message is an output template, taken apart once: literal text and fields take turns, text first.
type message struct {
	texts  []string // one more than fields
	fields []string
}

func messageOf(r *sigma.Rule) message {
	switch {
	case r.Output != "":
		return newMessage(r.Output)
	case r.LogSource.Category == "":
		return message{texts: []string{r.Title}}
	default:
		m := newMessage(defaultTemplate)
		m.texts[0] = r.Title + m.texts[0]
		return m
	}
}

// messageOfCorrelation shows the group where there is no template.
func messageOfCorrelation(c *sigma.Correlation) message {
	if c.Output != "" {
		return newMessage(c.Output)
	}
	parts := make([]string, len(c.GroupBy))
	for i, field := range c.GroupBy {
		parts[i] = field + " {" + field + "}"
	}
	if len(parts) == 0 {
		return message{texts: []string{c.Title}}
	}
	m := newMessage(": " + strings.Join(parts, ", "))
	m.texts[0] = c.Title + m.texts[0]
	return m
}

// newMessage takes a template apart. {Field} names a field; a brace without its partner is text.
func newMessage(template string) message {
	var m message
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

// render fills in the values of an event. The result is one line without control characters,
// because values come from whoever runs programs on the host.
func (m message) render(ev correlation.Event) string {
	var b strings.Builder
	for i, field := range m.fields {
		b.WriteString(m.texts[i])
		value, ok := first(ev, field)
		if !ok || value == "" {
			value = "-"
		}
		writePlain(&b, value)
	}
	b.WriteString(m.texts[len(m.fields)])
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

// first returns the first value of a field as text.
func first(ev correlation.Event, field string) (string, bool) {
	values, ok := ev.Lookup(field)
	if !ok || len(values) == 0 {
		return "", false
	}
	return text(values[0]), true
}

// text returns the text of a field's value.
func text(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		return fmt.Sprint(v)
	}
}
