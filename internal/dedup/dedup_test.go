// SPDX-License-Identifier: Apache-2.0

package dedup

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/pkg/sigma"
)

var testTime = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestJudge(t *testing.T) {
	d := New()
	judge := func(after time.Duration, keys ...string) string {
		v := d.Judge(keys, time.Minute, testTime.Add(after))
		return fmt.Sprint(v.Passes, v.Suppressed)
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

func TestTakeBack(t *testing.T) {
	d := New()
	at := testTime
	judge := func() Verdict { return d.Judge([]string{"a"}, time.Minute, at) }

	first := judge()
	folded := judge()
	d.TakeBack(folded)
	d.TakeBack(first)
	assert.True(t, judge().Passes, "the second try passes")

	judge()
	at = at.Add(time.Hour)
	next := judge()
	assert.Equal(t, int64(1), next.Suppressed)
	d.TakeBack(next)
	next = judge()
	assert.True(t, next.Passes)
	assert.Equal(t, int64(1), next.Suppressed, "the count is not lost either")

	d.TakeBack(Verdict{Passes: true})
}

func TestForgetsTheOldest(t *testing.T) {
	d := New()
	for i := range mostGroups + 1 {
		assert.True(t, d.Judge([]string{fmt.Sprint(i)}, time.Hour, testTime).Passes)
	}
	assert.Equal(t, mostGroups, d.groups.Len())
	assert.True(t, d.Judge([]string{"0"}, time.Hour, testTime).Passes)
	assert.False(t, d.Judge([]string{fmt.Sprint(mostGroups)}, time.Hour, testTime).Passes)
}

func TestKeys(t *testing.T) {
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
			assert.Equal(t, c.want, Keys(c.dedup, ev, AncestryOf(log)))
		})
	}
}
