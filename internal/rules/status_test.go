// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ruleset"
	"github.com/vedette-sec/vedette/internal/rulestatus"
)

// gone is the id of a process that has ended.
func gone(t *testing.T) int {
	command := exec.Command("true")
	require.NoError(t, command.Run())
	return command.Process.Pid
}

func TestStatus(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	s := &rulestatus.Status{
		Processor: "detection", PID: os.Getpid(), Written: at, Generation: 2, Since: at.Add(-time.Hour),
		Counts:  map[ruleset.State]int{ruleset.Loaded: 14, ruleset.Refused: 1},
		Matches: []rulestatus.Matches{{ID: "x", Title: "Port scanner", Level: "low", Count: 12}, {Title: "Many scans", Level: "high", Count: 1}},
	}
	status := Status(s, at.Add(time.Minute))
	assert.True(t, status.OK())
	status.PID = 77
	var out bytes.Buffer
	require.NoError(t, status.WriteText(&out, false))
	golden(t, "status.txt", out.Bytes())

	s.PID = os.Getpid()
	assert.Contains(t, Status(s, at.Add(time.Hour)).Doubt, "has written nothing for 1h0m0s")
	s.PID = gone(t)
	assert.Contains(t, Status(s, at).Doubt, "is gone")

	s.PID, s.Matches = os.Getpid(), nil
	s.Failure = &rulestatus.Failure{Time: at, Error: "rules.yml:3: wrong\nrules.yml:9: wrong too"}
	status = Status(s, at)
	assert.True(t, status.Running)
	assert.False(t, status.OK())
	status.Running, status.Doubt = false, "the agent that wrote this (process 77) is gone"
	out.Reset()
	require.NoError(t, status.WriteText(&out, false))
	golden(t, "status_gone.txt", out.Bytes())
	out.Reset()
	s.PID = 77
	require.NoError(t, WriteJSON(&out, status))
	golden(t, "status.json", out.Bytes())
}
