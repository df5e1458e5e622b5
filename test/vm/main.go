// SPDX-License-Identifier: Apache-2.0

// Command vm is the ring of tests that need a kernel of their own: it boots
// Debian's cloud kernels with an initramfs of static test binaries and reports
// each Go test by name.
//
// The exit status is 0 when all passed, 1 when a test or a guest failed, 2 for
// a wrong command line and 3 when this machine lacks what the guests need.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	exitFailed    = 1
	exitUsage     = 2
	exitCannotRun = 3
)

type options struct {
	kernels  []string
	brief    string
	packages []string
	programs []string
	run      string
	args     []string
	timeout  time.Duration
	total    time.Duration
	kvm      bool
	counted  bool
	multi    bool
	shell    bool
	verbose  bool
	keep     bool
	update   bool
	idle     int
}

// errCannotRun marks what the machine lacks, as opposed to what went wrong.
var errCannotRun = errors.New("the vm ring cannot run here")

func main() {
	o, err := parseOptions(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "vm:", err)
		os.Exit(exitUsage)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, o)
	stop()
	switch {
	case errors.Is(err, errCannotRun):
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitCannotRun)
	case err != nil:
		fmt.Fprintln(os.Stderr, "vm:", err)
		os.Exit(exitFailed)
	}
}

func parseOptions(args []string) (options, error) {
	var o options
	var kernels, packages, programs, arguments string
	flags := flag.NewFlagSet("vm", flag.ContinueOnError)
	flags.StringVar(&kernels, "kernels", usualLines, "boot these kernel `lines`; newest is the last that Debian has")
	flags.StringVar(&o.brief, "brief", newest, "where all tests are asked for, boot this kernel `line` too, for a few tests that show whether everything loads; empty: none")
	flags.StringVar(&packages, "pkg", "", "test these `packages`, as ./dir or ./dir/..., separated by commas; default: all with tests of the native or vm ring")
	flags.StringVar(&programs, "with", "", "put these static `programs` into the guests' /usr/bin, separated by commas")
	flags.StringVar(&o.run, "run", "", "run the tests that match this `regexp`; default: those of the native and vm rings")
	flags.StringVar(&arguments, "args", "", "give the test binaries these `arguments`, separated by commas, such as -seed=1")
	flags.DurationVar(&o.timeout, "timeout", 40*time.Minute, "time for each test binary")
	flags.DurationVar(&o.total, "total", time.Hour, "time for all kernels together")
	flags.BoolVar(&o.shell, "shell", false, "open a shell in the guest of the last kernel named; tests run before it only if -run or -pkg is given")
	// Not chosen by itself: a /dev/kvm that opens, and even makes a machine, may
	// still never run the guest, as seen inside other virtual machines.
	flags.BoolVar(&o.kvm, "kvm", false, "use KVM instead of emulation")
	flags.BoolVar(&o.counted, "counted", false, "have the guests' clocks count instructions, an ns each: times then depend on nothing else that this machine does")
	flags.BoolVar(&o.multi, "multi", false, "emulate each processor of a guest in a thread of its own: twice as fast, and a kernel that patches its own code crashes or hangs now and then")
	flags.BoolVar(&o.verbose, "v", false, "print all that comes from the guests")
	flags.BoolVar(&o.keep, "keep", false, "keep the initramfs files and test binaries, and say where")
	flags.BoolVar(&o.update, "update", false, "download the newest kernels even if older ones are cached")
	flags.IntVar(&o.idle, "idle", 0, "close the file `descriptor` once a processor has no guest left to run; 0: none")
	flags.SetOutput(io.Discard)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			flags.SetOutput(os.Stdout)
			flags.PrintDefaults()
		}
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("found argument %q, expected flags only", flags.Arg(0))
	}
	o.kernels, o.packages, o.programs = splitList(kernels), splitList(packages), splitList(programs)
	o.args = splitList(arguments)
	if o.counted && o.kvm {
		return o, errors.New("-counted: found -kvm too, expected emulation, which alone can count instructions")
	}
	if o.multi && (o.kvm || o.counted) {
		return o, errors.New("-multi: found -kvm or -counted too, expected emulation whose clocks go with the host's")
	}
	if len(o.kernels) == 0 {
		return o, fmt.Errorf("-kernels: found an empty list, expected some of %s", allLines)
	}
	for _, line := range o.kernels {
		if _, ok := debianRelease[line]; !ok {
			return o, fmt.Errorf("-kernels: found %q, expected some of %s", line, allLines)
		}
	}
	if _, ok := debianRelease[o.brief]; !ok && o.brief != "" {
		return o, fmt.Errorf("-brief: found %q, expected one of %s", o.brief, allLines)
	}
	if o.run != "" || len(o.packages) > 0 || o.shell || slices.Contains(o.kernels, o.brief) {
		o.brief = ""
	}
	if o.shell {
		o.kernels = o.kernels[len(o.kernels)-1:]
	}
	return o, nil
}

func splitList(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// run gives an error unless every test passed in every guest.
func run(ctx context.Context, o options) error {
	ctx, cancel := context.WithTimeout(ctx, o.limit())
	defer cancel()
	s, err := prepare(ctx, o)
	if err != nil {
		return err
	}
	defer s.cleanUp()
	reports := make([]*guestReport, len(s.kernels))
	var jobs []func() error
	for i, k := range s.kernels {
		jobs = append(jobs, func() error {
			var err error
			reports[i], err = s.boot(ctx, k)
			return err
		})
	}
	// Each guest keeps one processor of this host busy; on a small one, more
	// guests than two only wait for each other.
	if err := inParallel(2, tellIdle(jobs, o.leave())); err != nil {
		return err
	}
	return s.summarize(os.Stdout, reports)
}

// leave returns what tells whoever waits for it that a processor is free.
func (o options) leave() func() {
	if o.idle == 0 {
		return func() {}
	}
	syscall.CloseOnExec(o.idle)
	return func() { syscall.Close(o.idle) }
}

// tellIdle returns jobs that call idle once, when one has ended and none is left to begin.
func tellIdle(jobs []func() error, idle func()) []func() error {
	var begun atomic.Int32
	idle = sync.OnceFunc(idle)
	telling := make([]func() error, len(jobs))
	for i, job := range jobs {
		telling[i] = func() error {
			begun.Add(1)
			err := job()
			if int(begun.Load()) == len(jobs) {
				idle()
			}
			return err
		}
	}
	return telling
}

// limit of the whole run; a shell stays open for as long as it is wanted.
func (o options) limit() time.Duration {
	if o.shell {
		return 24 * time.Hour
	}
	return o.total
}

// prepare gets the kernels and builds the test binaries.
func prepare(ctx context.Context, o options) (*session, error) {
	s := &session{options: o, out: &lockedWriter{w: os.Stdout}}
	var err error
	if _, err := exec.LookPath(qemu); err != nil {
		return nil, fmt.Errorf("%w: %s not found; install the package qemu-system-x86", errCannotRun, qemu)
	}
	if s.busybox, err = findBusybox(); err != nil {
		return nil, fmt.Errorf("%w: %w", errCannotRun, err)
	}
	if s.dynamic, err = findDynamic(); err != nil {
		return nil, fmt.Errorf("%w: %w", errCannotRun, err)
	}
	for _, program := range o.programs {
		if err := checkStatic(program); err != nil {
			return nil, fmt.Errorf("-with: %w", err)
		}
	}
	if s.module, err = findModule(ctx); err != nil {
		return nil, err
	}
	all, err := discover(s.module.dir)
	if err != nil {
		return nil, err
	}
	if s.packages, err = selectPackages(s.module.dir, all, o.packages); err != nil {
		return nil, err
	}
	if err := s.getKernels(ctx); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "vedette-vm-"); err != nil {
		return nil, err
	}
	if s.bin, err = s.module.build(ctx, s.dir, s.packages); err != nil {
		s.cleanUp()
		return nil, err
	}
	return s, nil
}
