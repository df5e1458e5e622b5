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
	lost := e.Status().Lost
	for sum(e.Status(), lostOf) == 0 || sum(e.Status(), foldedOf) == 0 {
		for range 25 {
			for _, name := range strings.Split("abcdefghaaaaa", "") {
				require.ErrorIs(t, os.Remove(filepath.Join(dir, name)), unix.EPERM)
			}
		}
	}
	status := e.Status()
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
	for _, r := range status.Rules {
		assert.NotZero(t, told[r.Rule], r.Rule)
		assert.Equal(t, r.Denied, told[r.Rule]+r.Folded+r.Lost, "rule %s: %d folded, %d lost", r.Rule, r.Folded, r.Lost)
	}
	assert.Equal(t, status.Lost-lost, sum(status, lostOf), "each has one rule")
}

func lostOf(r enforce.RuleStatus) uint64   { return r.Lost }
func foldedOf(r enforce.RuleStatus) uint64 { return r.Folded }

func sum(s enforce.Status, of func(enforce.RuleStatus) uint64) (n uint64) {
	for _, r := range s.Rules {
		n += of(r)
	}
	return n
}
