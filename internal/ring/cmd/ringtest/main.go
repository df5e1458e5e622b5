// SPDX-License-Identifier: Apache-2.0

// Command ringtest runs the tests of all five rings as far as this machine
// allows and ends with what could not run, and why.
//
// The plain, native, reference, server and debian rings are `go test`; the vm ring is test/vm. The
// exit status is 1 when a test failed or when a ring that VEDETTE_REQUIRE_RINGS
// names did not run.
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
	"syscall"
	"time"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/internal/ring/report"
)

type options struct {
	packages []string
	run      string
	count    int
	race     bool
	verbose  bool
	vm       string
	required []ring.Ring
}

func main() {
	opts, err := parseOptions(os.Args[1:], os.Getenv(ring.RequireEnv))
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "ringtest:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ok, err := run(ctx, opts)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "ringtest:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func parseOptions(args []string, required string) (options, error) {
	var o options
	flags := flag.NewFlagSet("ringtest", flag.ContinueOnError)
	flags.StringVar(&o.run, "run", "", "run only the tests that match this `regexp`")
	flags.IntVar(&o.count, "count", 0, "run each test `n` times; 1 also ignores cached results")
	flags.BoolVar(&o.race, "race", false, "build with the race detector")
	flags.BoolVar(&o.verbose, "v", false, "print all that the tests print")
	flags.StringVar(&o.vm, "vm", "auto", "run the vm ring: `auto` (when neither packages nor -run are given, or it is required), always or never")
	flags.SetOutput(io.Discard)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Println("usage: ringtest [flags] [packages, default ./...]")
			flags.SetOutput(os.Stdout)
			flags.PrintDefaults()
		}
		return o, err
	}
	if !slices.Contains([]string{"auto", "always", "never"}, o.vm) {
		return o, fmt.Errorf("-vm: found %q, expected auto, always or never", o.vm)
	}
	rings, err := ring.ParseRings(required)
	if err != nil {
		return o, fmt.Errorf("%s: %w", ring.RequireEnv, err)
	}
	o.required, o.packages = rings, flags.Args()
	return o, nil
}

func (o options) wantsVM() bool {
	if o.vm == "auto" {
		subset := o.run != "" || len(o.packages) > 0
		return !subset || slices.Contains(o.required, ring.VM)
	}
	return o.vm == "always"
}

func run(ctx context.Context, o options) (bool, error) {
	begin := time.Now()
	module, err := modulePath(ctx)
	if err != nil {
		return false, err
	}
	guests, err := startVM(ctx, o)
	if err != nil {
		return false, err
	}
	rec, exit, err := goTest(ctx, o)
	vm, vmErr := guests()
	if err := errors.Join(err, vmErr); err != nil {
		return false, err
	}
	v := verdict{
		summary: report.Summarize(rec, module), required: o.required, vm: vm, goTestExit: exit,
		took: time.Since(begin),
	}
	v.write(os.Stdout)
	return v.ok(), nil
}

func modulePath(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m").Output()
	if err != nil {
		return "", fmt.Errorf("find the module with `go list -m`: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// goTest runs all rings but that of the guests and returns go's exit status.
func goTest(ctx context.Context, o options) (*report.Recorder, int, error) {
	cmd := exec.CommandContext(ctx, "go", o.goTestArgs()...)
	cmd.Env = append(os.Environ(), ring.RequireEnv+"="+o.hostRings())
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, 0, fmt.Errorf("go test: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, 0, fmt.Errorf("go test: %w", err)
	}
	rec := &report.Recorder{}
	report.PrintLikeGoTest(rec, os.Stdout, o.verbose)
	if err := rec.Read(out); err != nil {
		return nil, 0, errors.Join(err, cmd.Wait())
	}
	exit, err := exitStatus(cmd.Wait())
	return rec, exit, err
}

// longestPackage is how long the tests of one package may take: beside guests, those of repairs, which boot Debian, take longer than the ten
// minutes that go test allows, and several times that where the machine is slow.
const longestPackage = "1h"

func (o options) goTestArgs() []string {
	args := []string{"test", "-json", "-timeout=" + longestPackage}
	if o.run != "" {
		args = append(args, "-run", o.run)
	}
	if o.count > 0 {
		args = append(args, fmt.Sprintf("-count=%d", o.count))
	}
	if o.race {
		args = append(args, "-race")
	}
	if len(o.packages) == 0 {
		return append(args, "./...")
	}
	return append(args, o.packages...)
}

// hostRings lists the required rings that go test answers for on this host;
// the tests of the vm ring are answered for by test/vm.
func (o options) hostRings() string {
	var names []string
	for _, r := range o.required {
		if r != ring.VM {
			names = append(names, string(r))
		}
	}
	return strings.Join(names, ",")
}

// exitStatus tells a program that ended with a status from one that did not run.
func exitStatus(err error) (int, error) {
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		return exit.ExitCode(), nil
	}
	return 0, err
}
