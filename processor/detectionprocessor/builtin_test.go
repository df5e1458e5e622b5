// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"

	"github.com/vedette-sec/vedette/config"
	"github.com/vedette-sec/vedette/internal/attack"
	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/logsource"
	"github.com/vedette-sec/vedette/internal/ruleset"
	"github.com/vedette-sec/vedette/pkg/sigma"
)

var (
	uuidV4       = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	techniqueTag = regexp.MustCompile(`^attack\.(t\d{4}(\.\d{3})?)$`)
)

func builtin(t *testing.T) []*sigma.Rule {
	c, errs := sigma.ParseFS(config.Files, config.RulesRoot)
	require.Empty(t, errs)
	require.NotEmpty(t, c.Rules)
	return c.Rules
}

func TestBuiltinRulesAreComplete(t *testing.T) {
	seen := map[string]string{}
	for _, r := range builtin(t) {
		t.Run(r.Title, func(t *testing.T) {
			assert.Regexp(t, uuidV4, r.ID)
			assert.Empty(t, seen[r.ID], "the id is taken")
			seen[r.ID] = r.Title
			for name, value := range map[string]string{"status": r.Status, "description": r.Description, "author": r.Author,
				"date": r.Date, "output": r.Output, "level": string(r.Level)} {
				assert.NotEmpty(t, value, name)
			}
			assert.Equal(t, "Apache-2.0", r.License)
			assert.NotEmpty(t, r.References)
			assert.NotEmpty(t, r.FalsePositives)
			assert.Empty(t, r.Unused(), "selections that the condition does not mention")
			assert.True(t, logsource.For(r.LogSource).OwnEvents(), "no event has this log source")
			wrapped := &ruleset.Rule{Rule: r, Source: ruleset.Builtin}
			for _, field := range slices.Concat(r.FieldNames(), fieldsOfAlert(wrapped)) {
				assert.NotEmpty(t, event.SigmaAttributes(r.LogSource.Category, field), "the vocabulary has no field %s", field)
			}
		})
	}
}

func TestBuiltinRulesNameTechniques(t *testing.T) {
	for _, r := range builtin(t) {
		t.Run(r.Title, func(t *testing.T) {
			techniques := 0
			for _, tag := range r.Tags {
				m := techniqueTag.FindStringSubmatch(tag)
				if m == nil {
					continue
				}
				techniques++
				technique, ok := attack.Lookup(m[1])
				if assert.True(t, ok, tag) {
					assert.Equal(t, strings.ToUpper(m[1]), technique.ID, "the tag names a revoked technique")
				}
			}
			assert.NotZero(t, techniques)
			for _, tactic := range attack.FromTags(r.Tags).Tactics {
				possible := attack.FromTags(techniqueTags(r.Tags)).Tactics
				assert.Contains(t, possible, tactic, "no technique of the rule serves this tactic")
			}
		})
	}
}

func techniqueTags(tags []string) []string {
	var out []string
	for _, tag := range tags {
		if techniqueTag.MatchString(tag) {
			out = append(out, tag)
		}
	}
	return out
}

func TestBuiltinRulesPassTheirOwnTests(t *testing.T) {
	for _, r := range builtin(t) {
		verdicts := map[bool]int{}
		for _, test := range r.Tests {
			verdicts[test.Match]++
			t.Run(r.Title+"/"+test.Name, func(t *testing.T) {
				where := fmt.Sprintf("%s:%d", r.File, test.Line)
				_, match := r.Evaluate(sigma.MapEvent(test.Event, test.Keywords...))
				assert.Equal(t, test.Match, match, "judged by itself, %s", where)
				assert.Equal(t, test.Match, alerts(t, r, test), "judged in the processor, %s", where)
			})
		}
		assert.NotZero(t, verdicts[true], "%s has no event that it must match", r.Title)
		assert.NotZero(t, verdicts[false], "%s has no event that it must not match", r.Title)
	}
}

// alerts says whether the processor with all built-in rules makes an alert of this rule when the event
// comes as each kind of log record that serves the category.
func alerts(t *testing.T, r *sigma.Rule, test sigma.TestEvent) bool {
	found := map[bool]bool{}
	for _, kind := range event.KindsFor(test.Category) {
		sink := new(consumertest.LogsSink)
		p := start(t, builtinRules(OutputAnnotate), sink)
		require.NoError(t, p.ConsumeLogs(context.Background(), batch(t, testEvent{name: kind, attrs: attributes(t, test)})))
		ids, _ := attr(given(sink)[0], event.AttrVedetteMatchedRules).([]any)
		found[slices.Contains(ids, any(r.ID))] = true
	}
	require.Len(t, found, 1, "the kinds of events disagree")
	return found[true]
}

// attributes turns the Sigma fields of a test into the attributes of a log record.
func attributes(t *testing.T, test sigma.TestEvent) map[string]any {
	attrs := map[string]any{}
	for field, value := range test.Event {
		names := event.SigmaAttributes(test.Category, field)
		require.NotEmpty(t, names, field)
		values, several := value.([]any)
		if !several {
			values = []any{value}
		}
		require.LessOrEqual(t, len(values), len(names), field)
		for i, v := range values {
			attrs[names[i]] = v
		}
	}
	return attrs
}
