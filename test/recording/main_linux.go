// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

// Command recording records what the agent sees of a busy server that does nothing wrong: see
// README.md.
//
// The exit status is 0 when the recording was made and all work succeeded; 1 when something failed;
// 2 for a wrong command line.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

const (
	exitFailed = 1
	exitUsage  = 2
)

// The commands with which the program runs itself in namespaces of its own.
const (
	runCommand    = "run"    // the recording, in the network of the clients
	serverCommand = "server" // the first process of the server
	agentCommand  = "agent"  // the agent, which sees the server's /etc
)

// options are the flags, handed on to the program in its namespaces.
type options struct {
	Duration time.Duration
	Pause    time.Duration
	Seed     uint64
	CPU      int // percent of one processor
	Match    string
	Agent    string
	Out      string
	Keep     bool

	Root     string   // in the cache
	Archives []string // where its packages came from
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := command(ctx, os.Args[1:])
	stop()
	os.Exit(status)
}

func command(ctx context.Context, args []string) int {
	if len(args) == 2 {
		if inside, ok := map[string]func(context.Context, string) error{
			runCommand: run, serverCommand: becomeServer, agentCommand: becomeAgent,
		}[args[0]]; ok {
			return report(inside(ctx, args[1]))
		}
	}
	o, err := parseOptions(args, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "recording:", err)
		return exitUsage
	}
	return report(record(ctx, o))
}

// errReported is a failure of which all has been said.
var errReported = errors.New("failed")

func report(err error) int {
	if err == nil {
		return 0
	}
	if !errors.Is(err, errReported) {
		fmt.Fprintln(os.Stderr, "recording:", err)
	}
	return exitFailed
}

func parseOptions(args []string, out io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("recording", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.DurationVar(&o.Duration, "duration", 2*time.Hour, "begin work for this `time`; what runs then is waited for")
	flags.DurationVar(&o.Pause, "pause", 12*time.Second, "rest about this `time` between two pieces of work")
	flags.Uint64Var(&o.Seed, "seed", 1, "the `number` that decides order, pauses and variations")
	flags.IntVar(&o.CPU, "cpu", 40, "let the server use this `percentage` of one processor")
	flags.StringVar(&o.Match, "run", "", "do only the work whose name matches this `regexp`")
	flags.StringVar(&o.Agent, "agent", "bin/vedette", "the agent's `program`")
	flags.StringVar(&o.Out, "out", "build/recording", "write the recording into this `directory`")
	flags.BoolVar(&o.Keep, "keep", false, "keep the server's files and the agent's own output, and say where")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("found the argument %q, expected flags only", flags.Arg(0))
	}
	return o, o.check()
}

func (o *options) check() error {
	if o.Duration <= 0 || o.Pause < 0 {
		return fmt.Errorf("-duration %s, -pause %s: expected times", o.Duration, o.Pause)
	}
	if o.CPU < 5 || o.CPU > 1600 {
		return fmt.Errorf("-cpu: found %d, expected 5 to 1600", o.CPU)
	}
	match, err := regexp.Compile(o.Match)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	if len(selectWork(match)) == 0 {
		return fmt.Errorf("-run: no work matches %q", o.Match)
	}
	return nil
}

// record prepares what needs the host's network, and does the rest in another one.
func record(ctx context.Context, o options) error {
	if os.Geteuid() != 0 {
		return errors.New("it needs root")
	}
	var err error
	if o.Agent, err = filepath.Abs(o.Agent); err != nil {
		return err
	}
	if o.Out, err = filepath.Abs(o.Out); err != nil {
		return err
	}
	if _, err := os.Stat(o.Agent); err != nil {
		return fmt.Errorf("find the agent (`make build` makes it): %w", err)
	}
	root, err := prepareRoot(ctx)
	if err != nil {
		return err
	}
	o.Root, o.Archives = root.dir, root.archives
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return fmt.Errorf("make the directory for the recording: %w", err)
	}
	cmd, err := again(runCommand, o)
	if err != nil {
		return err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGTERM}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	// A terminal's interrupt reaches both; another signal is handed on.
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start in a network of its own: %w", err)
	}
	defer context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })()
	if err := cmd.Wait(); err != nil {
		return errReported
	}
	return nil
}

// again makes a command of this very program, with what it is to know.
func again(command string, know any) (*exec.Cmd, error) {
	text, err := json.Marshal(know)
	if err != nil {
		return nil, err
	}
	return exec.Command("/proc/self/exe", command, string(text)), nil
}
