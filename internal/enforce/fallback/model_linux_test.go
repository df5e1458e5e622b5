// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package fallback

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// world is what random policies are about: three programs, two ports and two files.
type world struct {
	programs []string
	ports    []int
	files    []string
}

// policies makes random ones, all in mode enforce or audit.
func (w *world) policies(r *rand.Rand) string {
	var b strings.Builder
	for p := range 1 + r.IntN(3) {
		fmt.Fprintf(&b, "---\npolicy: p%d\nmode: %s\nrules:\n", p, pick(r, "enforce", "enforce", "audit"))
		for i := range 1 + r.IntN(3) {
			fmt.Fprintf(&b, "  - {name: r%d, %s%s%s}\n", i, w.part(r), w.subjects(r, ", who", 0.5), w.subjects(r, ", allow", 0.6))
		}
	}
	return b.String()
}

func pick[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

func (w *world) part(r *rand.Rand) string {
	switch r.IntN(3) {
	case 0:
		return fmt.Sprintf("files: {paths: [%s], operations: [%s]}", pick(r, w.files...), pick(r, "write", "read", "read, write"))
	case 1:
		return fmt.Sprintf(`network: {operations: [connect], only: ["127.0.0.0/8:%d"]}`, pick(r, w.ports...))
	}
	return fmt.Sprintf(`network: {operations: [connect], deny: ["%s%d%s"]}`, pick(r, "*:", "127.0.0.1:"), pick(r, w.ports...), pick(r, "", "/tcp", "/udp"))
}

func (w *world) subjects(r *rand.Rand, key string, often float64) string {
	if r.Float64() > often {
		if key == ", who" { // never about the rest of this host
			return fmt.Sprintf("%s: [{executable: %s}, {executable: %s}, {executable: %s}]", key, w.programs[0], w.programs[1], w.programs[2])
		}
		return ""
	}
	return fmt.Sprintf("%s: [{executable: %s, lineage: %t%s}]", key, pick(r, w.programs...), r.IntN(2) == 0, pick(r, "", ", user: root", `, user: "65534"`))
}

// deed is what a program does, perhaps as the child of another.
type deed struct {
	chain   []string // who acts first, then who started it
	what    []string
	request policy.Request
}

func (w *world) deeds() []deed {
	var all []deed
	for _, acting := range w.programs {
		for _, chain := range [][]string{{acting}, {acting, w.programs[0]}, {acting, w.programs[1]}} {
			for _, port := range w.ports {
				to := &policy.Address{AddrPort: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port)), Protocol: policy.TCP}
				all = append(all, deed{chain, []string{"connect", strconv.Itoa(port)}, policy.Request{Operation: policy.Connect, Address: to}})
			}
			for _, file := range w.files {
				f := &policy.File{Paths: []string{file}}
				all = append(all, deed{chain, []string{"read", file}, policy.Request{Operation: policy.Read, File: f}},
					deed{chain, []string{"write", file}, policy.Request{Operation: policy.Write, File: f}})
			}
		}
	}
	return all
}

// unlessInGuest gives how often something is done: emulated guests are slow, and the host does it often enough.
func unlessInGuest(often, inGuest int) int {
	if ring.InGuest() {
		return inGuest
	}
	return often
}

func (d *deed) do(t *testing.T) string {
	name, args := d.chain[0], d.what
	if len(d.chain) > 1 {
		name, args = d.chain[1], append([]string{"run", d.chain[0]}, d.what...)
	}
	return outcome(t, name, args...)
}

// What the kernel and fanotify refuse must be what pkg/policy's own evaluator says, for any policies and any chain of programs.
func TestVerdictsAreThoseOfTheEvaluator(t *testing.T) {
	ring.Require(t, ring.Native)
	dir := directory(t)
	w := &world{
		programs: []string{copyOf(t, "first"), copyOf(t, "second"), copyOf(t, "third")},
		ports:    []int{listener(t), listener(t)}, files: []string{file(t, dir, "one"), file(t, dir, "two")},
	}
	e := enforcer(t)
	const seed, tries = 20260304, 14
	sets := unlessInGuest(12, 3)
	r := rand.New(rand.NewPCG(seed, 0))
	deeds := w.deeds()
	denied := 0
	for range sets {
		text := w.policies(r)
		policies, err := policy.Parse("random.yaml", []byte(text))
		require.NoError(t, err, text)
		set := &policy.Set{Policies: policies}
		require.NoError(t, e.Load(set))
		for range tries {
			d := pick(r, deeds...)
			d.request.Subject = policy.Actor{User: "root"}
			for _, name := range append(d.chain, testProgram(t)) {
				d.request.Subject.Lineage = append(d.request.Subject.Lineage, policy.Program{Executable: name, Trusted: true})
			}
			want := "ok"
			if set.Evaluate(d.request).Verdict == policy.Denied {
				want = "EPERM"
				denied++
			}
			assert.Equal(t, want, d.do(t), "%v by %v under\n%s", d.what, d.chain, text)
		}
	}
	assert.Greater(t, denied, sets, "random policies deny something")
}

func testProgram(t *testing.T) string {
	t.Helper()
	name, err := os.Executable()
	require.NoError(t, err)
	return name
}

// While policies are replaced nothing that both forbid may pass.
func TestNothingPassesWhilePoliciesAreReplaced(t *testing.T) {
	ring.Require(t, ring.Native)
	intruder, dir, port := copyOf(t, "intruder"), directory(t), listener(t)
	secret := file(t, dir, "secret")
	text := `
policy: always
mode: enforce
rules:
  - {name: file, files: {paths: [%[1]s], operations: secret}, who: [{executable: %[2]s}]}
  - {name: out, network: {operations: [connect], deny: ["127.0.0.1:%[3]d"]}, who: [{executable: %[2]s}]}
---
policy: sometimes%[4]d
rules:
  - {name: file, files: {paths: [%[5]s/**], operations: tamper}, who: [{executable: %[2]s}]}
`
	e := loadedWith(t, text, secret, intruder, port, 0, dir)
	reading, enough := context.WithCancel(t.Context())
	var reader sync.WaitGroup
	reader.Go(func() {
		for {
			if _, err := e.Next(reading); err != nil {
				return
			}
		}
	})
	defer reader.Wait()
	defer enough()
	hammer := command(intruder, "hammer", secret, strconv.Itoa(port))
	in, err := hammer.StdinPipe()
	require.NoError(t, err)
	out, err := hammer.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, hammer.Start())
	for i := range unlessInGuest(60, 15) {
		load(t, e, text, secret, intruder, port, i%2, dir)
	}
	require.NoError(t, in.Close())
	var tried, passed int
	_, err = fmt.Fscan(out, &tried, &passed)
	require.NoError(t, err)
	require.NoError(t, hammer.Wait())
	assert.Zero(t, passed, "of %d tries", tried)
	assert.Positive(t, tried)
	assert.Eventually(t, func() bool {
		counted := uint64(0)
		for _, s := range e.Status().Rules {
			if s.Policy == "always" {
				counted += s.Denied
			}
		}
		return counted == uint64(tried)
	}, timeLimit, timeStep, "each is counted")
}
