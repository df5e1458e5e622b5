// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/pkg/baseline"
)

// What tells a process that is killed on the way what it has to do.
const (
	childRoot  = "VEDETTE_TEST_REPAIR_ROOT"
	childRule  = "VEDETTE_TEST_REPAIR_RULE"
	childBack  = "VEDETTE_TEST_REPAIR_BACK"  // the transaction that is taken back; "" to repair
	childPrune = "VEDETTE_TEST_REPAIR_PRUNE" // set where transactions are forgotten instead
	childSteps = "VEDETTE_TEST_REPAIR_STEPS"
)

// child repairs, or takes back, and kills itself at a step.
func child() {
	left, err := strconv.Atoi(os.Getenv(childSteps))
	exitIf(err)
	r, _, err := open(os.Getenv(childRoot), func(string) {
		if left--; left == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	exitIf(err)
	if os.Getenv(childPrune) != "" {
		_, err = r.Prune(Prune{Before: time.Now().Add(time.Hour)})
		exitIf(err)
		return
	}
	if id := os.Getenv(childBack); id != "" {
		_, err = r.Rollback(Back{Transaction: id})
		exitIf(err)
		return
	}
	l := &baseline.Loader{}
	l.Add("testdata/primitives.yaml")
	set, err := l.Set()
	exitIf(err)
	b, err := set.Resolve("primitives", nil)
	exitIf(err)
	report, err := r.Fix(context.Background(), b, Options{Rules: []string{os.Getenv(childRule)}})
	exitIf(err)
	if len(report.Rules) != 1 || report.Rules[0].Result != Fixed {
		exitIf(fmt.Errorf("%+v", report.Rules))
	}
}

func exitIf(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}

// killedAt runs a process that ends at a step, and reports whether there was such a step.
func killedAt(t *testing.T, step int, env ...string) bool {
	command := exec.Command(os.Args[0])
	command.Env = append(append(os.Environ(), childSteps+"="+strconv.Itoa(step)), env...)
	output, err := command.CombinedOutput()
	if err == nil {
		return false
	}
	status, ok := command.ProcessState.Sys().(syscall.WaitStatus)
	require.True(t, ok && status.Signaled() && status.Signal() == syscall.SIGKILL, "%v: %s", err, output)
	return true
}

// assertRecovered opens a host after a crash: it is as before or as after, and nothing is left over.
func assertRecovered(t testing.TB, root string, before, after map[string]State, about string) {
	r := openAt(t, root)
	all, err := r.Transactions()
	require.NoError(t, err)
	for _, transaction := range all {
		assert.Equal(t, Committed, transaction.State, about)
	}
	require.NoError(t, r.Close())
	now := snapshot(t, root)
	if !sameStates(now, after) {
		assertSame(t, before, now, about)
	}
	halves, err := filepath.Glob(filepath.Join(root, Directory, "images", "*.new"))
	require.NoError(t, err)
	assert.Empty(t, halves, about)
}

func sameStates(a, b map[string]State) bool {
	if len(a) != len(b) {
		return false
	}
	for path, state := range a {
		other, ok := b[path]
		if !ok || !other.is(state) {
			return false
		}
	}
	return true
}

// TestKilledAtEveryStep ends the repair of each primitive, and its rollback, by SIGKILL at each step.
func TestKilledAtEveryStep(t *testing.T) {
	b := primitives(t)
	for _, rule := range b.Rules {
		t.Run(rule.ID, func(t *testing.T) {
			t.Parallel()
			root := newHost(t)
			before := snapshot(t, root)
			fix(t, root, b, rule.ID)
			after := snapshot(t, root)
			takeBackAll(t, root)
			assertSame(t, before, snapshot(t, root), rule.ID)
			steps := 0
			for killedAt(t, steps+1, childRoot+"="+root, childRule+"="+rule.ID) {
				steps++
				about := fmt.Sprintf("killed at step %d of repairing %s", steps, rule.ID)
				assertRecovered(t, root, before, after, about)
				takeBackAll(t, root)
				assertSame(t, before, snapshot(t, root), about)
			}
			assert.Greater(t, steps, 5, "an intent, a change, a check and ends are steps")
			assertSame(t, after, snapshot(t, root), rule.ID)
			takeBackAll(t, root)
			id := fix(t, root, b, rule.ID).Transaction
			backSteps := 0
			for killedAt(t, backSteps+1, childRoot+"="+root, childBack+"="+id) {
				backSteps++
				assertRecovered(t, root, before, after, fmt.Sprintf("killed at step %d of taking back %s", backSteps, rule.ID))
				if takeBackAll(t, root); verdict(t, root, b, rule.ID) == baseline.Fail {
					id = fix(t, root, b, rule.ID).Transaction
				}
			}
			assert.Greater(t, backSteps, 3)
			assertSame(t, before, snapshot(t, root), rule.ID)
		})
	}
}

// takeBackAll takes back what repairs are in force.
func takeBackAll(t *testing.T, root string) {
	r := openAt(t, root)
	all, err := r.Transactions()
	require.NoError(t, err)
	for _, transaction := range all {
		for _, d := range transaction.Rules {
			if transaction.Kind == KindFix && d.Outcome == OutcomeKept {
				_, err := r.Rollback(Back{Transaction: transaction.ID})
				require.NoError(t, err)
			}
		}
	}
	require.NoError(t, r.Close())
}

// TestRecoveryLeavesWhatIsSomebodyElses changes a file after a crash, before the next start.
func TestRecoveryLeavesWhatIsSomebodyElses(t *testing.T) {
	root := newHost(t)
	shells := filepath.Join(root, "etc/shells")
	for step := 1; killedAt(t, step, childRoot+"="+root, childRule+"=line"); step++ {
		if text, err := os.ReadFile(shells); err == nil && !strings.Contains(string(text), "nologin") {
			break
		}
		r := openAt(t, root)
		require.NoError(t, r.Close())
	}
	require.NoError(t, os.WriteFile(shells, []byte("mine\n"), 0o644))
	r, notes, err := Open(root)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	assert.Contains(t, strings.Join(notes, "\n"), "/etc/shells is neither as it was nor as it was to be, so it is left as it is")
	text, err := os.ReadFile(shells)
	require.NoError(t, err)
	assert.Equal(t, "mine\n", string(text))
}
