// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"slices"
	"strconv"

	"github.com/vedette-sec/vedette/internal/hostconf"
)

// evaluation judges one tree and gathers what it saw.
type evaluation struct {
	host     *hostconf.Host
	evidence []Evidence
	errors   []string
}

func (e *evaluation) check(c *Check) Verdict {
	switch {
	case c.Leaf != nil:
		return e.leaf(c.Leaf)
	case c.Not != nil:
		return e.negated(c.Not)
	case c.Any != nil:
		return e.any(c.Any)
	}
	verdicts := make([]Verdict, len(c.All))
	for i, part := range c.All {
		verdicts[i] = e.check(part)
	}
	return allOf(verdicts)
}

// any keeps of a check that passes only what passed: the other ways to do it are no faults.
func (e *evaluation) any(checks []*Check) Verdict {
	verdicts := make([]Verdict, len(checks))
	parts := make([]*evaluation, len(checks))
	for i, c := range checks {
		parts[i] = &evaluation{host: e.host}
		verdicts[i] = parts[i].check(c)
	}
	v := anyOf(verdicts)
	for i, part := range parts {
		if v == Pass && verdicts[i] != Pass {
			continue
		}
		e.evidence = append(e.evidence, part.evidence...)
		e.errors = append(e.errors, part.errors...)
	}
	return v
}

// negated turns what the evidence says with the verdict.
func (e *evaluation) negated(c *Check) Verdict {
	first := len(e.evidence)
	v := negated(e.check(c))
	for i := first; i < len(e.evidence); i++ {
		e.evidence[i].OK = v == Pass
		if expected := e.evidence[i]; expected.Expected != "" {
			e.evidence[i] = expected.expecting(Text{"not: " + expected.Expected, "非：" + expected.expectedZH})
		}
	}
	return v
}

func (e *evaluation) leaf(l *Leaf) Verdict {
	t := tables[l.Table]
	rows, err := t.rows(e.host, arguments(l.Args))
	if err != nil {
		if msg := err.Error(); !slices.Contains(e.errors, msg) {
			e.errors = append(e.errors, msg)
		}
		return Failure
	}
	rows, why := l.chosen(t, rows)
	if why != "" {
		e.errors = append(e.errors, why)
		return Failure
	}
	switch {
	case l.Count != nil:
		return e.count(l, rows)
	case len(rows) == 0:
		e.evidence = append(e.evidence, Evidence{Subject: l.describe(), Actual: foundNone, OK: l.IfNone != Fail})
		return l.IfNone
	case len(l.Expect) == 0:
		for _, r := range rows {
			e.add(r, Evidence{Actual: foundOne, OK: true})
		}
		return Pass
	}
	return e.expect(l, t, rows)
}

// describe says what a leaf asked for.
func (l *Leaf) describe() string {
	text := l.Table
	for _, name := range sortedKeys(l.Args) {
		text += " " + datum{list: l.Args[name].Items}.String()
	}
	for i, c := range l.Where {
		text += map[bool]string{true: " where ", false: " and "}[i == 0] + c.Field + " " + c.Condition.describe().EN
	}
	return text
}

// chosen are the rows for which Where holds; why says why that is not known of one of them, "" where it is of all.
func (l *Leaf) chosen(t *table, rows []row) (kept []row, why string) {
	for _, r := range rows {
		v, reason := r.judged(t, l.Where)
		if doubt := r.unknown[itself]; v == Pass && doubt != "" {
			v, reason = Failure, r.subject+": "+doubt
		}
		switch v {
		case Pass:
			kept = append(kept, r)
		case Failure:
			return nil, reason
		}
	}
	return kept, ""
}

func (e *evaluation) count(l *Leaf, rows []row) Verdict {
	n := strconv.Itoa(len(rows))
	ok := l.Count.holds(kindNumber, datum{text: n}, true)
	e.evidence = append(e.evidence, Evidence{Subject: l.describe(), Field: "count", Actual: n, OK: ok}.expecting(l.Count.describe()))
	for _, r := range rows {
		e.add(r, Evidence{Actual: foundOne, OK: ok})
	}
	return passIf(ok)
}

func passIf(ok bool) Verdict {
	if ok {
		return Pass
	}
	return Fail
}

// expect judges every row, all of which or with Some one of which must be good. What is not known is an error where it decides.
func (e *evaluation) expect(l *Leaf, t *table, rows []row) Verdict {
	verdicts, reasons := make([]Verdict, len(rows)), []string{}
	for i, r := range rows {
		v, why := r.judged(t, l.Expect)
		if verdicts[i] = v; v == Failure {
			reasons = append(reasons, why)
		}
	}
	v := allOf(verdicts)
	if l.Some {
		v = anyOf(verdicts)
	}
	if v == Failure {
		e.errors = append(e.errors, reasons[0])
		return Failure
	}
	first := len(e.evidence)
	for _, r := range rows {
		e.judgedFields(l, t, r)
	}
	// One good row makes the others no fault.
	for i := first; l.Some && v == Pass && i < len(e.evidence); i++ {
		e.evidence[i].OK = true
	}
	return v
}

// judgedFields adds what is known of the fields that a row is judged by.
func (e *evaluation) judgedFields(l *Leaf, t *table, r row) {
	for _, c := range l.Expect {
		if r.undecided(c) != "" {
			continue
		}
		have, present := r.values[c.Field]
		actual := have.String()
		switch {
		case present:
		case r.values["exists"].text == "false":
			actual = foundAbsent
		default:
			actual = foundNotSet
		}
		ok := c.holds(t.fields[c.Field], have, present)
		e.add(r, Evidence{Field: c.Field, Actual: actual, OK: ok}.expecting(c.Condition.describe()))
	}
}

func (e *evaluation) add(r row, evidence Evidence) {
	evidence.Subject, evidence.File, evidence.Line = r.subject, r.at.File, r.at.Line
	e.evidence = append(e.evidence, evidence)
}
