// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// AnyProgram among the allowed programs allows all.
const AnyProgram = "all"

// Bounds of what a program may do.
const (
	longestRun = 10 * time.Second
	mostOutput = 1 << 20
)

// programPath is where programs are found that are given without a path.
var programPath = []string{"/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// Allow lets Run start these programs, by their paths.
func (h *Host) Allow(programs []string) { h.memory.programs = programs }

// Run gives the lines that a program writes to its output and, after those, its errors. There is no shell. What the program says
// by its exit status does not matter, but it must start and end.
func (h *Host) Run(argv []string) ([]Line, error) {
	if len(argv) == 0 {
		return nil, errors.New("running a program: found none, expected its name")
	}
	return cached(h, "output of "+strings.Join(argv, "\x00"), func(h *Host) ([]Line, error) {
		h.cannotCompare("output of " + strings.Join(argv, " "))
		if h.root != "/" {
			return nil, fmt.Errorf("running %s: %w", argv[0], ErrOtherRoot)
		}
		program, err := findProgram(argv[0])
		if err != nil {
			return nil, fmt.Errorf("running %s: %w", argv[0], err)
		}
		if !slices.Contains(h.memory.programs, AnyProgram) && !slices.Contains(h.memory.programs, program) {
			return nil, fmt.Errorf("running %s is not allowed", program)
		}
		return run(program, argv[1:], longestRun)
	})
}

func findProgram(name string) (string, error) {
	if filepath.IsAbs(name) {
		return name, nil
	}
	for _, dir := range programPath {
		if full, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return full, nil
		}
	}
	return "", fmt.Errorf("found no such program in %s", strings.Join(programPath, ":"))
}

func run(program string, args []string, longest time.Duration) ([]Line, error) {
	if answers, err := answersForPrograms(); err != nil {
		return nil, fmt.Errorf("running %s: %w", program, err)
	} else if answers {
		return nil, fmt.Errorf("running %s: %w", program, errAnswering)
	}
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = []string{"PATH=" + strings.Join(programPath, ":"), "LC_ALL=C"}
	cmd.Dir = "/"
	cmd.WaitDelay = time.Second
	var output, problems bounded
	cmd.Stdout, cmd.Stderr = &output, &problems
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("running %s: it did not end within %s", program, longest)
	case err != nil && !errors.As(err, &exit):
		return nil, fmt.Errorf("running %s: %w", program, err)
	}
	return linesOf(program, append(output.text, problems.text...)), nil
}

// errAnswering says why the agent that enforces policies without BPF LSM runs no programs.
var errAnswering = errors.New("the kernel asks this process which programs may be run, so that it could come to wait for itself; " +
	"expected `vedette baseline scan`, which runs programs")

// Classes of fanotify whose listeners are asked before something is done, from linux/fanotify.h.
const classesThatAnswer = 0x4 | 0x8

// answersForPrograms reports whether this process answers fanotify's questions. Such a process must run no programs: it stands still from
// the fork until the kernel runs the program, which waits for the answer, and no thread can give it once the runtime has begun to stop all
// threads, as to collect garbage. Then nothing on the host could be run.
func answersForPrograms() (bool, error) {
	const dir = "/proc/self/fdinfo"
	descriptors, err := os.ReadDir(dir)
	if err != nil {
		return false, fmt.Errorf("finding out whether the kernel asks this process: %w", err)
	}
	for _, d := range descriptors {
		text, err := os.ReadFile(filepath.Join(dir, d.Name()))
		switch {
		case errors.Is(err, fs.ErrNotExist): // closed meanwhile
		case err != nil:
			return false, fmt.Errorf("finding out whether the kernel asks this process: %w", err)
		default:
			for line := range strings.Lines(string(text)) {
				var flags uint
				if n, _ := fmt.Sscanf(line, "fanotify flags:%x", &flags); n == 1 && flags&classesThatAnswer != 0 {
					return true, nil
				}
			}
		}
	}
	return false, nil
}

// bounded keeps the beginning of what is written.
type bounded struct{ text []byte }

func (b *bounded) Write(p []byte) (int, error) {
	b.text = append(b.text, p[:min(len(p), mostOutput-len(b.text))]...)
	return len(p), nil
}
