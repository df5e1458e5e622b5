// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func resolvedOf(t *testing.T, src string) (*Collection, []string) {
	t.Helper()
	c, errs := Parse("set.yml", []byte(src))
	require.Empty(t, errs)
	require.Empty(t, c.Unique())
	resolved, errs := c.Resolve()
	var messages []string
	for _, err := range errs {
		assert.NotContains(t, err.Error(), "\n")
		messages = append(messages, err.Error())
	}
	return resolved, messages
}

const twoRules = `title: Failed login
id: r1
name: failed
logsource: {product: linux, category: auth}
detection: {sel: {Result: failed}, other: {Result: refused}, condition: [sel, other]}
---
title: Login
id: r2
name: login
logsource: {product: linux, service: sshd}
detection: {sel: {Result: ok}, condition: all of sel*}
---
`

func TestResolve(t *testing.T) {
	resolved, errs := resolvedOf(t, `title: Outer
name: outer
correlation:
  type: temporal_ordered
  rules: [inner, login]
  group-by: [who]
  timespan: 10m
  aliases: {who: {r2: Account, inner: User}}
---
title: Inner
id: c1
name: inner
correlation: {type: event_count, rules: [r1], group-by: [User], timespan: 10m, condition: {gte: 10}}
---
`+twoRules)
	require.Empty(t, errs)
	require.Len(t, resolved.Correlations, 2)
	inner, outer := resolved.Correlations[0], resolved.Correlations[1]
	assert.Equal(t, []string{"Inner", "Outer"}, []string{inner.Title, outer.Title}, "what is referred to comes first")
	assert.Same(t, resolved.Rules[0], inner.Rules[0].Rule)
	assert.Same(t, inner, outer.Rules[0].Correlation)
	assert.Same(t, resolved.Rules[1], outer.Rules[1].Rule)
	assert.Equal(t, []string{"User", "Account", "Other"}, []string{outer.Rules[0].Field("who"), outer.Rules[1].Field("who"), outer.Rules[1].Field("Other")})
	rules, correlations := resolved.Silent()
	assert.Equal(t, map[*Rule]bool{resolved.Rules[0]: true, resolved.Rules[1]: true}, rules)
	assert.Equal(t, map[*Correlation]bool{inner: true}, correlations)
}

func TestResolveRefuses(t *testing.T) {
	tests := []struct {
		name, src string
		errs      []string
		left      []string
	}{
		{"unknown rule", correlationText("type: event_count\nrules: [failed, nothing]\ntimespan: 1m\ncondition: {gte: 5}"), []string{
			`set.yml:4:19: correlation.rules: found "nothing", expected the id or name of a rule or correlation`}, nil},
		{"what depends on what is refused", "name: a\n" + correlationText("type: event_count\nrules: x\ntimespan: 1m\ncondition: {gte: 5}") +
			"---\n" + correlationText("type: event_count\nrules: a\ntimespan: 1m\ncondition: {gte: 5}") +
			"---\nname: good\n" + correlationText("type: event_count\nrules: login\ntimespan: 1m\ncondition: {gte: 5}"), []string{
			`set.yml:5:10: correlation.rules: found "x", expected the id or name of a rule or correlation`,
			`set.yml:12:10: correlation.rules: found "a", which is refused itself, expected a correlation without faults`}, []string{"good"}},
		{"circle", "name: a\n" + correlationText("type: event_count\nrules: b\ntimespan: 1m\ncondition: {gte: 5}") +
			"---\nid: b\n" + correlationText("type: event_count\nrules: a\ntimespan: 1m\ncondition: {gte: 5}"), []string{
			`set.yml:13:10: correlation.rules: found a circle: "a" → "b" → "a", expected correlations that do not depend on themselves`,
			`set.yml:5:10: correlation.rules: found "b", which is refused itself, expected a correlation without faults`}, nil},
		{"itself", "name: a\n" + correlationText("type: event_count\nrules: a\ntimespan: 1m\ncondition: {gte: 5}"), []string{
			`set.yml:5:10: correlation.rules: found a circle: "a" → "a", expected correlations that do not depend on themselves`}, nil},
		{"ambiguous name", correlationText("type: event_count\nrules: twin\ntimespan: 1m\ncondition: {gte: 5}") + "---\nname: twin\n" + good + "---\nname: twin\n" + good, []string{
			`set.yml:4:10: correlation.rules: found "twin", which is the name of 2 documents (set.yml:8, set.yml:13), expected the id of one of them`}, nil},
		{"alias for a rule that is not listed", correlationText("type: event_count\nrules: failed\naliases: {who: {login: A, nobody: B, r1: C}}\ngroup-by: who\ntimespan: 1m\ncondition: {gte: 5}"), []string{
			`set.yml:5:19: correlation.aliases.who: found "login", expected a rule that the correlation lists`,
			`set.yml:5:29: correlation.aliases.who: found "nobody", expected a rule that the correlation lists`}, nil},
		{"rule twice under two names", correlationText("type: temporal\nrules: [failed, r1]\ntimespan: 1m"), []string{
			`set.yml:4:19: correlation.rules: found "r1", which is the same as "failed", expected it once`}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resolved, errs := resolvedOf(t, tt.src+"---\n"+twoRules)
			assert.Equal(t, tt.errs, errs)
			var left []string
			for _, c := range resolved.Correlations {
				left = append(left, c.Name)
			}
			assert.Equal(t, tt.left, left)
		})
	}
}

func TestUniqueAmongAllKinds(t *testing.T) {
	c, errs := Parse("x.yml", []byte("id: same\n"+good+"---\nid: same\n"+correlationText("type: event_count\nrules: a\ntimespan: 1m\ncondition: {gte: 5}")+
		"---\nid: same\ntitle: A filter\nlogsource: {product: linux}\nfilter: {rules: any, a: {F: x}, condition: not a}\n"))
	require.Empty(t, errs)
	errs = c.Unique()
	require.Len(t, errs, 2)
	assert.EqualError(t, errs[0], "x.yml:6: id same is already used by the document at x.yml:1; expected an id of its own")
	assert.EqualError(t, errs[1], "x.yml:14: id same is already used by the document at x.yml:1; expected an id of its own")
	assert.Len(t, c.Rules, 1)
	assert.Empty(t, c.Correlations)
	assert.Empty(t, c.Filters)
}

func filterText(rules, logsource, body string) string {
	return "title: Backup jobs!\nlogsource: " + logsource + "\nfilter:\n  rules: " + rules + "\n" + indent(body) + "\n---\n"
}

func TestFilters(t *testing.T) {
	not := "selection: {User: backup}\ncondition: not selection"
	tests := []struct {
		name, filters string
		event         fields
		first, second bool
	}{
		{"no filter", "", fields{"Result": "failed", "User": "backup"}, true, false},
		{"named by id", filterText("[r1]", "{product: linux}", not), fields{"Result": "failed", "User": "backup"}, false, false},
		{"named by name", filterText("failed", "{product: linux}", not), fields{"Result": "failed", "User": "backup"}, false, false},
		{"passes what it is not about", filterText("[r1]", "{product: linux}", not), fields{"Result": "failed", "User": "root"}, true, false},
		{"every condition of the rule", filterText("[r1]", "{product: linux}", not), fields{"Result": "refused", "User": "backup"}, false, false},
		{"another rule", filterText("[r1]", "{product: linux}", not), fields{"Result": "ok", "User": "backup"}, false, true},
		{"any of the log source", filterText("any", "{product: linux}", not), fields{"Result": "ok", "User": "backup"}, false, false},
		{"any of a narrow log source", filterText("any", "{category: auth}", not), fields{"Result": "ok", "User": "backup"}, false, true},
		{"what must hold", filterText("any", "{product: linux}", "selection: {User: backup}\ncondition: selection"), fields{"Result": "ok", "User": "root"}, false, false},
		{"patterns mean the filter's selections", filterText("any", "{product: linux}", "a: {User: backup}\nb: {User: root}\ncondition: not 1 of them"), fields{"Result": "ok", "User": "adm"}, false, true},
		{"two filters", filterText("any", "{product: linux}", not) + filterText("any", "{product: linux}", "selection: {Host: a}\ncondition: not selection"), fields{"Result": "ok", "User": "root", "Host": "a"}, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resolved, errs := resolvedOf(t, tt.filters+twoRules)
			require.Empty(t, errs)
			for i, want := range []bool{tt.first, tt.second} {
				_, matched := resolved.Rules[i].Evaluate(MapEvent(tt.event))
				assert.Equal(t, want, matched, resolved.Rules[i].Title)
			}
		})
	}
}

func TestFilterIsExplained(t *testing.T) {
	resolved, errs := resolvedOf(t, filterText("any", "{product: linux}", "a: {User: root}\ncondition: 1 of them and not (a and not 1 of a*)")+
		filterText("any", "{product: linux}", "a: {User: r*}\ncondition: a")+twoRules)
	require.Empty(t, errs)
	require.Len(t, resolved.Filters, 2)
	r := resolved.Rules[1]
	assert.Equal(t, "((all of sel* and (1 of backup_jobs.* and not (backup_jobs.a and not 1 of backup_jobs.a*))) and backup_jobs_.a)", r.Conditions[0].String())
	m, matched := r.Evaluate(MapEvent(fields{"Result": "ok", "User": "root"}))
	require.True(t, matched)
	assert.Equal(t, []SelectionMatch{
		{"sel", []FieldMatch{{"Result", "ok"}}}, {"backup_jobs.a", []FieldMatch{{"User", "root"}}}, {"backup_jobs_.a", []FieldMatch{{"User", "root"}}},
	}, m.Selections)
	assert.Contains(t, r.FieldNames(), "User")
	assert.Empty(t, r.Unused())
}

func TestFiltersRefused(t *testing.T) {
	not := "selection: {User: backup}\ncondition: not selection"
	tests := []struct {
		name, filter string
		errs         []string
		narrows      bool
	}{
		{"unknown rule", filterText("[gone]", "{product: linux}", not), []string{
			`set.yml:4:11: filter.rules: found "gone", expected the id or name of a rule or correlation`}, false},
		{"unknown rule among others", filterText("[gone, r1]", "{product: linux}", not), []string{
			`set.yml:4:11: filter.rules: found "gone", expected the id or name of a rule or correlation`}, true},
		{"other log source", filterText("[r1]", "{product: linux, service: sshd}", not), []string{
			`set.yml:4:11: filter.rules: found "r1", whose log source (product linux, category auth) is not in that of the filter (product linux, service sshd), expected a rule for it`}, false},
		{"nothing of the log source", filterText("any", "{product: windows}", not), []string{
			`set.yml:1: filter.rules: found no rule for the filter's log source, expected at least one`}, false},
		{"correlation", "name: c\n" + correlationText("type: event_count\nrules: r1\ntimespan: 1m\ncondition: {gte: 5}") + "---\n" + filterText("[c]", "{product: linux}", not), []string{
			`set.yml:12:11: filter.rules: found "c", which is a correlation, expected the rules it correlates`}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resolved, errs := resolvedOf(t, tt.filter+twoRules)
			assert.Equal(t, tt.errs, errs)
			assert.Equal(t, tt.narrows, len(resolved.Filters) == 1)
			assert.Len(t, resolved.Rules, 2, "a bad filter takes no rule away")
			_, matched := resolved.Rules[0].Evaluate(MapEvent(fields{"Result": "failed", "User": "backup"}))
			assert.Equal(t, tt.narrows, !matched)
		})
	}
}
