// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/internal/tiny"
	"github.com/vedette-sec/vedette/pkg/policy"
)

const costRoot = "/opt/cost"

// costWork is what is measured: a file is opened and closed, a program is run to its end.
var costWork = map[string]struct {
	times int // of a sample
	do    func() error
}{
	"open": {400, func() error { return opensAt(costRoot+"/file", unix.O_RDONLY)() }},
	"save": {400, func() error { return opensAt(costRoot+"/file", unix.O_WRONLY)() }},
	"exec": {15, func() error { return runTiny(costRoot + "/tiny") }},
}

const costRounds = 9

// sample gives the time of one kind of work, in ns for each time.
func sample(b *testing.B, name string) float64 {
	b.Helper()
	w := costWork[name]
	begin := time.Now()
	for range w.times {
		require.NoError(b, w.do())
	}
	return float64(time.Since(begin)) / float64(w.times)
}

// samples of all work, which what else the host does disturbs least in the best.
func samples(b *testing.B) map[string][]float64 {
	all := map[string][]float64{}
	for range costRounds {
		for name := range costWork {
			all[name] = append(all[name], sample(b, name))
		}
	}
	return all
}

func middle(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// tenPolicies are those that are shipped, as far as they are no more than nine, and one of the benchmark's own.
func tenPolicies(b *testing.B) *policy.Set {
	set, err := policy.Load("../../../config/policies")
	require.NoError(b, err)
	set.Policies = set.Policies[:min(9, len(set.Policies))]
	own, err := policy.Parse("own.yaml", []byte("policy: own\nrules: [{name: r, files: {paths: ["+costRoot+"/guarded/**], operations: tamper}}]\n"))
	require.NoError(b, err)
	set.Policies = append(set.Policies, own...)
	require.Len(b, set.Policies, 10)
	return set
}

// protecting gives a set that protects so many paths in several directories.
func protecting(b *testing.B, paths int) *policy.Set {
	var names []string
	for i := range paths {
		names = append(names, fmt.Sprintf("%s/many/%d/%d", costRoot, i%20, i))
	}
	policies, err := policy.Parse("many.yaml", []byte("policy: many\nmode: enforce\nrules: [{name: r, files: {paths: ["+strings.Join(names, ", ")+
		"], operations: tamper}}]\n"))
	require.NoError(b, err)
	return &policy.Set{Policies: policies}
}

// compare loads two sets in turn and reports the ratio of what work costs with them.
func compare(b *testing.B, e *Enforcer, suffix string, rounds int, first, second *policy.Set) {
	ratios := map[string][]float64{}
	for range rounds {
		require.NoError(b, e.Load(first))
		before := samples(b)
		require.NoError(b, e.Load(second))
		for name, after := range samples(b) {
			ratios[name] = append(ratios[name], middle(after)/middle(before[name]))
		}
	}
	for name, all := range ratios {
		b.ReportMetric(middle(all), name+suffix)
	}
}

// BenchmarkCost measures what policies cost, within one guest: `make bench` runs it.
func BenchmarkCost(b *testing.B) {
	ring.Require(b, ring.VM)
	for range b.N {
		require.NoError(b, os.MkdirAll(costRoot, 0o755))
		require.NoError(b, os.WriteFile(costRoot+"/file", nil, 0o644))
		require.NoError(b, os.WriteFile(costRoot+"/tiny", tiny.Program(), 0o755))
		settle(b)
		without := samples(b)
		e, err := Open(Options{Host: policy.NewHost("/")})
		require.NoError(b, err)
		require.NoError(b, e.Load(tenPolicies(b)))
		with := samples(b)
		measureHooks(b)
		few, many := protecting(b, 10), protecting(b, 10000)
		measureMemory(b, e, few, many)
		compare(b, e, "-many", 3, few, many)
		compare(b, e, "-policies", 5, &policy.Set{}, tenPolicies(b))
		require.NoError(b, e.Release())
		settle(b)
		after := samples(b)
		for name := range costWork {
			b.ReportMetric(2*middle(with[name])/(middle(without[name])+middle(after[name])), name+"-agent")
		}
		require.NoError(b, os.RemoveAll(costRoot))
	}
}

// measureHooks reports the time of a run of the programs, by the kernel's own statistics.
func measureHooks(b *testing.B) {
	stats, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	require.NoError(b, err)
	defer stats.Close()
	samples(b)
	require.NoError(b, os.WriteFile(costRoot+"/moved", nil, 0o644))
	for range 100 {
		require.NoError(b, os.Rename(costRoot+"/moved", costRoot+"/there"))
		require.NoError(b, os.Rename(costRoot+"/there", costRoot+"/moved"))
		require.NoError(b, unix.Kill(1, 0))
		require.NoError(b, os.Chmod(costRoot+"/moved", 0o644))
	}
	var each []float64
	for name, ns := range hookTimes(b) {
		each = append(each, ns)
		if slices.Contains([]string{"guard_file_open", "guard_bprm_check", "guard_inode_rename"}, name) {
			b.ReportMetric(ns, name+"-ns")
		}
	}
	require.NotEmpty(b, each)
	b.ReportMetric(middle(each), "hook-ns")
}

// hookTimes gives the mean time of each program of the enforcer's that ran, by its name.
func hookTimes(b *testing.B) map[string]float64 {
	times := map[string]float64{}
	for program := range lsmPrograms(b) {
		info, err := program.Info()
		require.NoError(b, err)
		stats, err := program.Stats()
		require.NoError(b, err)
		if stats.RunCount >= 50 {
			times[info.Name] = float64(stats.Runtime) / float64(stats.RunCount)
		}
	}
	return times
}

// lsmPrograms are the programs for security hooks that the kernel has.
func lsmPrograms(b *testing.B) iter.Seq[*ebpf.Program] {
	return func(yield func(*ebpf.Program) bool) {
		id, err := ebpf.ProgramGetNextID(0)
		for ; err == nil; id, err = ebpf.ProgramGetNextID(id) {
			program, err := ebpf.NewProgramFromID(id)
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			require.NoError(b, err)
			more := program.Type() != ebpf.LSM || yield(program)
			require.NoError(b, program.Close())
			if !more {
				return
			}
		}
	}
}

// settle waits until the kernel has detached what was let go of, and has ended what else it began.
func settle(b *testing.B) {
	require.Eventually(b, func() bool {
		for range lsmPrograms(b) {
			return false
		}
		return true
	}, time.Minute, 100*time.Millisecond)
	time.Sleep(5 * time.Second)
}

// measureMemory reports the memory of the maps for each thousand protected files.
func measureMemory(b *testing.B, e *Enforcer, few, many *policy.Set) {
	require.NoError(b, e.Load(few))
	before := mapMemory(b, e)
	require.NoError(b, e.Load(many))
	b.ReportMetric(float64(mapMemory(b, e)-before)/1024/10, "memory-KiB")
}

// mapMemory is what the kernel says that the maps take.
func mapMemory(b *testing.B, e *Enforcer) int64 {
	sum := int64(0)
	for _, name := range []string{bpf.EnforceMapNames, bpf.EnforceMapLabels, bpf.EnforceMapLinks, bpf.EnforceMapNodes} {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", e.maps[name].FD()))
		require.NoError(b, err)
		for line := range strings.Lines(string(raw)) {
			var n int64
			if _, err := fmt.Sscanf(line, "memlock: %d", &n); err == nil {
				sum += n
			}
		}
	}
	return sum
}
