// SPDX-License-Identifier: Apache-2.0

// Package ring divides the tests by what they need from the machine.
//
// The plain ring needs nothing. The native ring needs root and the eBPF that
// the running kernel allows. The vm ring needs a kernel of its own and runs
// only inside the guests that test/vm boots. The reference ring needs pySigma,
// which the Sigma parser is compared with. The server ring needs Elasticsearch,
// OpenSearch and Kafka, which it starts itself. The debian ring needs a root of
// Debian 12, a copy of which it changes.
//
// A test says which ring it belongs to in its first line:
//
//	func TestSensorSeesExec(t *testing.T) {
//		ring.Require(t, ring.Native)
//		...
//	}
//
// A test that says nothing belongs to the plain ring.
package ring

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Ring is one of the six rings of tests.
type Ring string

const (
	// Plain tests run everywhere.
	Plain Ring = "plain"
	// Native tests need root, BTF and the bpf system call, on the host or in a guest.
	Native Ring = "native"
	// VM tests run only inside a guest of test/vm.
	VM Ring = "vm"
	// Reference tests compare with pySigma, which `make pysigma` installs.
	Reference Ring = "reference"
	// Server tests talk to Elasticsearch, OpenSearch and Kafka, which `make servers` installs.
	Server Ring = "server"
	// Debian tests change a copy of a root of Debian 12, which `make debian` makes.
	Debian Ring = "debian"
)

const (
	// RequireEnv names the environment variable that lists, separated by
	// commas, the rings that must run: a test of such a ring fails where it
	// would otherwise be skipped.
	RequireEnv = "VEDETTE_REQUIRE_RINGS"
	// GuestEnv names the environment variable that is "1" inside a guest.
	GuestEnv = "VEDETTE_GUEST"
)

// Attributes that Require and Cannot attach to a test, so that a reader of
// `go test -json` can tell the rings apart without reading prose.
const (
	// AttrRing carries the ring that the test belongs to.
	AttrRing = "ring"
	// AttrRingSkipped carries the reason why the test's ring cannot run here.
	AttrRingSkipped = "ring-skipped"
	// AttrCannot carries what this machine lacks for this one test.
	AttrCannot = "cannot"
)

// Require puts the test into ring r. Where that ring cannot run, the test is
// skipped with the reason, or fails with it when VEDETTE_REQUIRE_RINGS names r.
func Require(t testing.TB, r Ring) {
	t.Helper()
	require(t, r, os.Getenv(RequireEnv), machineReason)
}

// RequireOnHost puts the test into the native ring as Require does, for a test
// that needs the programs of a whole system, of which the guests have hardly
// any, or for one that is the same whatever the kernel. The guests do not run it.
func RequireOnHost(t testing.TB) {
	t.Helper()
	Require(t, Native)
	if InGuest() {
		Cannot(t, "it needs the programs of a whole system, or is the same on every kernel")
	}
}

func require(t testing.TB, r Ring, required string, reasonFor func(Ring) string) {
	t.Helper()
	t.Attr(AttrRing, string(r))
	rings, err := ParseRings(required)
	if err != nil {
		t.Fatalf("%s: %v", RequireEnv, err)
	}
	reason := reasonFor(r)
	if reason == "" {
		return
	}
	if slices.Contains(rings, r) {
		t.Fatalf("the %s ring is required by %s and cannot run here: %s", r, RequireEnv, reason)
	}
	t.Attr(AttrRingSkipped, oneLine(reason))
	t.Skipf("the %s ring cannot run here: %s", r, reason)
}

// Cannot skips one test of a ring that otherwise runs, because this machine
// lacks something that only this test needs, such as "this kernel has no
// kprobes". The reason joins the summary; it is never a failure of the ring.
func Cannot(t testing.TB, reason string) {
	t.Helper()
	t.Attr(AttrCannot, oneLine(reason))
	t.Skipf("this machine cannot run it: %s", reason)
}

// InGuest tells whether the process runs inside a guest of test/vm.
func InGuest() bool { return os.Getenv(GuestEnv) == "1" }

// ParseRings reads a comma list of ring names. An empty list is no rings.
func ParseRings(list string) ([]Ring, error) {
	var rings []Ring
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		switch r := Ring(name); {
		case name == "":
		case r == Plain, r == Native, r == VM, r == Reference, r == Server, r == Debian:
			rings = append(rings, r)
		default:
			return nil, fmt.Errorf("found ring %q, expected plain, native, vm, reference, server or debian", name)
		}
	}
	return rings, nil
}

func machineReason(r Ring) string {
	switch r {
	case Native:
		return nativeReason()
	case VM:
		if !InGuest() {
			return "it runs only inside a guest; `make test-vm` boots them"
		}
		return nativeReason()
	case Reference:
		return probeReference()
	case Server:
		return ServersReason()
	case Debian:
		return probeDebian()
	default:
		return ""
	}
}

// nativeReason is asked by every native test of a binary and loads a program
// to find the answer, so it is computed once.
var nativeReason = sync.OnceValue(probeNative)

// An attribute's value ends at the line.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
