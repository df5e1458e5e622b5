// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOptions(t *testing.T) {
	o, err := parseOptions([]string{"-run", "^fork", "-rounds", "7", "-json", "x.json"}, io.Discard)
	require.NoError(t, err)
	assert.True(t, o.wants("fork_exec_wall"))
	assert.False(t, o.wants("kernel_fork"))
	assert.Equal(t, 7, o.rounds)
	assert.Equal(t, "x.json", o.json)

	o, err = parseOptions([]string{"-quick"}, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, 1, o.rounds)
	assert.False(t, o.wants("peer_own"), "the peers need the network")

	o, err = parseOptions([]string{"-peers", "-run", "peer"}, io.Discard)
	require.NoError(t, err)
	assert.True(t, o.wants("peer_own"))
}

func TestWrongOptions(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-run", "("}, "-run: error parsing regexp"},
		{[]string{"-rounds", "0"}, "-rounds: found 0, expected at least 1"},
		{[]string{"fork"}, `found the argument "fork", expected flags only`},
		{[]string{"-nothing"}, "flag provided but not defined: -nothing"},
	} {
		_, err := parseOptions(c.args, io.Discard)
		assert.ErrorContains(t, err, c.want)
	}
}

func TestMeasurementsAreDeclaredOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range append(measurements(), peersMeasurement) {
		for _, d := range m.figures {
			assert.False(t, seen[d.name], d.name)
			seen[d.name] = true
			assert.Regexp(t, regexp.MustCompile(`^[a-z_]+$`), d.name)
			assert.LessOrEqual(t, utf8.RuneCountInString(d.what), longestWhat, d.what)
			assert.NotEmpty(t, d.unit)
		}
	}
	for _, cost := range programCostList {
		assert.True(t, seen[cost.figure], cost.figure)
		_, err := workloadNamed(cost.workload)
		assert.NoError(t, err)
	}
}

func TestList(t *testing.T) {
	o, err := parseOptions([]string{"-run", "memory"}, io.Discard)
	require.NoError(t, err)
	var out strings.Builder
	o.printList(&out)
	assert.Equal(t, "memory_idle          resident memory after the start          ≤ 128 MiB\n"+
		"memory_busy          resident memory after 10,000 processes   ≤ 128 MiB\n", out.String())
}

func TestWorkloadsWork(t *testing.T) {
	for _, w := range workloads {
		t.Run(w.name, func(t *testing.T) {
			op, err := w.prepare(t.TempDir())
			require.NoError(t, err)
			require.NoError(t, op())
			require.NoError(t, op(), "and again")
		})
	}
}

func TestSpawnTellsOfAFailedProgram(t *testing.T) {
	assert.ErrorContains(t, spawn(filepath.Join(t.TempDir(), "none")), "no such file or directory")
	assert.ErrorContains(t, spawn("/bin/false"), "ended with status 0x100")
}

func TestWorkRefusesAnUnknownWorkload(t *testing.T) {
	assert.ErrorContains(t, work([]string{"-workload", "none"}), `there is no workload "none"`)
}

// A measurement that cannot run here has its reason in the report; one that fails also makes the run fail.
func TestMeasureAll(t *testing.T) {
	one := declaration{"one", "", "ms", atMost(1)}
	for _, c := range []struct {
		name   string
		found  results
		err    error
		strict bool
		ok     bool
		note   string
		figure declaration // one where not given
	}{
		{name: "met", found: results{"one": {samples: []float64{1}}}, strict: true, ok: true},
		{name: "not met", found: results{"one": {samples: []float64{2}}}, ok: true},
		{name: "not met, strict", found: results{"one": {samples: []float64{2}}}, strict: true},
		{name: "doubtful", found: results{"one": {samples: []float64{1}, doubtful: true}}, ok: true},
		{name: "no goal, strict", found: results{"free": {samples: []float64{1}}}, figure: declaration{name: "free"}, strict: true, ok: true},
		{name: "doubtful, strict", found: results{"one": {samples: []float64{1}, doubtful: true}}, strict: true},
		{name: "cannot", err: cannot("there is no %s", "bash"), ok: true, note: "cannot run here: there is no bash"},
		{name: "failed", err: os.ErrInvalid, note: "failed: invalid argument"},
		{name: "no sample", found: results{}, note: "failed: there is no sample"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.figure.name == "" {
				c.figure = one
			}
			run := func(context.Context, *bench) (results, error) { return c.found, c.err }
			o := &options{strict: c.strict, bench: bench{match: regexp.MustCompile(""), all: []measurement{{"m", run, []declaration{c.figure}}}}}
			r := &report{}
			assert.Equal(t, c.ok, o.measureAll(t.Context(), r))
			require.Len(t, r.Figures, 1)
			assert.Equal(t, c.note, r.Figures[0].Note)
		})
	}
}

func TestMemoryAndCPUOfAProcess(t *testing.T) {
	m, err := memoryOf(os.Getpid())
	require.NoError(t, err)
	assert.Positive(t, m.resident)
	assert.Positive(t, m.proportional)
	assert.GreaterOrEqual(t, m.peak*1.01+1, m.resident)
	used, err := spentBy(os.Getpid())
	require.NoError(t, err)
	assert.Positive(t, used)
}

func TestOutputOfLynis(t *testing.T) {
	assert.Equal(t, 242, testsOfLynis("  Hardening index : 62 [####]\n  Tests performed : 242\n"))
	assert.Zero(t, testsOfLynis("Fatal error: problem while writing to log file.\n"))
}
