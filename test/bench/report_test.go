// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files")

func exampleReport() *report {
	declared := declaration{"fork_exec_wall", "fork+exec of a tiny program, time", "ratio", atMost(1.03)}
	return &report{
		Time: "2026-11-23T12:00:00Z", Kernel: "6.12.0", CPUs: 2, Go: "go1.26", LoadBefore: "0.10 0.20 0.30", LoadAfter: "1.00 0.50 0.40", Seconds: 321,
		Figures: []figure{
			summarise(declared, result{samples: []float64{1.041, 1.0162345, 1.02}, note: "400µs without the agent"}, nil),
			summarise(declaration{"files", "kernel to log record, file events", "/CPU s", atLeast(250000)}, result{samples: []float64{215312, 198765.4}}, nil),
			summarise(declaration{"memory", "resident memory after the start", "MiB", atMost(128)}, result{samples: []float64{104.3}}, nil),
			summarise(declaration{"latency", "reverse shell to alert in the log", "ms", atMost(1000)}, result{}, cannot("bash is not installed")),
			summarise(declaration{"ecs", "records written as ECS documents", "/CPU s", atLeast(500000)}, result{}, errors.New("the sample is empty")),
			summarise(declaration{"go_build_wall", "go build with an empty cache, time", "ratio", atMost(1.05)}, result{samples: []float64{0.9}, note: "not judged: another agent ran", doubtful: true}, nil),
			summarise(declaration{"idle", "share of one CPU when idle", "%", atMost(1)}, result{samples: []float64{0}}, nil),
		},
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got))
}

func TestTable(t *testing.T) {
	var table strings.Builder
	exampleReport().writeTable(&table)
	golden(t, "table.txt", []byte(table.String()))
}

func TestJSON(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "bench.json")
	require.NoError(t, exampleReport().writeJSON(path))
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	golden(t, "bench.json", got)
}

func TestJSONIntoAFileThatIsNoDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	assert.ErrorContains(t, exampleReport().writeJSON(filepath.Join(file, "bench.json")), "make the report's directory")
}

func TestNumber(t *testing.T) {
	for value, want := range map[float64]string{
		0: "0", 1: "1", 1.0345: "1.034", 0.05: "0.05", 12.34: "12.3", 104.3: "104", 1000: "1,000", 999.7: "1000",
		215312: "215,300", 1234567: "1,235,000", -1234: "-1,234", 0.0004: "0",
	} {
		assert.Equal(t, want, number(value), "%v", value)
	}
}

func TestGoals(t *testing.T) {
	for _, c := range []struct {
		goal  goal
		value float64
		met   bool
	}{
		{atMost(1.03), 1.03, true},
		{atMost(1.03), 1.0301, false},
		{atLeast(500000), 500000, true},
		{atLeast(500000), 499999, false},
	} {
		assert.Equal(t, c.met, c.goal.met(c.value), "%v %v", c.goal, c.value)
	}
}

// A row of the widest figures there may be has to fit a terminal.
const columns = 100

func TestRowsFit(t *testing.T) {
	var table strings.Builder
	r := &report{}
	for i := range 3 {
		one := declaration{"n", strings.Repeat("w", longestWhat), "/CPU s", atLeast(500000)}
		r.Figures = append(r.Figures, summarise(one, result{samples: []float64{1234567, 1234567 + float64(i)}}, nil))
	}
	r.writeTable(&table)
	for _, line := range strings.Split(table.String(), "\n")[:4] {
		assert.LessOrEqual(t, utf8.RuneCountInString(line), columns, line)
	}
}
