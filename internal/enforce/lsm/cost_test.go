// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
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

func opensAt(name string, flags int) func() error {
	return func() error {
		fd, err := unix.Open(name, flags, 0o600)
		return errors.Join(err, closed(fd))
	}
}

const costRounds = 9

func init() {
	acts["measure"] = func([]string) error { // tells for each name of a kind of work that it reads how long that took, in ns for each time
		var name string
		for {
			if _, err := fmt.Scan(&name); err != nil {
				return ignoreEnd(err)
			}
			took, err := costOf(name)
			if err != nil {
				return err
			}
			fmt.Println(took)
		}
	}
}

func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func costOf(name string) (float64, error) {
	w := costWork[name]
	begin := time.Now()
	for range w.times {
		if err := w.do(); err != nil {
			return 0, err
		}
	}
	return float64(time.Since(begin)) / float64(w.times), nil
}

// meter is a process of its own that works, as those of the host do. The agent has more than a hundred files open, which each process that
// it starts copies and closes: its own work would cost more with no program attached.
type meter struct {
	in  io.Writer
	out io.Reader
}

func newMeter(b *testing.B) meter {
	c := command("/proc/self/exe", "measure")
	in, err := c.StdinPipe()
	require.NoError(b, err)
	out, err := c.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, c.Start())
	b.Cleanup(func() { require.NoError(b, errors.Join(in.Close(), c.Wait())) })
	return meter{in, out}
}

// samples of all work, which what else the host does disturbs least in the best.
func (m meter) samples(b *testing.B) map[string][]float64 {
	all := map[string][]float64{}
	for range costRounds {
		for name := range costWork {
			var took float64
			_, err := fmt.Fprintln(m.in, name)
			require.NoError(b, err)
			_, err = fmt.Fscan(m.out, &took)
			require.NoError(b, err)
			all[name] = append(all[name], took)
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
func (m meter) compare(b *testing.B, e *Enforcer, suffix string, rounds int, first, second *policy.Set) {
	ratios := map[string][]float64{}
	for range rounds {
		require.NoError(b, e.Load(first))
		before := m.samples(b)
		require.NoError(b, e.Load(second))
		for name, after := range m.samples(b) {
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
		m := newMeter(b)
		settle(b)
		without := m.samples(b)
		e, err := Open(Options{Host: policy.NewHost("/")})
		require.NoError(b, err)
		require.NoError(b, e.Load(tenPolicies(b)))
		with := m.samples(b)
		m.measureHooks(b)
		few, many := protecting(b, 10), protecting(b, 10000)
		measureMemory(b, e, few, many)
		m.compare(b, e, "-many", 3, few, many)
		m.compare(b, e, "-policies", 5, &policy.Set{}, tenPolicies(b))
		require.NoError(b, e.Release())
		settle(b)
		after := m.samples(b)
		for name := range costWork {
			b.ReportMetric(2*middle(with[name])/(middle(without[name])+middle(after[name])), name+"-agent")
		}
		nothing := attachNothing(b)
		floor := m.samples(b)
		require.NoError(b, nothing.Close())
		for _, name := range []string{"open", "save"} {
			b.ReportMetric(middle(floor[name])/middle(after[name]), name+"-floor")
		}
		require.NoError(b, os.RemoveAll(costRoot))
	}
}

// attachNothing has the kernel call a program when a file is opened that says at once that it may be: what any policy costs at least.
func attachNothing(b *testing.B) link.Link {
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "nothing", Type: ebpf.LSM, AttachType: ebpf.AttachLSMMac, AttachTo: "file_open", License: "Dual BSD/GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	require.NoError(b, err)
	defer program.Close()
	attached, err := link.AttachLSM(link.LSMOptions{Program: program})
	require.NoError(b, err)
	return attached
}

// measureHooks reports the time of a run of the programs, by the kernel's own statistics.
func (m meter) measureHooks(b *testing.B) {
	stats, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	require.NoError(b, err)
	defer stats.Close()
	m.samples(b)
	for name, runs := range hookRuns(b) {
		b.Logf("%s ran %d times while files were opened %d times and programs run %d times", name, runs,
			costRounds*(costWork["open"].times+costWork["save"].times), costRounds*costWork["exec"].times)
	}
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

// hookRuns gives how often each program of the enforcer's ran that did.
func hookRuns(b *testing.B) map[string]uint64 {
	runs := map[string]uint64{}
	for program := range lsmPrograms(b) {
		info, err := program.Info()
		require.NoError(b, err)
		stats, err := program.Stats()
		require.NoError(b, err)
		if stats.RunCount > 0 {
			runs[info.Name] = stats.RunCount
		}
	}
	return runs
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
