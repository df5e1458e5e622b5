// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring/report"
	"github.com/vedette-sec/vedette/test/vm/protocol"
)

// kept is a sink that keeps what it is given.
type kept struct {
	strings.Builder
	closed bool
}

func (k *kept) Write(b []byte) (int, error) { return k.Builder.Write(b) }
func (k *kept) Close() error                { k.closed = true; return nil }

func twoSteps() protocol.Plan {
	return protocol.Plan{Nonce: "N", Steps: []protocol.Step{
		{Name: "a", Timeout: time.Minute}, {Name: "b", Timeout: time.Hour},
	}}
}

func TestResults(t *testing.T) {
	const ready = "@@vedette:N ready 2.50 6.1.0\n"
	tests := map[string]struct {
		text     string
		output   map[string]string
		problems []string
		failed   []failedStep
	}{
		"complete": {
			text:   ready + "@@vedette:N begin a\none\ntwo\n@@vedette:N end a 0\n@@vedette:N begin b\n@@vedette:N end b 0\n@@vedette:N done\n",
			output: map[string]string{"a": "one\ntwo\n", "b": ""},
		},
		"carriage returns and unfinished lines": {
			text:   ready + "@@vedette:N begin a\none@@vedette:N end a 0\r\n@@vedette:N begin b\r\nx@@vedette:N end b 0\n@@vedette:N done",
			output: map[string]string{"a": "one\n", "b": "x\n"},
		},
		"kernel messages in between": {
			text: "[    0.1] early\n" + ready + "[    2.6] x\n@@vedette:N begin a\n[    2.7] y\n--- PASS: TestA (0.00s)\n" +
				"[    2.8] z@@vedette:N end a 0\n@@vedette:N begin b\n@@vedette:N end b 0\n@@vedette:N done\n[    3.0] reboot",
			output: map[string]string{"a": "[    2.7] y\n--- PASS: TestA (0.00s)\n[    2.8] z\n", "b": ""},
		},
		"a test that talks like a guest": {
			text:   ready + "@@vedette:N begin a\n@@vedette:M done\n@@vedette:N end a 0\n@@vedette:N begin b\n@@vedette:N end b 0\n@@vedette:N done\n",
			output: map[string]string{"a": "@@vedette:M done\n", "b": ""},
		},
		"failed status and timeout": {
			text:     ready + "@@vedette:N begin a\n@@vedette:N end a 1\n@@vedette:N begin b\n@@vedette:N end b timeout\n@@vedette:N done\n",
			output:   map[string]string{"a": "", "b": ""},
			failed:   []failedStep{{"a", "1"}},
			problems: []string{"b did not end in time and was killed"},
		},
		"silent": {
			output: map[string]string{}, problems: []string{"the guest never said that it had booted"},
		},
		"dead while a test ran": {
			text:     ready + "@@vedette:N begin a\n=== RUN   TestA\n",
			output:   map[string]string{"a": "=== RUN   TestA\n"},
			problems: []string{"the guest ended while a ran"},
		},
		"dead between steps": {
			text:     ready + "@@vedette:N begin a\n@@vedette:N end a 0\n",
			output:   map[string]string{"a": ""},
			problems: []string{"the guest ended before its last step; not run: b"},
		},
		"cut in the last marker": {
			text:   ready + "@@vedette:N begin a\n@@vedette:N end a 0\n@@vedette:N begin b\n@@vedette:N end b 0\n@@vedette:N do",
			output: map[string]string{"a": "", "b": ""}, problems: []string{"the guest did not reach its end"},
		},
		"done too early": {
			text: ready + "@@vedette:N begin a\n@@vedette:N end a 0\n@@vedette:N done\n", output: map[string]string{"a": ""},
			problems: []string{"the guest ended 1 steps of 2"},
		},
		"steps mixed up": {
			text:     ready + "@@vedette:N begin a\n@@vedette:N begin b\n@@vedette:N end a 0\n@@vedette:N end b 0\n@@vedette:N done\n",
			output:   map[string]string{"a": "", "b": ""},
			problems: []string{"b began before a ended", `the guest ended a while "b" ran`, `the guest ended b while "" ran`},
		},
		"nonsense for uptime": {
			text:   "@@vedette:N ready soon 6.1.0\n@@vedette:N begin a\n@@vedette:N end a 0\n@@vedette:N begin b\n@@vedette:N end b 0\n@@vedette:N done\n",
			output: map[string]string{"a": "", "b": ""}, problems: []string{`the guest gave its uptime as "soon", expected seconds`},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			sinks := make(map[string]*kept)
			r := results{plan: twoSteps(), open: func(step string) (sink, error) {
				sinks[step] = &kept{}
				return sinks[step], nil
			}}
			for line := range strings.Lines(test.text) {
				r.line(line)
			}
			r.finish()
			output := make(map[string]string)
			for step, k := range sinks {
				output[step] = k.String()
				assert.True(t, k.closed, step)
			}
			assert.Equal(t, test.output, output)
			assert.Equal(t, test.problems, r.problems)
			assert.Equal(t, test.failed, r.failed)
		})
	}
}

func TestResultsPatience(t *testing.T) {
	r := results{plan: twoSteps(), open: func(string) (sink, error) { return &kept{}, nil }}
	boot := r.patience()
	r.line("@@vedette:N ready 2.50 6.1.0\n")
	between := r.patience()
	assert.Less(t, between, boot)
	r.line("@@vedette:N begin b\n")
	assert.Greater(t, r.patience(), time.Hour, "the step's own timeout comes first")
	r.line("@@vedette:N end b 0\n")
	assert.Equal(t, between, r.patience())
}

func TestResultsWithoutSink(t *testing.T) {
	r := results{plan: twoSteps(), open: func(string) (sink, error) { return nil, errors.New("no test2json") }}
	r.line("@@vedette:N ready 2.50 6.1.0\n")
	r.line("@@vedette:N begin a\n")
	r.line("lost\n")
	assert.Equal(t, []string{"a: no test2json"}, r.problems)
}

// The real converter: the output of test binaries, whole and cut short.
func TestConverter(t *testing.T) {
	tests := map[string]struct {
		output string
		counts string
		failed bool
	}{
		"passed": {"\x16=== RUN   TestA\n\x16--- PASS: TestA (0.25s)\n\x16PASS\n", "1 passed, 0 failed, 0 skipped", false},
		"failed": {"\x16=== RUN   TestA\n    a_test.go:1: no\n\x16--- FAIL: TestA (0.00s)\n\x16FAIL\n", "0 passed, 1 failed, 0 skipped", true},
		"cut":    {"\x16=== RUN   TestA\n", "0 passed, 1 failed, 0 skipped", true},
		"mute":   {"", "0 passed, 0 failed, 0 skipped", true},
		"panics": {"\x16=== RUN   TestA\npanic: oh\n\ngoroutine 1 [running]:\n", "0 passed, 1 failed, 0 skipped", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			rec := &report.Recorder{}
			c, err := newConverter(t.Context(), "example.org/p", rec)
			require.NoError(t, err)
			_, err = c.Write([]byte(test.output))
			require.NoError(t, err)
			require.NoError(t, c.Close())
			s := report.Summarize(rec, "example.org")
			assert.Equal(t, test.counts, s.Counts())
			assert.Equal(t, test.failed, len(s.FailedPackages) == 1)
			if name == "passed" {
				assert.Equal(t, 0.25, rec.Tests[0].Seconds)
			}
		})
	}
}

func FuzzResults(f *testing.F) {
	f.Add("@@vedette:N ready 2.5 6.1\n@@vedette:N begin a\nx\n@@vedette:N end a 0\n@@vedette:N done\n")
	f.Add("@@vedette:N begin b\n@@vedette:N begin b\n@@vedette:N end a 0@@vedette:N done")
	f.Fuzz(func(t *testing.T, text string) {
		open := 0
		r := results{plan: twoSteps(), open: func(string) (sink, error) { open++; return &counted{&open}, nil }}
		for line := range strings.Lines(text) {
			r.line(line)
			require.Positive(t, r.patience())
		}
		r.finish()
		require.Zero(t, open, "every sink is closed")
		complete := r.ready && r.done && r.ended >= 2
		require.True(t, complete || len(r.problems) > 0, "an incomplete guest is a problem")
	})
}

type counted struct{ open *int }

func (c *counted) Write(b []byte) (int, error) { return len(b), nil }
func (c *counted) Close() error                { *c.open--; return nil }
