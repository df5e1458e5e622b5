// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"

	"github.com/vedette-sec/vedette/internal/dedup"
	"github.com/vedette-sec/vedette/internal/event"
)

func TestRateLimiter(t *testing.T) {
	l := newRateLimiter(RateLimitConfig{Alerts: 2, Interval: time.Minute})
	judge := func(after time.Duration, rule string) string {
		passes, folded := l.judge(rule, testTime.Add(after))
		return fmt.Sprint(passes, folded)
	}
	assert.Equal(t, "true 0", judge(0, "a"))
	assert.Equal(t, "true 0", judge(time.Second, "a"))
	assert.Equal(t, "false 0", judge(2*time.Second, "a"))
	assert.Equal(t, "false 0", judge(59*time.Second, "a"))
	assert.Equal(t, "true 0", judge(59*time.Second, "b"), "each rule for itself")
	assert.Equal(t, "true 2", judge(time.Minute, "a"))
	assert.Equal(t, "true 0", judge(61*time.Second, "a"))
	assert.Equal(t, "false 0", judge(62*time.Second, "a"))

	l.takeBack("a", verdict{limited: true})
	l.takeBack("a", verdict{Verdict: dedup.Verdict{Passes: true}, foldedByRate: 5})
	assert.Equal(t, "true 5", judge(63*time.Second, "a"), "what was not delivered counts as not given")
	l.takeBack("unknown", verdict{Verdict: dedup.Verdict{Passes: true}})

	none := newRateLimiter(RateLimitConfig{})
	for range 1000 {
		passes, _ := none.judge("a", testTime)
		assert.True(t, passes)
	}
}

func TestRateLimitFoldsAndCounts(t *testing.T) {
	cfg := testRules(OutputAlerts)
	cfg.RateLimit = RateLimitConfig{Alerts: 3, Interval: time.Minute}
	sink := new(consumertest.LogsSink)
	p := start(t, cfg, sink)
	for i := range 10 {
		e := exec("/opt/tool", map[string]any{event.AttrProcessPID: i})
		e.after = time.Duration(i) * time.Second
		require.NoError(t, p.ConsumeLogs(context.Background(), batch(t, e)))
	}
	later := exec("/opt/tool", nil)
	later.after = 2 * time.Minute
	require.NoError(t, p.ConsumeLogs(context.Background(), batch(t, later)))
	var got []any
	for _, log := range given(sink) {
		got = append(got, attr(log, event.AttrVedetteSuppressedCount))
	}
	assert.Equal(t, []any{nil, nil, nil, int64(7)}, got)
}

// An alert that the rate limit held back must not silence its repetitions: nobody has seen it.
func TestRateLimitDoesNotSilenceThroughDedup(t *testing.T) {
	cfg := testRules(OutputAlerts)
	cfg.RateLimit = RateLimitConfig{Alerts: 1, Interval: 10 * time.Second}
	sink := new(consumertest.LogsSink)
	p := start(t, cfg, sink)
	for _, step := range []struct {
		after time.Duration
		user  string
	}{{0, "ann"}, {time.Second, "bob"}, {11 * time.Second, "bob"}} {
		e := exec("/opt/repeated", map[string]any{event.AttrProcessUserName: step.user})
		e.after = step.after
		require.NoError(t, p.ConsumeLogs(context.Background(), batch(t, e)))
	}
	var got []string
	for _, log := range given(sink) {
		got = append(got, fmt.Sprint(attr(log, event.AttrProcessUserName), " ", attr(log, event.AttrVedetteSuppressedCount)))
	}
	assert.Equal(t, []string{"ann <nil>", "bob 1"}, got)
}

func TestRiskFades(t *testing.T) {
	cfg := testRules(OutputAlerts)
	cfg.Risk.HalfLife = time.Hour
	sink := new(consumertest.LogsSink)
	p := start(t, cfg, sink)
	for _, step := range []struct {
		after time.Duration
		user  string
	}{{0, "ann"}, {0, "bob"}, {time.Hour, "ann"}} {
		e := exec("/opt/tool", map[string]any{event.AttrProcessUserName: step.user})
		e.after = step.after
		require.NoError(t, p.ConsumeLogs(context.Background(), batch(t, e)))
	}
	var got [][3]any
	for _, log := range given(sink) {
		got = append(got, [3]any{attr(log, event.AttrEventRiskScore), attr(log, event.AttrHostRiskCalculatedScore), attr(log, event.AttrUserRiskCalculatedScore)})
	}
	// The rule has the level low, which stands for 21.
	assert.Equal(t, [][3]any{{int64(21), int64(21), int64(21)}, {int64(21), int64(42), int64(21)}, {int64(21), int64(42), int64(32)}}, got)
}

func TestRiskIsTakenBack(t *testing.T) {
	s := newRiskScores(RiskConfig{HalfLife: time.Hour})
	sink := new(consumertest.LogsSink)
	p := start(t, testRules(OutputAlerts), sink)
	findings := p.judge(batch(t, exec("/opt/tool", nil)))
	require.Len(t, findings, 1)
	first := s.add(findings[0], testTime)
	s.takeBack(first)
	assert.Equal(t, first, s.add(findings[0], testTime))
	s.takeBack(scores{entities: [2]entity{{host: "unknown"}}, count: 1, added: 1})
}
