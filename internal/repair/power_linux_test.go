// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

// cutRules are those of testdata/primitives.yaml whose repair is cut: for each way in which something comes to the disk.
var cutRules = []string{"file", "config.login", "config.dropin", "line", "unit.masked", "unit.enabled", "account.days", "pam", "boot", "firewall", "walk"}

// mustRun runs a program and gives what it writes.
func mustRun(t testing.TB, name string, args ...string) string {
	output, err := exec.Command(name, args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, output)
	return string(output)
}

// powerCut is a host on a disk with ext4, which has its own journal.
type powerCut struct {
	testing.TB
	dir, disk, root string
	before, after   map[string]State // of the repair that is cut
	cuts            int
}

func newPowerCut(t testing.TB) *powerCut {
	p := &powerCut{TB: t, dir: t.TempDir()}
	p.disk = filepath.Join(p.dir, "disk")
	mustRun(t, "mke2fs", "-q", "-t", "ext4", "-d", newHost(t), p.disk, "16M")
	p.root = p.mount(p.disk, "root")
	t.Cleanup(func() { mustRun(t, "umount", "--lazy", p.root) })
	return p
}

func (p *powerCut) mount(disk, name string) string {
	at := filepath.Join(p.dir, name)
	require.NoError(p, os.MkdirAll(at, 0o755))
	mustRun(p, "mount", "-o", "loop", disk, at)
	return at
}

// copied is the disk as it was at one moment, without what the kernel had yet to write to it: a copy that the kernel wrote beside is
// another than the disk when it is compared with it, and is made anew.
func (p *powerCut) copied() string {
	copied := filepath.Join(p.dir, "copy")
	for range 100 {
		mustRun(p, "cp", "--sparse=always", p.disk, copied)
		if exec.Command("cmp", "--quiet", p.disk, copied).Run() == nil {
			return copied
		}
	}
	require.Fail(p, "the disk is never left alone for as long as it takes to copy it")
	return ""
}

// cut has the host on a copy of the disk recovered.
func (p *powerCut) cut(what string) {
	p.cuts++
	root := p.mount(p.copied(), "cut")
	defer ring.Unmount(p, root)
	assertRecovered(p, root, p.before, p.after, what)
}

// repair repairs by a rule, with the power cut at each step.
func (p *powerCut) repair(b *baseline.Baseline, rule string) string {
	r, _, err := open(p.root, p.cut)
	require.NoError(p, err)
	report, err := r.Fix(p.Context(), b, Options{Rules: []string{rule}})
	require.NoError(p, err)
	require.NoError(p, r.Close())
	require.Equal(p, Fixed, report.Rules[0].Result, report.Rules[0].Reason)
	return report.Transaction
}

// TestPowerCutAtEveryStep has each step of repairs and rollbacks be the last one before a power cut: what is on the disk then, and not what is on
// its way there, is mounted and recovered, and the host is as before or as after.
func TestPowerCutAtEveryStep(t *testing.T) {
	ring.RequireOnHost(t)
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		ring.Cannot(t, "it has no loop devices: "+err.Error())
	}
	b := primitives(t)
	p := newPowerCut(t)
	for _, rule := range cutRules {
		t.Run(rule, func(t *testing.T) {
			p.TB, p.cuts = t, 0 // What fails fails here.
			p.before = snapshot(t, p.root)
			fix(t, p.root, b, rule)
			p.after = snapshot(t, p.root)
			takeBackAll(t, p.root)
			transaction := p.repair(b, rule)
			assertSame(t, p.after, snapshot(t, p.root), rule)
			assert.Greater(t, p.cuts, 5)
			r, _, err := open(p.root, p.cut)
			require.NoError(t, err)
			_, err = r.Rollback(Back{Transaction: transaction})
			require.NoError(t, err)
			require.NoError(t, r.Close())
			assertSame(t, p.before, snapshot(t, p.root), rule)
			assert.Greater(t, p.cuts, 8)
		})
	}
}
