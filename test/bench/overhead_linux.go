// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/cilium/ebpf"
)

// The ends of the names of the figures that one workload gives.
const (
	wallFigure  = "_wall"  // ratio of wall time per operation, with the agent to without
	cpuFigure   = "_cpu"   // the same of the CPU time of the workload and what it starts
	agentFigure = "_agent" // CPU time of the agent for one second of the workload's
)

// perStage is how many rounds of a loop one stage has.
const perStage = 15

// stages are what one workload took, stage by stage: without the agent, with it, without …
type stages struct {
	wall, cpu []float64 // per operation, median of the stage's rounds
	agent     []float64 // for the stages with the agent
}

// overhead does the workloads without and with the agent in turn.
func overhead(ctx context.Context, b *bench) (found results, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	took := map[string]*stages{}
	disturbed := 0
	for i := range 2*b.rounds + 1 {
		b.progress("stage %d of %d", i+1, 2*b.rounds+1)
		others, err := othersWatch()
		if err != nil {
			return nil, err
		}
		if others {
			disturbed++
		}
		if err := b.stage(ctx, i%2 == 1, took); err != nil {
			return nil, err
		}
	}
	found = results{}
	for name, s := range took {
		note := fmt.Sprintf("%s without the agent, %s with it", duration(s.wall, 0), duration(s.wall, 1))
		if disturbed > 0 {
			note += fmt.Sprintf("; not judged: another agent ran when %d of %d stages began", disturbed, 2*b.rounds+1)
		}
		found[name+wallFigure] = result{ratios(s.wall), note, disturbed > 0}
		found[name+cpuFigure] = result{samples: ratios(s.cpu), doubtful: disturbed > 0}
		found[name+agentFigure] = result{samples: s.agent, doubtful: disturbed > 0}
	}
	return found, nil
}

// othersWatch tells whether the sensor's programs are in the kernel before this program's agent runs:
// then the time without an agent is none.
func othersWatch() (bool, error) {
	for id := ebpf.ProgramID(0); ; {
		next, err := ebpf.ProgramGetNextID(id)
		if errors.Is(err, os.ErrNotExist) {
			return false, nil
		}
		if err != nil {
			return false, cannot("list the kernel's programs: %v", err)
		}
		id = next
		program, err := ebpf.NewProgramFromID(id)
		if err != nil {
			continue // it is gone already
		}
		info, err := program.Info()
		if err := errors.Join(err, program.Close()); err != nil {
			return false, fmt.Errorf("ask about the program %d: %w", id, err)
		}
		if info.Name == "process_exec" {
			return true, nil
		}
	}
}

// duration says what an operation takes in the stages without (0) or with (1) the agent.
func duration(perStage []float64, which int) time.Duration {
	var values []float64
	for i := which; i < len(perStage); i += 2 {
		values = append(values, perStage[i])
	}
	return time.Duration(significant(median(values), 3))
}

func (b *bench) stage(ctx context.Context, with bool, took map[string]*stages) (err error) {
	var a *agent
	if with {
		if a, err = b.startAgent(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, a.stop()) }()
	}
	for _, w := range append(b.loops(), b.goBuild()) {
		if !b.wants(w.name+wallFigure) && !b.wants(w.name+cpuFigure) && !b.wants(w.name+agentFigure) {
			continue
		}
		if took[w.name] == nil {
			took[w.name] = &stages{}
		}
		if err := b.measure(ctx, w, a, took[w.name]); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return nil
}

// loops are the workloads of which the whole is compared, with and without the agent.
func (b *bench) loops() []workload {
	var out []workload
	for _, w := range workloads {
		if b.declares(w.name + wallFigure) {
			out = append(out, w)
		}
	}
	return out
}

func (b *bench) measure(ctx context.Context, w workload, a *agent, took *stages) error {
	op, err := w.prepare(b.dir)
	if err != nil {
		return err
	}
	rounds := 1
	if w.ops > 1 {
		rounds = perStage
		release, err := pin(runtime.NumCPU() - 1)
		if err != nil {
			return err
		}
		defer release()
	}
	var wall, cpu []float64
	var agentBefore time.Duration
	if a != nil {
		if agentBefore, err = spentBy(a.pid()); err != nil {
			return err
		}
	}
	all := spent()
	for range rounds {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		startCPU, start := spent(), time.Now()
		for range w.ops {
			if err := op(); err != nil {
				return err
			}
		}
		wall = append(wall, float64(time.Since(start))/float64(w.ops))
		cpu = append(cpu, float64(spent()-startCPU)/float64(w.ops))
	}
	all = spent() - all
	took.wall = append(took.wall, median(wall))
	took.cpu = append(took.cpu, median(cpu))
	if a == nil {
		return nil
	}
	agentAfter, err := a.quiet(ctx)
	took.agent = append(took.agent, float64(agentAfter-agentBefore)/float64(all))
	return err
}

// quiet waits until the agent has worked off what a loop has caused, so that it counts for that loop
// and does not disturb the next. It gives the CPU time the agent has used.
func (a *agent) quiet(ctx context.Context) (time.Duration, error) {
	const step = 100 * time.Millisecond
	before, err := spentBy(a.pid())
	for deadline := time.Now().Add(patience); err == nil && ctx.Err() == nil && time.Now().Before(deadline); {
		time.Sleep(step)
		var after time.Duration
		after, err = spentBy(a.pid())
		if after-before < step/10 {
			return after, err
		}
		before = after
	}
	return before, errors.Join(err, ctx.Err())
}

// builtPackages are what the build compiles, with all they depend on.
const builtPackages = "encoding/json"

// goBuild compiles with an empty build cache: many processes and files.
func (b *bench) goBuild() workload {
	return workload{name: "go_build", ops: 1, prepare: func(dir string) (func() error, error) {
		cache := filepath.Join(dir, "gocache")
		// What it writes shall not depend on how long the file system has had to write the last one.
		return func() error {
			cmd := exec.Command("go", "build", "-p", "2", builtPackages)
			cmd.Env = append(os.Environ(), "GOCACHE="+cache, "GOFLAGS=", "CGO_ENABLED=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("go build: %w\n%s", err, out)
			}
			return nil
		}, os.RemoveAll(cache)
	}}
}
