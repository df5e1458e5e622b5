// SPDX-License-Identifier: Apache-2.0

package correlation

import (
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// everyType is one correlation of each kind of window, and one that shows fields.
const everyType = "type: event_count|condition: {gte: 3};type: event_count|condition: {lt: 3};type: value_count|condition: {field: v, gte: 3};" +
	"type: value_count|condition: {field: v, eq: 3};type: value_sum|condition: {field: n, gte: 9};type: value_avg|condition: {field: n, gte: 9};" +
	"type: value_median|condition: {field: n, gte: 9};type: temporal;type: temporal_ordered;type: temporal|condition: a and not b;" +
	"type: temporal_ordered|condition: a or b;type: first_seen|condition: {field: [v, h], learn: 0s}"

func everyTypeOf(t testing.TB) *sigma.Collection {
	var src string
	for i, body := range splitAt(everyType, ';') {
		lines := append(splitAt(body, '|'), "rules: [a, b]", "group-by: [g]", "timespan: 10s")
		src += "dedup: {key: [h], window: 1h}\n" + correlationText(string(rune('A'+i)), lines...)
	}
	return resolved(t, src)
}

func splitAt(s string, at byte) []string {
	var all []string
	from := 0
	for i := range len(s) {
		if s[i] == at {
			all = append(all, s[from:i])
			from = i + 1
		}
	}
	return append(all, s[from:])
}

// wrapped gives a payload the mark, the version and the checksum that let it be read.
func wrapped(payload []byte) []byte {
	b := append(append([]byte(snapshotMark), snapshotVersion), payload...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

func FuzzRestore(f *testing.F) {
	c := everyTypeOf(f)
	limits := Limits{Lateness: 3 * time.Second, MaxValues: 8, MaxBytes: 1 << 16, MaxGroups: 8}
	for seed := range uint64(8) {
		g := generator{rand.New(rand.NewPCG(seed, 0))}
		correlator := correlatorOf(f, c, limits)
		for _, m := range g.matches(c, 10*int(seed)) {
			correlator.Observe(m.rule, time.Unix(0, m.time), m.event, numbered(int(m.time)))
		}
		snapshot := correlator.Snapshot()
		f.Add(snapshot[len(snapshotMark)+1 : len(snapshot)-checksumBytes])
	}
	matches := generator{rand.New(rand.NewPCG(1, 1))}.matches(c, 40)
	f.Fuzz(func(t *testing.T, payload []byte) {
		correlator := correlatorOf(t, c, limits)
		before := correlator.Snapshot()
		_ = correlator.Restore(payload)
		if correlator.Restore(wrapped(payload)) != nil {
			require.Equal(t, before, correlator.Snapshot(), "what is refused changes nothing")
			return
		}
		for i, m := range matches {
			correlator.Observe(m.rule, time.Unix(0, m.time), m.event, numbered(i))
		}
		require.LessOrEqual(t, correlator.Stats().Bytes, limits.MaxBytes)
		require.NoError(t, correlator.Restore(correlator.Snapshot()), "what is written can be read")
		correlator.Advance(testBegin.Add(24 * time.Hour))
	})
}
