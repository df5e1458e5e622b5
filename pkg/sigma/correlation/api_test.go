// SPDX-License-Identifier: Apache-2.0

package correlation

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

func at(seconds float64) time.Time {
	return testBegin.Add(time.Duration(seconds * float64(time.Second)))
}

func event(pairs ...any) Event {
	fields := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		fields[pairs[i].(string)] = pairs[i+1]
	}
	return sigma.MapEvent(fields)
}

func TestFiringSaysWhy(t *testing.T) {
	c := resolved(t, "output: 'Seen {who} at {place} {nothing} {u}'\ndedup: {key: [u, tty], window: 1h}\n"+
		correlationText("x", "type: event_count", "rules: [a, b]", "group-by: [u, who]", "aliases: {who: {a: from, b: to}, place: {a: dir}}", "timespan: 10s", "condition: {gte: 3}"))
	correlator := correlatorOf(t, c, Limits{MaxEvents: 2})
	a, b := ruleNamed(c, "a"), ruleNamed(c, "b")
	assert.Equal(t, []string{"dir", "from", "nothing", "tty", "u"}, correlator.Fields(a))
	assert.Equal(t, []string{"nothing", "place", "to", "tty", "u"}, correlator.Fields(b))
	assert.True(t, correlator.Refers(b))
	assert.False(t, correlator.Refers(ruleNamed(c, "c")))
	require.Empty(t, correlator.Observe(a, at(1), event("u", "root", "from", 7, "dir", "/", "tty", "t1"), numbered(1)))
	require.Empty(t, correlator.Observe(b, at(2), event("u", "root", "to", "7"), numbered(2)))
	require.Empty(t, correlator.Observe(ruleNamed(c, "c"), at(2), event("u", "root"), numbered(2)))
	firings := correlator.Observe(a, at(3), event("u", "root", "from", "7", "dir", "/tmp", "tty", nil), numbered(3))
	assert.Equal(t, []Firing{{
		Correlation: c.Correlations[0], Time: at(3), First: at(1), Last: at(3), Value: 3,
		Group: []Field{{"u", "root"}, {"who", "7"}}, Fields: []Field{{"place", "/tmp"}},
		Events: []EventID{numbered(2), numbered(3)},
	}}, firings)
	for field, want := range map[string]any{"u": "root", "place": "/tmp"} {
		values, ok := firings[0].Lookup(field)
		assert.True(t, ok)
		assert.Equal(t, []any{want}, values)
	}
	_, ok := firings[0].Lookup("tty")
	assert.False(t, ok)
}

func TestFiringNamesTheEventOfEachRule(t *testing.T) {
	c := resolved(t, correlationText("x", "type: temporal", "rules: [a, b]", "timespan: 10s"))
	correlator := correlatorOf(t, c, Limits{})
	for i := range 20 {
		require.Empty(t, correlator.Observe(ruleNamed(c, "b"), at(float64(i)), event(), numbered(i)))
	}
	firings := correlator.Observe(ruleNamed(c, "a"), at(20), event(), numbered(20))
	require.Len(t, firings, 1)
	assert.Equal(t, []EventID{numbered(19), numbered(20)}, firings[0].Events)
}

func TestFoldedAreCounted(t *testing.T) {
	c := resolved(t, correlationText("x", "type: event_count", "rules: [a]", "timespan: 10s", "condition: {gte: 2}"))
	correlator := correlatorOf(t, c, Limits{})
	var folded []uint64
	for i := range 25 {
		for _, f := range correlator.Observe(ruleNamed(c, "a"), at(float64(i)), event(), EventID{}) {
			folded = append(folded, f.Folded)
			assert.Empty(t, f.Events)
		}
	}
	assert.Equal(t, []uint64{0, 9, 9}, folded)
	counts := correlator.Stats().Correlations[0]
	assert.Equal(t, []uint64{25, 3, 21}, []uint64{counts.Observed, counts.Fired, counts.Folded})
}

func TestLatenessAndTheClock(t *testing.T) {
	c := resolved(t, correlationText("x", "type: event_count", "rules: [a]", "timespan: 10s", "condition: {gte: 2}"))
	correlator := correlatorOf(t, c, Limits{Lateness: 5 * time.Second, Ahead: 30 * time.Second})
	rule := ruleNamed(c, "a")
	require.Empty(t, correlator.Observe(rule, at(100), event(), EventID{}))
	require.Empty(t, correlator.Observe(rule, at(96), event(), EventID{}), "still waiting")
	require.Empty(t, correlator.Observe(rule, at(94), event(), EventID{}), "too late")
	assert.Equal(t, 2, correlator.Stats().Waiting)
	assert.Empty(t, correlator.Advance(at(104)))
	firings := correlator.Advance(at(105))
	require.Len(t, firings, 1)
	assert.Equal(t, at(100), firings[0].Time)
	require.Empty(t, correlator.Observe(rule, at(136), event(), EventID{}), "a clock that is wrong must not make all others late")
	require.Empty(t, correlator.Observe(rule, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), event(), EventID{}))
	require.Empty(t, correlator.Observe(rule, time.Time{}, event(), EventID{}))
	require.Empty(t, correlator.Advance(time.Time{}))
	counts := correlator.Stats().Correlations[0]
	assert.Equal(t, []uint64{6, 1, 3}, []uint64{counts.Observed, counts.Late, counts.Ahead})
}

func TestMissingFieldsAreCounted(t *testing.T) {
	c := resolved(t, correlationText("x", "type: value_sum", "rules: [a]", "group-by: [u]", "timespan: 10s", "condition: {field: n, gte: 2}"))
	correlator := correlatorOf(t, c, Limits{})
	for _, e := range []Event{event("n", 1), event("u", nil, "n", 1), event("u", []any{}, "n", 1), event("u", "x"), event("u", "x", "n", "two"), event("u", "x", "n", "1e300"), event("u", "x", "n", true), event("u", "x", "n", 1.5)} {
		require.Empty(t, correlator.Observe(ruleNamed(c, "a"), at(1), e, EventID{}))
	}
	counts := correlator.Stats().Correlations[0]
	assert.Equal(t, []uint64{3, 4}, []uint64{counts.Ungrouped, counts.Valueless})
	assert.Equal(t, 1, counts.Groups)
}

func TestGroupsAreForgotten(t *testing.T) {
	c := resolved(t, correlationText("x", "type: event_count", "rules: [a]", "group-by: [u]", "timespan: 10s", "condition: {gte: 2}"))
	rule := ruleNamed(c, "a")
	t.Run("the least recently used beyond their number", func(t *testing.T) {
		correlator := correlatorOf(t, c, Limits{MaxGroups: 2})
		for i, u := range []string{"x", "y", "x", "z", "z"} {
			correlator.Observe(rule, at(float64(i)), event("u", u), EventID{})
		}
		assert.Empty(t, correlator.Observe(rule, at(5), event("u", "y"), EventID{}), "y was dropped for z")
		counts := correlator.Stats().Correlations[0]
		assert.Equal(t, uint64(2), counts.EvictedGroups)
		assert.Equal(t, 2, counts.Groups)
	})
	t.Run("when their window has passed", func(t *testing.T) {
		correlator := correlatorOf(t, c, Limits{})
		correlator.Observe(rule, at(0), event("u", "x"), EventID{})
		assert.Equal(t, 1, correlator.Stats().Correlations[0].Groups)
		correlator.Advance(at(10))
		assert.Equal(t, Stats{Correlations: []Counters{{Correlation: c.Correlations[0], Observed: 1}}}, correlator.Stats())
	})
	t.Run("beyond the memory", func(t *testing.T) {
		correlator := correlatorOf(t, c, Limits{MaxBytes: 100_000})
		for i := range 10_000 {
			correlator.Observe(rule, at(float64(i)/10_000), event("u", i), EventID{})
			require.LessOrEqual(t, correlator.Stats().Bytes, 100_000)
		}
		counts := correlator.Stats().Correlations[0]
		assert.Equal(t, 10_000, counts.Groups+int(counts.EvictedBytes))
		assert.Greater(t, counts.Groups, 100)
	})
}

// A flood that fills the memory of one correlation leaves the others alone.
func TestTheLargestGivesFirst(t *testing.T) {
	c := resolved(t, correlationText("small", "type: event_count", "rules: [b]", "group-by: [u]", "timespan: 1h", "condition: {gte: 2}")+
		correlationText("large", "type: event_count", "rules: [a]", "group-by: [u]", "timespan: 1h", "condition: {gte: 2}"))
	correlator := correlatorOf(t, c, Limits{MaxBytes: 100_000})
	correlator.Observe(ruleNamed(c, "b"), at(0), event("u", "x"), EventID{})
	for i := range 5000 {
		correlator.Observe(ruleNamed(c, "a"), at(1), event("u", i), EventID{})
	}
	assert.Len(t, correlator.Observe(ruleNamed(c, "b"), at(2), event("u", "x"), EventID{}), 1)
}

// Many matches at once go before their time rather than take more memory.
func TestWaitingMatchesAreBounded(t *testing.T) {
	c := resolved(t, correlationText("x", "type: event_count", "rules: [a]", "group-by: [u]", "timespan: 1h", "condition: {gte: 1000}"))
	correlator := correlatorOf(t, c, Limits{MaxBytes: 100_000, Lateness: time.Minute})
	fired := 0
	for i := range 2000 {
		fired += len(correlator.Observe(ruleNamed(c, "a"), at(float64(i)/1000), event("u", "x"), EventID{}))
		require.LessOrEqual(t, correlator.queue.bytes, 25_000)
	}
	assert.Equal(t, 1, fired, "none is lost")
	assert.Positive(t, correlator.Stats().Correlations[0].Hurried)
	correlator.Observe(ruleNamed(c, "a"), at(0), event("u", "x"), EventID{})
	assert.Equal(t, uint64(1), correlator.Stats().Correlations[0].Late)
}

func TestBeyondTheNumberOfValues(t *testing.T) {
	tests := []struct {
		name, body, condition string
		value                 float64
	}{
		{"sums keep what they cannot tell apart", "value_sum", "{field: n, gte: 55}", 55},
		{"averages need no room", "value_avg", "{field: n, gt: 0}", 5.5},
		{"percentiles keep every other", "value_median", "{field: n, gt: 0}", 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := resolved(t, correlationText("x", "type: "+tt.body, "rules: [a]", "timespan: 1h", "condition: "+tt.condition))
			correlator := correlatorOf(t, c, Limits{MaxValues: 4})
			var firings []Firing
			for i := range 10 {
				firings = append(firings, correlator.Observe(ruleNamed(c, "a"), at(float64(i)), event("n", i+1), EventID{})...)
			}
			firings = append(firings, correlator.Advance(at(7200))...)
			require.Len(t, firings, 1)
			assert.InDelta(t, tt.value, firings[0].Value, 1)
			degraded := tt.body != "value_avg"
			assert.Equal(t, degraded, firings[0].Degraded)
			assert.Equal(t, degraded, correlator.Stats().Correlations[0].Degraded > 0)
		})
	}
	t.Run("known values are forgotten", func(t *testing.T) {
		c := resolved(t, correlationText("x", "type: first_seen", "rules: [a]", "timespan: 1h", "condition: {field: n, learn: 0s}"))
		correlator := correlatorOf(t, c, Limits{MaxValues: 4})
		fired := 0
		for i := range 11 {
			fired += len(correlator.Observe(ruleNamed(c, "a"), at(float64(i)), event("n", i%5), EventID{}))
		}
		assert.Equal(t, 11, fired)
		assert.Equal(t, uint64(7), correlator.Stats().Correlations[0].Degraded)
	})
}

func TestBeyondTheLimits(t *testing.T) {
	many := "rules: [a, b, c, d]"
	wide := "condition: (a or b or c or d) and (a or b or c or d) and (a or b or c or d) and (a or b or c or d) and (a or b or c or d)"
	c := resolved(t, correlationText("values", "type: value_count", "rules: [a]", "timespan: 1h", "condition: {field: n, gt: 100}")+
		correlationText("outer", "type: event_count", "rules: [values]", "timespan: 1h", "condition: {gte: 2}")+
		correlationText("events", "type: event_count", "rules: [a]", "timespan: 1h", "condition: {gte: 100000}")+
		correlationText("ways", "type: temporal_ordered", many, "timespan: 1h", wide)+
		correlationText("good", "type: event_count", "rules: [a]", "timespan: 1h", "condition: {gte: 2}"))
	correlator, refused := New(c.Correlations, Limits{MaxValues: 100, MaxBytes: 1 << 20}, nil)
	var messages []string
	for _, err := range refused {
		messages = append(messages, err.Error())
	}
	assert.Equal(t, []string{
		"test.yml:1: condition: found a number of values that takes 101 to be known, expected at most 100",
		`test.yml:9: correlation.rules: found "values", which comes later or is refused itself, expected it before this correlation`,
		"test.yml:17: condition: found a number of events that takes the times of 100000 to be known, expected at most 32768",
		"test.yml:25: condition: found an expression with more than 256 ways to hold, expected a simpler one",
	}, messages)
	assert.Len(t, correlator.Stats().Correlations, 1)

	parsed, errs := sigma.Parse("x.yml", []byte(correlationText("x", "type: event_count", "rules: [a]", "timespan: 1h", "condition: {gte: 2}")))
	require.Empty(t, errs)
	_, refused = New(parsed.Correlations, Limits{}, nil)
	require.Len(t, refused, 1)
	assert.EqualError(t, refused[0], `x.yml:1: correlation.rules: found "a" without what it refers to, expected a correlation of a resolved collection`)
}

// A correlation that changed begins anew; the others go on where they were.
func TestReload(t *testing.T) {
	kept := correlationText("kept", "type: event_count", "rules: [a]", "group-by: [u]", "timespan: 1h", "condition: {gte: 2}")
	changed := correlationText("changed", "type: event_count", "rules: [a]", "group-by: [u]", "timespan: 1h", "condition: {gte: 2}")
	before := resolved(t, kept+changed+correlationText("gone", "type: value_count", "rules: [a]", "timespan: 1h", "condition: {field: u, gte: 2}"))
	after := resolved(t, "level: high\noutput: 'Now with {text}'\n"+kept+strings.Replace(changed, "1h", "2h", 1)+correlationText("new", "type: event_count", "rules: [a]", "timespan: 1h", "condition: {gte: 2}"))
	old := correlatorOf(t, before, DefaultLimits())
	old.Observe(ruleNamed(before, "a"), at(1), event("u", "x"), numbered(1))
	old.Advance(at(10))
	old.Observe(ruleNamed(before, "a"), at(11), event("u", "y"), numbered(2))
	correlator, refused := New(after.Correlations, DefaultLimits(), old)
	require.Empty(t, refused)
	var fired []string
	for i, u := range []string{"x", "y"} {
		for _, f := range correlator.Observe(ruleNamed(after, "a"), at(float64(12+i)), event("u", u, "text", "t"), numbered(3)) {
			fired = append(fired, f.Correlation.Name+" "+u)
		}
	}
	for _, f := range correlator.Advance(at(60)) {
		fired = append(fired, f.Correlation.Name+" "+fmt.Sprint(f.Group, f.Fields))
	}
	assert.Equal(t, []string{"kept [{u x}] [{text t}]", "kept [{u y}] [{text t}]", "new [] []"}, fired)
}

// Twins remember apart, and each gets back its own.
func TestReloadOfTwins(t *testing.T) {
	body := []string{"type: event_count", "rules: [a]", "timespan: 1h", "condition: {gte: 2}"}
	src := strings.ReplaceAll(correlationText("x", body...), "name: x\n", "")
	c := resolved(t, src+src)
	old := correlatorOf(t, c, Limits{})
	old.Observe(ruleNamed(c, "a"), at(1), event(), EventID{})
	correlator, _ := New(c.Correlations, Limits{}, old)
	assert.Len(t, correlator.Observe(ruleNamed(c, "a"), at(2), event(), EventID{}), 2)
}

// Many windows that end at the same time tell another correlation of it, in a time that grows with their number and not with its square.
func TestManyWindowsEndAtOnce(t *testing.T) {
	c := resolved(t, correlationText("few", "type: event_count", "rules: [a]", "group-by: [u]", "timespan: 10s", "condition: {lt: 3}")+
		correlationText("hosts", "type: value_count", "rules: [few]", "timespan: 10s", "condition: {field: u, gte: 50000}"))
	limits := DefaultLimits()
	limits.MaxValues = 100_000
	correlator := correlatorOf(t, c, limits)
	for i := range 50_000 {
		correlator.Observe(ruleNamed(c, "a"), at(1), event("u", i), EventID{})
	}
	firings := correlator.Advance(at(60))
	require.Len(t, firings, 50_001)
	assert.Equal(t, "hosts", firings[50_000].Correlation.Name)
}

func TestRestoreRefuses(t *testing.T) {
	c := resolved(t, correlationText("x", "type: event_count", "rules: [a]", "timespan: 1h", "condition: {gte: 2}"))
	correlator := correlatorOf(t, c, Limits{})
	correlator.Observe(ruleNamed(c, "a"), at(1), event(), EventID{})
	good := correlator.Snapshot()
	for i := range good {
		damaged := append([]byte(nil), good...)
		damaged[i] ^= 0x10
		require.Error(t, correlator.Restore(damaged), "byte %d", i)
		require.Error(t, correlator.Restore(good[:i]), "%d bytes", i)
	}
	assert.ErrorContains(t, correlator.Restore([]byte("something else")), "expected a snapshot")
	newer := append([]byte(nil), good...)
	newer[4]++
	assert.ErrorContains(t, correlator.Restore(newer), "version 2, expected version 1")
	assert.Equal(t, good, correlator.Snapshot(), "a bad snapshot changes nothing")
	assert.Len(t, correlator.Observe(ruleNamed(c, "a"), at(2), event(), EventID{}), 1)
}

func TestRestoreWithLowerLimits(t *testing.T) {
	c := resolved(t, correlationText("x", "type: value_sum", "rules: [a]", "group-by: [u]", "timespan: 1h", "condition: {field: n, gte: 100}"))
	large := correlatorOf(t, c, Limits{})
	for i := range 100 {
		large.Observe(ruleNamed(c, "a"), at(float64(i)), event("u", i%20, "n", 1), numbered(i))
	}
	small := correlatorOf(t, c, Limits{MaxGroups: 10, MaxValues: 2, MaxEvents: 1, MaxBytes: 2500})
	require.NoError(t, small.Restore(large.Snapshot()))
	stats := small.Stats()
	assert.LessOrEqual(t, stats.Bytes, 2500)
	assert.Equal(t, uint64(10), stats.Correlations[0].EvictedGroups)
	firings := small.Observe(ruleNamed(c, "a"), at(100), event("u", 19, "n", 95), numbered(100))
	require.Len(t, firings, 1)
	assert.Equal(t, []EventID{numbered(100)}, firings[0].Events)
	assert.InDelta(t, 100, firings[0].Value, 0)
}

func TestManyGoroutines(t *testing.T) {
	c := resolved(t, correlationText("x", "type: event_count", "rules: [a]", "group-by: [u]", "timespan: 1h", "condition: {gte: 100}"))
	correlator := correlatorOf(t, c, DefaultLimits())
	var workers sync.WaitGroup
	fired := make([]int, 4)
	for w := range fired {
		workers.Go(func() {
			for i := range 1000 {
				fired[w] += len(correlator.Observe(ruleNamed(c, "a"), at(1), event("u", i%10), EventID{}))
				if i%100 == 0 {
					correlator.Stats()
					correlator.Snapshot()
				}
			}
		})
	}
	workers.Wait()
	last := len(correlator.Advance(at(60)))
	assert.Equal(t, 10, fired[0]+fired[1]+fired[2]+fired[3]+last)
	assert.Equal(t, uint64(4000), correlator.Stats().Correlations[0].Observed)
}
