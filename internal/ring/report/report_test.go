// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
)

var update = flag.Bool("update", false, "write the golden files")

// record reads testdata/run.json, which `go test -json` printed for packages
// that pass, skip, fail, leave in the middle of a test and do not compile.
func record(t *testing.T, w *bytes.Buffer, verbose bool) *Recorder {
	t.Helper()
	f, err := os.Open("testdata/run.json")
	require.NoError(t, err)
	defer f.Close()
	rec := &Recorder{}
	PrintLikeGoTest(rec, w, verbose)
	require.NoError(t, rec.Read(f))
	return rec
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), got)
}

func TestPrintLikeGoTest(t *testing.T) {
	var short, long bytes.Buffer
	record(t, &short, false)
	golden(t, "short.golden", short.String())
	record(t, &long, true)
	golden(t, "verbose.golden", long.String())
}

func TestSummarize(t *testing.T) {
	s := Summarize(record(t, &bytes.Buffer{}, false), "example.org/sample")
	assert.Equal(t, "6 passed, 2 failed, 4 skipped", s.Counts())
	assert.False(t, s.OK())
	assert.ElementsMatch(t, []string{"bad.TestTable/wrong", "boom.TestExits"}, s.FailedTests)
	assert.Equal(t, map[ring.Ring]int{ring.Plain: 6, ring.Native: 2}, s.Ran)
	assert.ElementsMatch(t, []string{"example.org/sample/bad", "example.org/sample/boom", "example.org/sample/broken"}, s.FailedPackages)
	assert.Equal(t, []ring.Ring{ring.VM}, s.Missing([]ring.Ring{ring.Plain, ring.Native, ring.VM}))
	var groups bytes.Buffer
	WriteGroups(&groups, "  ", s.Groups)
	golden(t, "groups.golden", groups.String())
}

func TestDeadPackageFailsItsUnfinishedTests(t *testing.T) {
	rec := &Recorder{}
	rec.Add(Event{Action: "run", Package: "p", Test: "TestA"})
	rec.Add(Event{Action: "run", Package: "p", Test: "TestB"})
	rec.Add(Event{Action: "run", Package: "q", Test: "TestC"})
	rec.Add(Event{Action: "pass", Package: "p", Test: "TestA"})
	rec.Add(Event{Action: "fail", Package: "p"})
	require.Len(t, rec.Tests, 2)
	assert.Equal(t, Test{Package: "p", Name: "TestB", Outcome: Fail, Ring: ring.Plain, Reason: "did not finish"}, rec.Tests[1])
}

func TestBenchmarksEndWithTheirPackage(t *testing.T) {
	rec := &Recorder{}
	for _, pkg := range []string{"p", "dead"} {
		rec.Add(Event{Action: "run", Package: pkg, Test: "BenchmarkA"})
	}
	rec.Add(Event{Action: "run", Package: "p", Test: "TestB"})
	rec.Add(Event{Action: "pass", Package: "p"})
	rec.Add(Event{Action: "fail", Package: "dead"})
	assert.Equal(t, []Outcome{Pass, Fail, Fail}, []Outcome{rec.Tests[0].Outcome, rec.Tests[1].Outcome, rec.Tests[2].Outcome})
	assert.Equal(t, "TestB", rec.Tests[1].Name)
}

func TestCloseFailsAPackageThatHasNotEnded(t *testing.T) {
	rec := &Recorder{}
	rec.Add(Event{Action: "run", Package: "dead", Test: "TestA"})
	rec.Add(Event{Action: "pass", Package: "fine"})
	rec.Close("dead")
	rec.Close("fine")
	s := Summarize(rec, "")
	assert.Equal(t, "0 passed, 1 failed, 0 skipped", s.Counts())
	assert.Equal(t, []string{"dead"}, s.FailedPackages)
	assert.Len(t, rec.Packages, 2)
}

func TestFailedParentWithPassedSubtestsCounts(t *testing.T) {
	rec := &Recorder{}
	for _, e := range []Event{
		{Action: "run", Test: "TestA"},
		{Action: "run", Test: "TestA/one"},
		{Action: "pass", Test: "TestA/one"},
		{Action: "fail", Test: "TestA"},
	} {
		e.Package = "p"
		rec.Add(e)
	}
	assert.Equal(t, "1 passed, 1 failed, 0 skipped", Summarize(rec, "").Counts())
}

func TestSkipMessage(t *testing.T) {
	tests := map[string]struct {
		output []string
		want   string
	}{
		"nothing":         {nil, "no reason given"},
		"message":         {[]string{"=== RUN   TestA\n", "    a_test.go:7: too: slow\n", "--- SKIP: TestA (0.00s)\n"}, "too: slow"},
		"after a log":     {[]string{"    a_test.go:7: log\n", "    a_test.go:9: slow\n"}, "slow"},
		"several lines":   {[]string{"    a_test.go:9: slow:\n", "        very\n"}, "slow:"},
		"of a subtest":    {[]string{"        a_test.go:9: slow\n"}, "slow"},
		"no test's words": {[]string{"main.go:9: not from a test\n"}, "no reason given"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { assert.Equal(t, test.want, skipMessage(test.output)) })
	}
}

func FuzzRead(f *testing.F) {
	recorded, err := os.ReadFile("testdata/run.json")
	require.NoError(f, err)
	f.Add(string(recorded))
	f.Add("not json\n{\"Action\":\"fail\"}\n")
	f.Fuzz(func(t *testing.T, stream string) {
		rec := &Recorder{}
		PrintLikeGoTest(rec, &bytes.Buffer{}, false)
		require.NoError(t, rec.Read(strings.NewReader(stream)))
		s := Summarize(rec, "m")
		require.LessOrEqual(t, s.Passed+s.Failed+s.Skipped, len(rec.Tests))
	})
}
