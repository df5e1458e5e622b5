// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/vedette-sec/vedette/internal/ring/report"
	"github.com/vedette-sec/vedette/test/internal/debian"
	"github.com/vedette-sec/vedette/test/vm/protocol"
)

// session is one run of this command.
type session struct {
	options
	module   module
	busybox  string
	dynamic  map[string]string
	packages []testPackage
	kernels  []kernel
	bin      binaries
	// dir holds the test binaries and initramfs files.
	dir string
	out *lockedWriter
}

// lockedWriter lets two guests report at once without mixing their lines.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func (s *session) cleanUp() {
	if s.keep {
		fmt.Fprintln(s.out, "kept", s.dir)
		return
	}
	os.RemoveAll(s.dir)
}

// getKernels finds all kernels, downloading two at a time what is missing.
func (s *session) getKernels(ctx context.Context) error {
	cache, err := debian.CacheDir(cachePurpose)
	if err != nil {
		return fmt.Errorf("%w: %w", errCannotRun, err)
	}
	s.kernels = make([]kernel, len(s.options.kernels))
	var jobs []func() error
	for i, line := range s.options.kernels {
		jobs = append(jobs, func() error {
			var err error
			s.kernels[i], err = getKernel(ctx, cache, line, s.update)
			return err
		})
	}
	if err := inParallel(2, jobs); err != nil {
		return fmt.Errorf("%w: %w", errCannotRun, err)
	}
	return s.addBrief(ctx, cache)
}

// guestReport is all that is known about one guest at its end.
type guestReport struct {
	kernel   kernel
	results  *results
	outcome  outcome
	recorder *report.Recorder
	summary  report.Summary
	problems []string
}

// boot runs the session's tests on one kernel.
func (s *session) boot(ctx context.Context, k kernel) (*guestReport, error) {
	packages, bin, err := s.testsOn(k)
	if err != nil {
		return nil, err
	}
	plan := s.plan(packages)
	initramfs := filepath.Join(s.dir, k.Line+".cpio")
	img := image{
		kernel: k, module: s.module, busybox: s.busybox, dynamic: s.dynamic, bin: bin, plan: plan,
		programs: s.programs, init: initScript, shell: s.shell,
	}
	if err := img.write(initramfs); err != nil {
		return nil, err
	}
	size, err := initramfsMiB(initramfs)
	if err != nil {
		return nil, err
	}
	m := machine{vmlinuz: k.vmlinuz(), initramfs: initramfs, memoryMiB: guestMemoryMiB(size), kvm: s.kvm, counted: s.counted, multi: s.multi, shell: s.shell, pairs: k.Line == newest}
	if s.verbose && !s.shell {
		m.raw = &prefixWriter{w: s.out, prefix: k.Line + " | "}
	}
	g := &guestReport{kernel: k, recorder: s.newRecorder(k.Line)}
	g.results = &results{plan: plan, open: func(step string) (sink, error) {
		return newConverter(ctx, step, g.recorder)
	}}
	if g.outcome, err = m.run(ctx, g.results); err != nil {
		return nil, fmt.Errorf("kernel %s: %w", k.Line, bootError(ctx, err))
	}
	g.summary = report.Summarize(g.recorder, s.module.path)
	g.problems = g.findProblems(s.shell && len(plan.Steps) == 0)
	return g, nil
}

// bootError prefers the reason why qemu was killed over the fact that it was.
func bootError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("ended before the guest did (see -total): %w", ctx.Err())
	}
	return err
}

// guestMemoryMiB leaves room for the archive and the files unpacked from it,
// which are in memory together while the guest boots.
func guestMemoryMiB(initramfs int) int { return 1024 + 2*initramfs }

func (s *session) plan(packages []testPackage) protocol.Plan {
	plan := protocol.Plan{Nonce: rand.Text()}
	if s.shell && s.run == "" && len(s.options.packages) == 0 {
		return plan
	}
	for _, p := range packages {
		plan.Steps = append(plan.Steps, protocol.Step{
			Name: s.module.importPath(p.rel), Dir: guestDir(p.rel), Timeout: s.timeout,
			Argv: append([]string{guestBinary(p.rel), "-test.v=test2json", "-test.timeout=" + s.timeout.String(), "-test.run=" + s.pattern(p)}, s.args...),
		})
	}
	return plan
}

// pattern selects the tests of a package that run in the guests.
func (s *session) pattern(p testPackage) string {
	if s.run != "" || len(p.tests) == 0 {
		return s.run
	}
	return "^(" + strings.Join(p.tests, "|") + ")$"
}
