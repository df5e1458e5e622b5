// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/pkg/baseline"
)

// model is a host with what it must be like after any sequence of repairs, rollbacks, crashes and changes of others.
type model struct {
	t       *testing.T
	random  *rand.Rand
	root    string
	all     []*baseline.Baseline
	inForce map[string]string // by rule, the transaction that repaired it
	others  map[string]string // what others have appended, by path
}

// editable are files that repairs change and others too.
var editable = []string{"etc/login.defs", "etc/pam.d/su", "etc/shells", "etc/fstab", "etc/sysctl.conf"}

func (m *model) fix() {
	b := m.all[m.random.Intn(len(m.all))]
	rule := b.Rules[m.random.Intn(len(b.Rules))].ID
	report := fix(m.t, m.root, b, rule)
	if _, done := m.inForce[rule]; done {
		assert.Empty(m.t, report.Rules, "%s is in force", rule)
		return
	}
	require.Len(m.t, report.Rules, 1, rule)
	require.Equal(m.t, Fixed, report.Rules[0].Result, "%s: %s", rule, report.Rules[0].Reason)
	require.Equal(m.t, baseline.Pass, verdict(m.t, m.root, b, rule))
	m.inForce[rule] = report.Transaction
}

// back takes a repair back, in any order. Without merge it is refused where others have changed the file since.
func (m *model) back(merge bool) {
	rules := sorted(m.inForce)
	if len(rules) == 0 {
		return
	}
	rule := rules[m.random.Intn(len(rules))]
	before := snapshot(m.t, m.root)
	_, err := rollback(m.t, m.root, Back{Transaction: m.inForce[rule], Merge: merge})
	var conflict *Conflict
	if !merge && errors.As(err, &conflict) {
		assertSame(m.t, before, snapshot(m.t, m.root), "a refused rollback of "+rule)
		return
	}
	require.NoError(m.t, err, rule)
	delete(m.inForce, rule)
}

func (m *model) edit() {
	path := editable[m.random.Intn(len(editable))]
	line := fmt.Sprintf("# of others %d\n", m.random.Int())
	writeText(m.t, m.root, path, readText(m.t, m.root, path)+line)
	m.others[path] += line
}

// crash ends a repair or a rollback somewhere.
func (m *model) crash() {
	b := m.all[0]
	rule := b.Rules[m.random.Intn(len(b.Rules))].ID
	if _, done := m.inForce[rule]; done {
		return
	}
	killedAt(m.t, 1+m.random.Intn(12), childRoot+"="+m.root, childRule+"="+rule)
	r := openAt(m.t, m.root)
	all, err := r.Transactions()
	require.NoError(m.t, err)
	require.NoError(m.t, r.Close())
	last := all[len(all)-1]
	if d := last.rule(rule); last.Kind == KindFix && d != nil && d.Outcome == OutcomeKept {
		m.inForce[rule] = last.ID
	}
}

func sorted(m map[string]string) []string {
	var all []string
	for name := range m {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// check finds rules that should pass and do not.
func (m *model) check() {
	for _, b := range m.all {
		for _, r := range b.Rules {
			if _, ok := m.inForce[r.ID]; ok {
				assert.Equal(m.t, baseline.Pass, verdict(m.t, m.root, b, r.ID), r.ID)
			}
		}
	}
}

// TestRandomSequences ends with everything taken back: the host is as it was, with what others have added.
func TestRandomSequences(t *testing.T) {
	for seed := range int64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			m := &model{t: t, random: rand.New(rand.NewSource(seed)), root: newHost(t), inForce: map[string]string{}, others: map[string]string{},
				all: []*baseline.Baseline{primitives(t), loadBaseline(t, "testdata/shared.yaml", "shared")}}
			before := snapshot(t, m.root)
			for range 40 {
				switch m.random.Intn(8) {
				case 0, 1, 2, 3:
					m.fix()
				case 4:
					m.back(false)
				case 5:
					m.back(true)
				case 6:
					m.edit()
				case 7:
					m.crash()
				}
			}
			m.check()
			for len(m.inForce) > 0 {
				m.back(true)
			}
			after := snapshot(t, m.root)
			for path, added := range m.others {
				assert.Equal(t, weakHost[path]+added, readText(t, m.root, path), path)
				delete(before, path)
				delete(after, path)
			}
			assertSame(t, before, after, "everything taken back")
			halves, err := filepath.Glob(filepath.Join(m.root, "etc", ".vedette-*"))
			require.NoError(t, err)
			assert.Empty(t, halves)
			_, err = os.Stat(filepath.Join(m.root, Directory, "stage"))
			assert.ErrorIs(t, err, os.ErrNotExist)
		})
	}
}
