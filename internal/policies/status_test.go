// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/policystatus"
	"github.com/vedette-sec/vedette/pkg/policy"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name string, have []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, have, 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(have))
}

func TestStatus(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	s := &policystatus.Status{
		Extension: "enforcement", PID: os.Getpid(), Written: at, Generation: 3, Since: at.Add(-time.Hour), Mechanism: "fallback", Panic: true, Lost: 2, Protected: true,
		Missing: []string{"The kernel has no BPF LSM."},
		Policies: []policystatus.Policy{
			{Name: "egress", File: "/etc/vedette/policies/egress.yaml", Line: 1, Rules: []policystatus.Rule{
				{Name: "out", Mode: policy.Enforce, Operations: "connect", Strength: enforce.Prevented, Denied: 12, Folded: 4, Lost: 1},
			}},
			{Name: "data", File: "/etc/vedette/policies/data.yaml", Line: 4, Confirm: at.Add(time.Minute), Rules: []policystatus.Rule{
				{Name: "file", Mode: policy.Audit, Operations: "write, delete", Strength: enforce.Detected, Audited: 3,
					Weaker: []policystatus.Weak{{Operations: "delete", Strength: enforce.Detected, Reason: "It is told of."}}},
			}},
			{Name: "old", File: "/etc/vedette/policies/old.yaml", Line: 1, Reverted: true},
		},
	}
	status := Status(s, &enforce.Held{Running: true}, at.Add(time.Minute))
	assert.Nil(t, status.Held)
	assert.True(t, status.OK())
	status.PID = 77
	var out bytes.Buffer
	require.NoError(t, status.WriteText(&out))
	golden(t, "status.txt", out.Bytes())

	status.Protected, status.Unlocked = false, at.Add(time.Minute)
	status.Refused = []string{"a.yaml:1: broken"}
	assert.False(t, status.OK())
	status.Refused, status.Failure = nil, &policystatus.Failure{Time: at, Error: "these policies are refused now:\nb.yaml:2: broken"}
	status.Policies = nil
	assert.False(t, status.OK())
	out.Reset()
	require.NoError(t, status.WriteText(&out))
	golden(t, "status-failed.txt", out.Bytes())
	held := &enforce.Held{Silent: 4 * time.Minute, Policies: []enforce.HeldPolicy{
		{Name: "kept", OnAgentLoss: policy.KeepOnLoss},
		{Name: "timed", OnAgentLoss: policy.ReleaseOnLoss, LossAfter: 5 * time.Minute},
		{Name: "over", OnAgentLoss: policy.AuditOnLoss, LossAfter: time.Minute, Over: true},
	}}
	status = Status(s, held, at.Add(time.Hour))
	assert.False(t, status.Running)
	status.PID, status.Doubt = 77, "not running"
	out.Reset()
	require.NoError(t, status.WriteText(&out))
	golden(t, "status-held.txt", out.Bytes())
}
