// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// corpus reads the public Linux rules of the Sigma project, which are not part of this repository.
func corpus(t *testing.T) ([]*Rule, []*Error) {
	dir := os.Getenv("VEDETTE_SIGMA_DIR")
	if dir == "" {
		dir = "../../../shared/sigma-linux"
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no Sigma rules to try: set VEDETTE_SIGMA_DIR to a directory with them (%v)", err)
	}
	rules, errs := rulesOf(ParseDir(dir))
	require.NotEmpty(t, rules, "no rule in %s", dir)
	return rules, errs
}

// What Sigma 2 took out of the language is refused, and nothing else.
func TestCorpusParses(t *testing.T) {
	_, errs := corpus(t)
	for _, err := range errs {
		assert.Regexp(t, `^condition: found an aggregation|rules are not supported$`, err.Msg, err.Error())
	}
}

func TestCorpusMatches(t *testing.T) {
	rules, _ := corpus(t)
	arrays := 0
	for _, r := range rules {
		event, single, ok := synthesise(r)
		if !assert.True(t, ok, "%s:%d: no event made of the rule's selections matches", r.File, r.Line) {
			continue
		}
		m, _ := r.Evaluate(event)
		assert.NotEmpty(t, m.Selections, r.File)
		if !single {
			arrays++
		}
		_, matched := r.Evaluate(MapEvent(nil))
		assert.False(t, matched, "%s:%d: matches an event without fields", r.File, r.Line)
	}
	t.Logf("%d rules; for %d the event needed array-valued fields", len(rules), arrays)
}

// The project's own rules carry their tests.
func TestOwnRules(t *testing.T) {
	rules, errs := rulesOf(ParseDir("../../config/rules"))
	require.Empty(t, errs)
	for _, r := range rules {
		assert.NotEmpty(t, r.Tests, "%s: the rule has no tests", r.File)
		for _, test := range r.Tests {
			_, matched := r.Evaluate(MapEvent(test.Event, test.Keywords...))
			assert.Equal(t, test.Match, matched, "%s:%d: %s", r.File, test.Line, test.Name)
		}
	}
}
