// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/pkg/baseline"
)

func TestEveryPrimitiveHasAPlanner(t *testing.T) {
	used := map[string]bool{}
	for _, r := range primitives(t).Rules {
		for _, s := range r.Fix {
			used[s.Kind] = true
		}
	}
	for _, kind := range baseline.StepKinds() {
		assert.NotNil(t, planners[kind], kind)
		assert.True(t, used[kind], "%s has no rule in testdata", kind)
	}
}

// cycle repairs a rule that fails and takes that back: the host is then as it was.
func cycle(t *testing.T, root string, b *baseline.Baseline, rule string) {
	require.Equal(t, baseline.Fail, verdict(t, root, b, rule), "%s is to fail first", rule)
	before := snapshot(t, root)

	r := openAt(t, root)
	planned, err := r.Fix(context.Background(), b, Options{Rules: []string{rule}, DryRun: true})
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.Equal(t, Planned, planned.Rules[0].Result, planned.Rules[0].Reason)
	assertSame(t, before, snapshot(t, root), rule+" after a dry run")

	report := fix(t, root, b, rule)
	require.Len(t, report.Rules, 1)
	require.Equal(t, Fixed, report.Rules[0].Result, "%s: %s", rule, report.Rules[0].Reason)
	assert.Equal(t, planned.Rules[0].Diff, report.Rules[0].Diff, "what is done is what was shown")
	assert.NotEmpty(t, report.Rules[0].Diff)
	require.Equal(t, baseline.Pass, verdict(t, root, b, rule), rule)
	repaired := snapshot(t, root)

	assert.Empty(t, fix(t, root, b, rule).Rules, "%s is repaired once", rule)
	assertSame(t, repaired, snapshot(t, root), rule+" after being repaired again")

	back, err := rollback(t, root, Back{Transaction: report.Transaction})
	require.NoError(t, err)
	assert.Equal(t, []string{rule}, back.Rules)
	assertSame(t, before, snapshot(t, root), rule+" after the rollback")
	require.Equal(t, baseline.Fail, verdict(t, root, b, rule), rule)

	_, err = rollback(t, root, Back{Transaction: back.Transaction})
	require.NoError(t, err, "a rollback can be taken back")
	assertSame(t, repaired, snapshot(t, root), rule+" after the rollback of the rollback")
	_, err = rollback(t, root, Back{Transaction: report.Transaction})
	assert.ErrorContains(t, err, "found nothing of "+report.Transaction+" that is still in force")
}

func TestPrimitives(t *testing.T) {
	b := primitives(t)
	for _, rule := range b.Rules {
		t.Run(rule.ID, func(t *testing.T) { cycle(t, newHost(t), b, rule.ID) })
	}
}

func TestFixOfAllRulesAndRollback(t *testing.T) {
	root, b := newHost(t), primitives(t)
	before := snapshot(t, root)
	report := fix(t, root, b)
	require.Len(t, report.Rules, len(b.Rules))
	for _, o := range report.Rules {
		assert.Equal(t, Fixed, o.Result, "%s: %s", o.Rule, o.Reason)
	}
	assert.Empty(t, fix(t, root, b).Rules)
	_, err := rollback(t, root, Back{Transaction: report.Transaction})
	require.NoError(t, err)
	assertSame(t, before, snapshot(t, root), "all")
}

func TestNoSecretIsKept(t *testing.T) {
	root, b := newHost(t), primitives(t)
	fix(t, root, b)
	require.NoError(t, filepath.WalkDir(filepath.Join(root, Directory), func(full string, entry os.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := entry.Info()
		require.NoError(t, err)
		assert.Zero(t, info.Mode().Perm()&0o077, full)
		if !entry.IsDir() {
			content, err := os.ReadFile(full)
			require.NoError(t, err)
			assert.NotContains(t, string(content), "$hash", full)
		}
		return nil
	}))
}
