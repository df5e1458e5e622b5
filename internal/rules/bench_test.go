// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ruleset"
)

func TestBench(t *testing.T) {
	report, err := Bench(func() (*ruleset.Set, error) { return load(t, good, bad), nil }, Scope{bad}, time.Millisecond, 2)
	require.NoError(t, err)
	assert.Equal(t, 6, report.Rules)
	assert.Equal(t, 1, report.EveryEvent)
	assert.NotZero(t, report.Matches)
	assert.GreaterOrEqual(t, report.Judged, report.Events)
	assert.Positive(t, report.PerSecond)
	require.Len(t, report.MostCostly, 2)
	for _, cost := range report.MostCostly {
		assert.Equal(t, bad+"/bad.yml", cost.File, "rules outside of the scope are not measured")
	}
	var out bytes.Buffer
	require.NoError(t, report.WriteText(&out, false))
	assert.Regexp(t, `^rules +6, of which 1 are asked of every event of their log source\n`, out.String())
	assert.Contains(t, out.String(), "events per CPU second")

	broken := errors.New("no rules")
	_, err = Bench(func() (*ruleset.Set, error) { return nil, broken }, nil, 0, 1)
	assert.ErrorIs(t, err, broken)
}

func TestOrdinaryEventsMatchNoBuiltinRule(t *testing.T) {
	set := loadWith(t, ruleset.Config{Builtin: true})
	tester := newTester(set)
	defer tester.record.Release()
	usual := ordinaryEvents()
	require.NotEmpty(t, usual)
	for _, log := range usual {
		for i, r := range set.Rules {
			assert.False(t, matches(tester.record, log, i), "%s: %v", r.Title, log.Attributes().AsRaw())
		}
	}
}
