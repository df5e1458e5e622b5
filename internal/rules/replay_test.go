// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/eventlog"
	"github.com/vedette-sec/vedette/internal/ruleset"
	"github.com/vedette-sec/vedette/pkg/sigma/correlation"
)

func replay(t *testing.T, set *ruleset.Set, only string) *ReplayReport {
	t.Helper()
	p, err := NewReplay(set, correlation.DefaultLimits(), only)
	require.NoError(t, err)
	require.NoError(t, eventlog.NewDecoder().ReadFile("testdata/log.jsonl", nil, p.Take, p.Broken))
	return p.Report()
}

func TestReplay(t *testing.T) {
	report := replay(t, load(t, good), "")
	var out bytes.Buffer
	require.NoError(t, report.WriteText(&out, false))
	golden(t, "replay.txt", out.Bytes())
	out.Reset()
	require.NoError(t, WriteJSON(&out, report))
	golden(t, "replay.json", out.Bytes())
	require.Len(t, report.Raised, 2)
	assert.Equal(t, "Many scans", report.Raised[0].Title)
	assert.Equal(t, time.Date(2026, 3, 4, 5, 6, 30, 0, time.UTC), report.Raised[0].First, "at the third scan of one user, in event time")
	assert.Equal(t, 1, report.Repeated)
	assert.Equal(t, 2, report.Eventless)
}

func TestReplayOfOneRule(t *testing.T) {
	set := load(t, good)
	report := replay(t, set, "port")
	require.Len(t, report.Raised, 1)
	assert.Equal(t, 4, report.Raised[0].Matches, "it is silent, but asked for")
	assert.Equal(t, 2, report.Raised[0].Alerts, "those of one user within ten minutes are one")
	assert.Equal(t, []string{"ann scans with /usr/bin/nmap", `bob\x1b[31m scans with /usr/bin/nmap`}, report.Raised[0].Samples)

	report = replay(t, set, "many")
	require.Len(t, report.Raised, 1)
	assert.Equal(t, "correlation", report.Raised[0].Kind)
	_, err := NewReplay(set, correlation.DefaultLimits(), "no such")
	assert.ErrorContains(t, err, "no rule has the id")
}

func TestReplayTellsWhatIsLate(t *testing.T) {
	p, err := NewReplay(load(t, good), correlation.DefaultLimits(), "")
	require.NoError(t, err)
	for range 2 {
		p.known.Purge()
		require.NoError(t, eventlog.NewDecoder().ReadFile("testdata/log.jsonl", nil, p.Take, p.Broken))
	}
	assert.NotZero(t, p.Report().Late)
}

func TestReplayOfNothing(t *testing.T) {
	p, err := NewReplay(load(t, good), correlation.DefaultLimits(), "")
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, p.Report().WriteText(&out, false))
	assert.Equal(t, "0 events judged: 0 alerts of 0 rules\n", out.String())
}
