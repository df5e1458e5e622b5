// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func prune(t *testing.T, root string, o Prune) *Pruned {
	r := openAt(t, root)
	result, err := r.Prune(o)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return result
}

func images(t *testing.T, root string) int {
	entries, err := os.ReadDir(filepath.Join(root, Directory, "images"))
	require.NoError(t, err)
	return len(entries)
}

// TestPruneForgetsWhatIsOver has one repair that is in force, one that was rolled back, and one whose rollback was taken back.
func TestPruneForgetsWhatIsOver(t *testing.T) {
	root, b := newHost(t), primitives(t)
	before := snapshot(t, root)
	inForce := fix(t, root, b, "config.login").Transaction
	over := fix(t, root, b, "line").Transaction
	back, err := rollback(t, root, Back{Transaction: over})
	require.NoError(t, err)
	again := fix(t, root, b, "audit").Transaction
	undone, err := rollback(t, root, Back{Transaction: again})
	require.NoError(t, err)
	redone, err := rollback(t, root, Back{Transaction: undone.Transaction})
	require.NoError(t, err)
	had := images(t, root)

	assert.Empty(t, prune(t, root, Prune{Before: time.Now().Add(-time.Hour)}).Transactions, "they are not old")
	later := time.Now().Add(time.Hour)
	planned := prune(t, root, Prune{Before: later, DryRun: true})
	assert.Equal(t, had, images(t, root), "a dry run forgets nothing")
	result := prune(t, root, Prune{Before: later})
	assert.Equal(t, planned, result)
	assert.Equal(t, []string{over, back.Transaction}, result.Transactions)
	assert.Equal(t, []string{inForce, again}, result.Kept)
	assert.Equal(t, had-result.Images, images(t, root))
	assert.Positive(t, result.Images)
	assert.Positive(t, result.Bytes)
	assert.Empty(t, prune(t, root, Prune{Before: later}).Transactions, "once is enough")

	for _, id := range []string{redone.Transaction, inForce} {
		_, err = rollback(t, root, Back{Transaction: id})
		require.NoError(t, err, "what could be rolled back still can")
	}
	assertSame(t, before, snapshot(t, root), "after both rollbacks")
}

func TestPruneForgetsAllWhenAsked(t *testing.T) {
	root, b := newHost(t), primitives(t)
	id := fix(t, root, b, "config.login").Transaction
	after := snapshot(t, root)
	later := time.Now().Add(time.Hour)
	assert.Equal(t, []string{id}, prune(t, root, Prune{Before: later}).Kept)
	assert.Equal(t, []string{id}, prune(t, root, Prune{Before: later, All: true}).Transactions)
	assert.Zero(t, images(t, root))
	_, err := rollback(t, root, Back{Transaction: id})
	assert.Error(t, err)
	assertSame(t, after, snapshot(t, root), "forgetting changes nothing on the host")
}

// TestPruneLeavesWhatWaits has a repair that is undone unless it is confirmed.
func TestPruneLeavesWhatWaits(t *testing.T) {
	root, b := newHost(t), primitives(t)
	r := openAt(t, root)
	_, err := r.Fix(t.Context(), b, Options{Rules: []string{"sshd"}, Confirm: time.Hour})
	require.NoError(t, err)
	result, err := r.Prune(Prune{Before: time.Now().Add(time.Hour), All: true})
	require.NoError(t, err)
	require.NoError(t, r.Close())
	assert.Empty(t, result.Transactions)
}

// TestPruneKilledAtEveryStep ends a prune by SIGKILL at each of its steps: what was rolled back never seems to be in force again.
func TestPruneKilledAtEveryStep(t *testing.T) {
	root, b := newHost(t), primitives(t)
	id := fix(t, root, b, "config.login").Transaction
	_, err := rollback(t, root, Back{Transaction: id})
	require.NoError(t, err)
	steps := 0
	for killedAt(t, 1, childRoot+"="+root, childPrune+"=1") {
		steps++
		r := openAt(t, root)
		all, err := r.Transactions()
		require.NoError(t, err)
		require.NoError(t, r.Close())
		for _, transaction := range all {
			assert.Equal(t, KindRollback, transaction.Kind)
		}
	}
	assert.Greater(t, steps, 3, "two transactions and two images")
	assert.Zero(t, images(t, root))
}
