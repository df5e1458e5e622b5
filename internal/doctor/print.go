// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// marks and colours of the judgements, for people.
var (
	marks   = map[Status]string{OK: "✓", Limited: "!", Failed: "✗", Info: "·"}
	colours = map[Status]string{OK: "\x1b[32m", Limited: "\x1b[33m", Failed: "\x1b[31m", Info: "\x1b[2m"}
)

const (
	bold  = "\x1b[1m"
	reset = "\x1b[0m"
)

// nameWidth is the room for the names of checks, the longest event kind included.
const nameWidth = 22

// textWidth is the room for reasons and remedies beside the names, on a terminal of 100 columns.
const textWidth = 72

// WriteJSON writes the report as indented JSON.
func (r Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(r); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// WriteText writes the report as a table for people, with colours where the writer takes them.
func (r Report) WriteText(w io.Writer, colour bool) error {
	p := printer{colour: colour, told: map[string]bool{}}
	section := ""
	for _, check := range r.Checks {
		if check.Section != section {
			section = check.Section
			p.heading(section)
		}
		p.check(check)
	}
	p.rejections(r.Events)
	p.verdict(r)
	if _, err := io.WriteString(w, p.text.String()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

type printer struct {
	text   strings.Builder
	colour bool
	told   map[string]bool // remedies that are printed already
}

func (p *printer) paint(code, s string) string {
	if !p.colour {
		return s
	}
	return code + s + reset
}

func (p *printer) heading(title string) {
	if p.text.Len() > 0 {
		p.text.WriteByte('\n')
	}
	fmt.Fprintln(&p.text, p.paint(bold, title))
}

func (p *printer) check(c Check) {
	mark := p.paint(colours[c.Status], marks[c.Status])
	line := fmt.Sprintf("  %s %-*s %s", mark, nameWidth, c.Name, c.Found)
	fmt.Fprintln(&p.text, strings.TrimRight(line, " "))
	p.detail("", c.Reason)
	if !p.told[c.Remedy] {
		p.detail("→ ", c.Remedy)
	}
	p.told[c.Remedy] = true
}

func (p *printer) detail(lead, text string) {
	if text != "" {
		p.lines(strings.Repeat(" ", nameWidth+5)+lead, text)
	}
}

// lines writes the text beside the lead, wrapped.
func (p *printer) lines(lead, text string) {
	for _, line := range wrap(text, textWidth) {
		fmt.Fprintln(&p.text, lead+line)
		lead = strings.Repeat(" ", utf8.RuneCountInString(lead))
	}
}

// wrap breaks the text between words into lines of at most width characters; longer words stay
// whole.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, line)
			line = word
			continue
		}
		line = join(line, word)
	}
	return append(lines, line)
}

// rejections tells, once for each tier and reason, which kinds a better tier does not serve.
func (p *printer) rejections(events []KindTier) {
	var order []Rejection
	kinds := map[Rejection][]string{}
	for _, event := range events {
		for _, rejection := range event.Rejected {
			if !slices.Contains(order, rejection) {
				order = append(order, rejection)
			}
			kinds[rejection] = append(kinds[rejection], event.Kind)
		}
	}
	if len(order) == 0 {
		return
	}
	p.heading("Why not a better tier")
	for _, rejection := range order {
		p.lines("    "+fmt.Sprintf("%-*s ", nameWidth, rejection.Tier), rejection.Reason)
		p.detail("for ", strings.Join(kinds[rejection], ", "))
	}
}

func (p *printer) verdict(r Report) {
	p.text.WriteByte('\n')
	if r.OK {
		fmt.Fprintf(&p.text, "%s Vedette %s can do its main job here.\n", p.paint(colours[OK], marks[OK]), r.Version)
		return
	}
	var failed []string
	for _, check := range r.Checks {
		if check.Status == Failed {
			failed = append(failed, check.Name)
		}
	}
	fmt.Fprintf(&p.text, "%s Vedette %s cannot do its main job here: %s.\n",
		p.paint(colours[Failed], marks[Failed]), r.Version, strings.Join(failed, ", "))
}
