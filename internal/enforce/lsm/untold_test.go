// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/ring"
)

// What is not told one by one is counted for each rule: more is refused than the buffer has room for, and one rule refuses more than is told
// in a second.
func TestUntoldVerdictsAreCountedByRule(t *testing.T) {
	ring.Require(t, ring.VM)
	e := shared(t)
	dir := t.TempDir()
	text := "policy: untold\nmode: enforce\nrules:\n"
	for name := range strings.SplitSeq("abcdefgh", "") {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, nil, 0o644))
		text += fmt.Sprintf("  - {name: %s, files: {paths: [%s], operations: [delete]}}\n", name, file)
	}
	load(t, e, text)
	before := e.Status() // what the rules were counted when this test ran before too
	refused := func(name string, times int) {
		name = filepath.Join(dir, name)
		for range times {
			require.ErrorIs(t, unix.Unlink(name), unix.EPERM)
		}
	}
	status := before
	for tries := 0; sum(status, lostOf) == sum(before, lostOf) || sum(status, foldedOf) == sum(before, foldedOf); tries++ {
		require.Less(t, tries, 1000, "%d lost, %d folded", sum(status, lostOf)-sum(before, lostOf), sum(status, foldedOf)-sum(before, foldedOf))
		for name := range strings.SplitSeq("abcdefgh", "") {
			refused(name, 25)
		}
		refused("a", 600) // in a row, as it must be within a second
		status = e.Status()
	}
	told := map[string]uint64{}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for {
		v, err := e.Next(ended)
		if err != nil {
			break
		}
		told[v.Rule]++
	}
	for i, r := range status.Rules {
		was := before.Rules[i]
		r.Denied, r.Folded, r.Lost = r.Denied-was.Denied, r.Folded-was.Folded, r.Lost-was.Lost
		assert.NotZero(t, told[r.Rule], r.Rule)
		assert.Equal(t, r.Denied, told[r.Rule]+r.Folded+r.Lost, "rule %s: %d folded, %d lost", r.Rule, r.Folded, r.Lost)
	}
	assert.Equal(t, status.Lost-before.Lost, sum(status, lostOf)-sum(before, lostOf), "each has one rule")
}

func lostOf(r enforce.RuleStatus) uint64   { return r.Lost }
func foldedOf(r enforce.RuleStatus) uint64 { return r.Folded }

func sum(s enforce.Status, of func(enforce.RuleStatus) uint64) (n uint64) {
	for _, r := range s.Rules {
		n += of(r)
	}
	return n
}
