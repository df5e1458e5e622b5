// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/pkg/sigma"
)

func TestDedupJudge(t *testing.T) {
	d := newDedup()
	judge := func(after time.Duration, keys ...string) string {
		v := d.judge(keys, time.Minute, testTime.Add(after))
		return fmt.Sprint(v.passes, v.suppressed)
	}
	assert.Equal(t, "true 0", judge(0))
	assert.Equal(t, "true 0", judge(0), "without keys everything passes")
	assert.Equal(t, "true 0", judge(0, "a"))
	assert.Equal(t, "false 0", judge(59*time.Second, "a"))
	assert.Equal(t, "false 0", judge(-59*time.Second, "a"), "an earlier event that came late")
	assert.Equal(t, "true 0", judge(0, "b"))
	assert.Equal(t, "false 0", judge(0, "c", "b", "a"), "folded into its parent")
	assert.Equal(t, "true 2", judge(time.Minute, "a"))
	assert.Equal(t, "true 0", judge(2*time.Minute, "a"))
	assert.Equal(t, "true 1", judge(2*time.Minute, "b"))
}

func TestDedupTakeBack(t *testing.T) {
	d := newDedup()
	at := testTime
	judge := func() verdict { return d.judge([]string{"a"}, time.Minute, at) }

	first := judge()
	folded := judge()
	d.takeBack(folded)
	d.takeBack(first)
	assert.True(t, judge().passes, "the second try passes")

	judge()
	at = at.Add(time.Hour)
	next := judge()
	assert.Equal(t, int64(1), next.suppressed)
	d.takeBack(next)
	next = judge()
	assert.True(t, next.passes)
	assert.Equal(t, int64(1), next.suppressed, "the count is not lost either")

	d.takeBack(verdict{passes: true})
}

func TestDedupForgetsTheOldest(t *testing.T) {
	d := newDedup()
	for i := range mostGroups + 1 {
		assert.True(t, d.judge([]string{fmt.Sprint(i)}, time.Hour, testTime).passes)
	}
	assert.Equal(t, mostGroups, d.groups.Len())
	assert.True(t, d.judge([]string{"0"}, time.Hour, testTime).passes)
	assert.False(t, d.judge([]string{fmt.Sprint(mostGroups)}, time.Hour, testTime).passes)
}

func TestDedupKeys(t *testing.T) {
	attrs := map[string]any{event.AttrProcessAncestry: []any{"e2", "e1"}}
	cases := map[string]struct {
		dedup *sigma.Dedup
		want  []string
	}{
		"none":             {nil, nil},
		"no key":           {&sigma.Dedup{Group: "g"}, []string{`"g"|`}},
		"fields":           {&sigma.Dedup{Group: "g", Key: []string{"User", "Image"}}, []string{`"g"|"ann"|"a|b"|`}},
		"process":          {&sigma.Dedup{Group: "g", Key: []string{"ProcessGuid"}}, []string{`"g"|e3`, `"g"|e2`, `"g"|e1`}},
		"process and more": {&sigma.Dedup{Group: "g", Key: []string{"ProcessGuid", "User"}}, []string{`"g"|"ann"|e3`, `"g"|"ann"|e2`, `"g"|"ann"|e1`}},
		"missing":          {&sigma.Dedup{Group: "g", Key: []string{"User", "ParentImage"}}, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			log := plog.NewLogRecord()
			assert.NoError(t, log.Attributes().FromRaw(attrs))
			ev := sigma.MapEvent(map[string]any{"ProcessGuid": "e3", "User": "ann", "Image": "a|b"})
			assert.Equal(t, c.want, dedupKeys(c.dedup, ev, ancestryOf(log)))
		})
	}
}

func TestLossCounter(t *testing.T) {
	c := newLossCounter()
	assert.Equal(t, int64(5), c.since("a", 5))
	assert.Equal(t, int64(3), c.since("a", 8))
	assert.Equal(t, int64(1), c.since("b", 1))
	c.giveBack("a", 3)
	assert.Equal(t, int64(4), c.since("a", 9))
	assert.Equal(t, int64(2), c.since("a", 2), "the receiver began anew")
	c.giveBack("unknown", 1)
	assert.Equal(t, int64(0), c.since("a", 2))
}
