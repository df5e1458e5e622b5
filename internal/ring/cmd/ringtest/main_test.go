// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/internal/ring/report"
)

func TestVerdict(t *testing.T) {
	all := []ring.Ring{ring.Plain, ring.Native, ring.VM}
	ran := map[ring.Ring]int{ring.Plain: 2, ring.Native: 1}
	passed := report.Summary{Passed: 3, Ran: ran}
	waiting := report.Summary{Passed: 3, Skipped: 1, Ran: ran, Groups: []report.Group{
		{Reason: "only in guests", Ring: ring.VM, RingSkipped: true, Tests: []string{"p.TestGuest"}},
	}}
	tests := map[string]struct {
		verdict verdict
		ok      bool
		want    string
	}{
		"all passed": {
			verdict{summary: waiting, required: all, vm: vmResult{status: vmPassed, took: 5 * time.Second}, took: 9 * time.Second}, true,
			"\nRings: plain 2 ran, native 1 ran, reference 0 ran, server 0 ran, debian 0 ran, vm passed in 5.0s\n" +
				"PASS  3 passed, 0 failed, 1 skipped on this host, 9.0s\n",
		},
		"vm not asked for": {
			verdict{summary: waiting}, true,
			"\nCould not run on this host:\n  1 test: only in guests: p.TestGuest\n" +
				"\nRings: plain 2 ran, native 1 ran, reference 0 ran, server 0 ran, debian 0 ran, vm not asked for\n" +
				"PASS  3 passed, 0 failed, 1 skipped on this host, 0.0s\n",
		},
		"vm cannot run": {
			verdict{summary: passed, vm: vmResult{status: vmCannotRun, reason: "no qemu"}}, true,
			"\nCould not run on this host:\n  no qemu\n" +
				"\nRings: plain 2 ran, native 1 ran, reference 0 ran, server 0 ran, debian 0 ran, vm could not run\n" +
				"PASS  3 passed, 0 failed, 0 skipped on this host, 0.0s\n",
		},
		"vm cannot run and is required": {
			verdict{summary: passed, required: all, vm: vmResult{status: vmCannotRun, reason: "no qemu"}}, false,
			"\nCould not run on this host:\n  no qemu\n" +
				"\nRings: plain 2 ran, native 1 ran, reference 0 ran, server 0 ran, debian 0 ran, vm could not run\n" +
				"FAIL  3 passed, 0 failed, 0 skipped on this host, 0.0s: the vm ring is required and did not run\n",
		},
		"vm failed": {
			verdict{summary: passed, required: all, vm: vmResult{status: vmFailed, reason: "6.1: p.TestGuest failed"}}, false,
			"\nRings: plain 2 ran, native 1 ran, reference 0 ran, server 0 ran, debian 0 ran, vm FAILED\n" +
				"FAIL  3 passed, 0 failed, 0 skipped on this host, 0.0s: the vm ring failed: 6.1: p.TestGuest failed\n",
		},
		"a required ring without tests": {
			verdict{summary: report.Summary{Passed: 1, Ran: map[ring.Ring]int{ring.Plain: 1}}, required: []ring.Ring{ring.Native}}, false,
			"\nRings: plain 1 ran, native 0 ran, reference 0 ran, server 0 ran, debian 0 ran, vm not asked for\n" +
				"FAIL  1 passed, 0 failed, 0 skipped on this host, 0.0s: the native ring is required and did not run\n",
		},
		"go test failed without a test": {
			verdict{summary: passed, goTestExit: 1}, false,
			"\nRings: plain 2 ran, native 1 ran, reference 0 ran, server 0 ran, debian 0 ran, vm not asked for\n" +
				"FAIL  3 passed, 0 failed, 0 skipped on this host, 0.0s: go test ended with status 1\n",
		},
		"tests failed": {
			verdict{summary: report.Summary{Failed: 2, Ran: ran, FailedTests: []string{"p.TestA", "q.TestB"}, FailedPackages: []string{"m/p", "m/q"}}, goTestExit: 1}, false,
			"\nRings: plain 2 ran, native 1 ran, reference 0 ran, server 0 ran, debian 0 ran, vm not asked for\n" +
				"FAIL  0 passed, 2 failed, 0 skipped on this host, 0.0s: 2 failed: p.TestA, q.TestB; failed packages: m/p, m/q\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			test.verdict.write(&out)
			assert.Equal(t, test.want, out.String())
			assert.Equal(t, test.ok, test.verdict.ok())
		})
	}
}

func TestParseOptions(t *testing.T) {
	o, err := parseOptions([]string{"-race", "-count", "2", "-run", "TestX", "./internal/..."}, "plain,vm")
	require.NoError(t, err)
	assert.Equal(t, []string{"test", "-json", "-timeout=1h", "-run", "TestX", "-count=2", "-race", "./internal/..."}, o.goTestArgs())
	assert.Equal(t, "plain", o.hostRings())
	assert.True(t, o.wantsVM(), "it is required")

	o, err = parseOptions(nil, "")
	require.NoError(t, err)
	assert.Equal(t, []string{"test", "-json", "-timeout=1h", "./..."}, o.goTestArgs())
	assert.True(t, o.wantsVM())

	for _, args := range [][]string{{"-run", "TestX"}, {"./internal/..."}, {"-vm", "never"}} {
		o, err = parseOptions(args, "")
		require.NoError(t, err)
		assert.False(t, o.wantsVM(), args)
	}

	_, err = parseOptions([]string{"-vm", "maybe"}, "")
	assert.EqualError(t, err, `-vm: found "maybe", expected auto, always or never`)
	_, err = parseOptions(nil, "bare")
	assert.EqualError(t, err, `VEDETTE_REQUIRE_RINGS: found ring "bare", expected plain, native, vm, reference, server or debian`)
}

func TestNewVMResult(t *testing.T) {
	assert.Equal(t, vmPassed, newVMResult(0, "", 0).status)
	assert.Equal(t, vmResult{status: vmFailed, reason: "6.1: p.TestGuest failed"}, newVMResult(1, "note\n6.1: p.TestGuest failed\n", 0))
	assert.Equal(t, vmFailed, newVMResult(2, "", 0).status)
	assert.Equal(t, vmResult{status: vmCannotRun, reason: "no qemu"}, newVMResult(3, "note\nno qemu\n", 0))
}

func TestExitStatus(t *testing.T) {
	status, err := exitStatus(exec.Command("sh", "-c", "exit 3").Run())
	require.NoError(t, err)
	assert.Equal(t, 3, status)
	_, err = exitStatus(exec.Command("sh", "-c", "kill -9 $$").Run())
	assert.Error(t, err, "killed by a signal")
	_, err = exitStatus(errors.New("not started"))
	assert.Error(t, err)
}
