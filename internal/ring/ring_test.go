// SPDX-License-Identifier: Apache-2.0

package ring

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	testify "github.com/stretchr/testify/require"
)

// recorder stands in for the test that asks for a ring, so that its skip or
// failure can be looked at.
type recorder struct {
	testing.TB
	attrs           map[string]string
	skipped, failed string
}

func (r *recorder) Helper()                {}
func (r *recorder) Attr(key, value string) { r.attrs[key] = value }
func (r *recorder) Fatalf(format string, args ...any) {
	r.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}
func (r *recorder) Skipf(format string, args ...any) {
	r.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// record runs f as a test would and returns what became of it.
func record(f func(testing.TB)) (r *recorder, returned bool) {
	r = &recorder{attrs: make(map[string]string)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(r)
		returned = true
	}()
	<-done
	return r, returned
}

func TestRequire(t *testing.T) {
	notRoot := func(Ring) string { return "not\nroot" }
	tests := map[string]struct {
		ring     Ring
		required string
		reason   func(Ring) string
		runs     bool
		skipped  string
		failed   string
		attrs    map[string]string
	}{
		"runs": {
			ring: Native, required: "native", reason: func(Ring) string { return "" }, runs: true,
			attrs: map[string]string{"ring": "native"},
		},
		"skips with the reason": {
			ring: Native, reason: notRoot,
			skipped: "the native ring cannot run here: not\nroot",
			attrs:   map[string]string{"ring": "native", "ring-skipped": "not root"},
		},
		"skips while another ring is required": {
			ring: VM, required: "plain, native", reason: notRoot,
			skipped: "the vm ring cannot run here: not\nroot",
			attrs:   map[string]string{"ring": "vm", "ring-skipped": "not root"},
		},
		"fails when required": {
			ring: Native, required: "plain,native", reason: notRoot,
			failed: "the native ring is required by VEDETTE_REQUIRE_RINGS and cannot run here: not\nroot",
			attrs:  map[string]string{"ring": "native"},
		},
		"fails for an unknown ring": {
			ring: Plain, required: "plain,metal", reason: func(Ring) string { return "" },
			failed: `VEDETTE_REQUIRE_RINGS: found ring "metal", expected plain, native, vm, reference, server or debian`,
			attrs:  map[string]string{"ring": "plain"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, returned := record(func(tb testing.TB) { require(tb, test.ring, test.required, test.reason) })
			assert.Equal(t, test.runs, returned)
			assert.Equal(t, test.skipped, r.skipped)
			assert.Equal(t, test.failed, r.failed)
			assert.Equal(t, test.attrs, r.attrs)
		})
	}
}

func TestCannotSkipsAndNeverFails(t *testing.T) {
	t.Setenv(RequireEnv, "plain,native,vm")
	r, returned := record(func(tb testing.TB) { Cannot(tb, "this kernel has no kprobes") })
	assert.False(t, returned)
	assert.Equal(t, "this machine cannot run it: this kernel has no kprobes", r.skipped)
	assert.Empty(t, r.failed)
	assert.Equal(t, map[string]string{"cannot": "this kernel has no kprobes"}, r.attrs)
}

func TestRequireOnHostKeepsOutOfGuests(t *testing.T) {
	t.Setenv(RequireEnv, "")
	t.Setenv(GuestEnv, "1")
	r, returned := record(func(tb testing.TB) { RequireOnHost(tb) })
	assert.False(t, returned)
	assert.Equal(t, "native", r.attrs[AttrRing])
	assert.NotEmpty(t, r.skipped)
}

func TestParseRings(t *testing.T) {
	rings, err := ParseRings(" plain,,vm ")
	testify.NoError(t, err)
	assert.Equal(t, []Ring{Plain, VM}, rings)
	rings, err = ParseRings("")
	testify.NoError(t, err)
	assert.Empty(t, rings)
	_, err = ParseRings("plain,Native")
	assert.EqualError(t, err, `found ring "Native", expected plain, native, vm, reference, server or debian`)
}

func TestVMRingRunsOnlyInGuests(t *testing.T) {
	t.Setenv(GuestEnv, "")
	assert.False(t, InGuest())
	assert.Contains(t, machineReason(VM), "only inside a guest")
	assert.Empty(t, machineReason(Plain))
	t.Setenv(GuestEnv, "1")
	assert.True(t, InGuest())
	assert.Equal(t, machineReason(Native), machineReason(VM))
}
