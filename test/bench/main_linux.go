// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

// Command bench measures what the agent costs and carries, prints a table and writes it as JSON.
//
// The exit status is 0 when everything was measured, or could not be for a reason that the table
// tells; 1 when a measurement failed, or with -strict also when a goal is not met; 2 for a wrong
// command line.
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
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"
)

const (
	exitFailed = 1
	exitUsage  = 2
)

// workCommand makes the program a generator of events.
const workCommand = "work"

// bench is one run.
type bench struct {
	match  *regexp.Regexp
	rounds int
	quick  bool
	all    []measurement

	root    string // of the repository
	dir     string // for what is measured with; not in /tmp, where the start of a program is an alert
	program string // the agent, once it is built
	running string // the measurement that runs now
}

type options struct {
	bench
	list    bool
	strict  bool
	peers   bool
	json    string
	profile string
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == workCommand {
		if err := work(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(exitFailed)
		}
		return
	}
	o, err := parseOptions(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(exitUsage)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ok, err := o.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	if err != nil || !ok {
		os.Exit(exitFailed)
	}
}

func parseOptions(args []string, out io.Writer) (*options, error) {
	o := &options{bench: bench{all: measurements()}}
	var match string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&match, "run", "", "measure the figures whose name matches this `regexp`; default: all")
	flags.BoolVar(&o.list, "list", false, "list the figures and measure nothing")
	flags.IntVar(&o.rounds, "rounds", 4, "measure this often, with and without in turn")
	flags.StringVar(&o.json, "json", "build/bench.json", "write the figures to this `file`")
	flags.BoolVar(&o.quick, "quick", false, "measure once and briefly: to see that it works, not to compare")
	flags.BoolVar(&o.strict, "strict", false, "fail when a goal is not met")
	flags.BoolVar(&o.peers, "peers", false, "measure other rule engines too, which are fetched from the network")
	flags.StringVar(&o.profile, "cpuprofile", "", "write a profile of the receiver and the processor to this `file`")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("found the argument %q, expected flags only", flags.Arg(0))
	}
	if o.rounds < 1 {
		return nil, fmt.Errorf("-rounds: found %d, expected at least 1", o.rounds)
	}
	if o.quick {
		o.rounds = 1
	}
	if o.peers {
		o.all = append(o.all, peersMeasurement)
	}
	var err error
	if o.match, err = regexp.Compile(match); err != nil {
		return nil, fmt.Errorf("-run: %w", err)
	}
	return o, nil
}

// run reports false when a measurement failed or, with -strict, when a goal is not met.
func (o *options) run(ctx context.Context) (ok bool, err error) {
	if o.list {
		o.printList(os.Stdout)
		return true, nil
	}
	if err := o.prepare(ctx); err != nil {
		return false, err
	}
	defer os.RemoveAll(o.dir)
	if o.profile != "" {
		f, err := os.Create(o.profile)
		if err != nil {
			return false, fmt.Errorf("write the profile: %w", err)
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return false, fmt.Errorf("write the profile: %w", err)
		}
		defer pprof.StopCPUProfile()
	}
	start := time.Now()
	r := &report{Time: start.UTC().Format(time.RFC3339), Kernel: kernelRelease(), CPUs: runtime.NumCPU(), Go: runtime.Version(), LoadBefore: load()}
	ok = o.measureAll(ctx, r)
	if ctx.Err() != nil {
		return false, errors.New("interrupted")
	}
	r.LoadAfter, r.Seconds = load(), time.Since(start).Round(time.Second).Seconds()
	r.writeTable(os.Stdout)
	return ok, r.writeJSON(o.json)
}

func (o *options) printList(w io.Writer) {
	for _, m := range o.all {
		for _, d := range m.figures {
			if o.wants(d.name) {
				fmt.Fprintf(w, "%-20s %-40s %s %s\n", d.name, strings.TrimSpace(d.what), d.goal, d.unit)
			}
		}
	}
}

func (o *options) prepare(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return fmt.Errorf("find the repository: %w", err)
	}
	o.root = strings.TrimSpace(string(out))
	if err := os.MkdirAll(filepath.Join(o.root, "build"), 0o755); err != nil {
		return fmt.Errorf("make the build directory: %w", err)
	}
	if o.dir, err = os.MkdirTemp(filepath.Join(o.root, "build"), "bench-"); err != nil {
		return fmt.Errorf("make the benchmark's directory: %w", err)
	}
	return nil
}

// measureAll reports false when a measurement failed or, with -strict, when a goal is not met.
func (o *options) measureAll(ctx context.Context, r *report) bool {
	ok := true
	for _, m := range o.all {
		if !o.wantsOneOf(m) || ctx.Err() != nil {
			continue
		}
		o.running = m.name
		o.progress("begins")
		found, err := m.run(ctx, &o.bench)
		for _, d := range m.figures {
			if !o.wants(d.name) {
				continue
			}
			f := summarise(d, found[d.name], err)
			r.Figures = append(r.Figures, f)
			ok = ok && !f.failed && (!o.strict || d.goal.none() || f.Met != nil && *f.Met)
		}
	}
	return ok
}

func (b *bench) wants(figure string) bool { return b.declares(figure) && b.match.MatchString(figure) }

func (b *bench) wantsOneOf(m measurement) bool {
	for _, d := range m.figures {
		if b.wants(d.name) {
			return true
		}
	}
	return false
}

func (b *bench) declares(figure string) bool {
	for _, m := range b.all {
		for _, d := range m.figures {
			if d.name == figure {
				return true
			}
		}
	}
	return false
}

// length shortens a time where the run is to be a quick one; times does the same for a number.
func (b *bench) length(full time.Duration) time.Duration {
	if b.quick {
		return full / 5
	}
	return full
}

func (b *bench) times(full int) int {
	if b.quick {
		return full / 5
	}
	return full
}

func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s %s: %s\n", time.Now().Format("15:04:05"), b.running, fmt.Sprintf(format, args...))
}
