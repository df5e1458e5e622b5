// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/pkg/baseline"
)

// become makes one path of a host as it is on another one.
func (f tree) become(t *testing.T, root, path string) {
	full := filepath.Join(root, path)
	require.NoError(t, os.RemoveAll(full))
	text, there := f[path]
	if !there {
		return
	}
	made := tree{path: text}.write(t)
	require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o755))
	require.NoError(t, os.Rename(filepath.Join(made, path), full))
}

// TestScansAgainFindWhatFirstScansFind turns a good host into a bad one and back, one file at a time in any order, and compares a
// scan that knows the ones before with one that knows nothing.
func TestScansAgainFindWhatFirstScansFind(t *testing.T) {
	all := resolved(t, "mlps-l3", "cis-debian12")
	known := hosts(all)
	good, bad := known["good"], known["bad"]
	paths := slices.Sorted(maps.Keys(good.with(bad)))
	random := rand.New(rand.NewPCG(7, 7))
	root := good.write(t)
	scanner := baseline.NewScanner(root, baseline.Effort{}, time.Hour)
	defer func() { require.NoError(t, scanner.Close()) }()
	for _, b := range all {
		require.NoError(t, scanner.Add(b, baseline.Options{}))
	}
	anew := 0
	for step := range 40 {
		path, other := paths[random.IntN(len(paths))], []tree{good, bad}[random.IntN(2)]
		other.become(t, root, path)
		reports, err := scanner.Scan(t.Context(), nil, time.Now())
		require.NoError(t, err)
		for i, b := range all {
			want, err := baseline.Scan(t.Context(), b, baseline.Options{Root: root})
			require.NoError(t, err)
			require.Equal(t, len(want.Results), len(reports[i].Results))
			for j, result := range want.Results {
				assert.Equal(t, result, reports[i].Results[j], "step %d, %s: %s", step, path, result.Rule.ID)
			}
			if step > 0 {
				anew += reports[i].Judged
			}
		}
		if t.Failed() {
			return
		}
	}
	assert.Less(t, anew, 39*(len(all[0].Rules)+len(all[1].Rules))/2, "most rules are not judged anew")
}
