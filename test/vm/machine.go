// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// machine is one boot of one kernel.
type machine struct {
	vmlinuz, initramfs string
	memoryMiB          int
	// patience overrides how long the guest may stay silent; 0 leaves it to
	// the results.
	patience time.Duration
	// kvm uses the processor's virtualization instead of emulation.
	kvm bool
	// counted makes the guest's clocks count its instructions.
	counted bool
	// multi emulates each processor in a thread of its own.
	multi bool
	// pairs lets the processor exchange 16 bytes at once (cx16), without which newer kernels have
	// no memory for what BPF programs store with inodes.
	pairs bool
	// shell puts the guest's console on this terminal.
	shell bool
	// raw, when set, receives all that comes from the guest.
	raw io.Writer
}

// kernelArguments: a crash ends the machine at once, and only warnings and
// worse are printed while it boots.
const kernelArguments = "console=ttyS0 loglevel=5 panic=-1 oops=panic watchdog_thresh=60 lsm=lockdown,capability,landlock,bpf"

// emulatedArguments leave out what makes each system call several times as long where it is
// emulated and changes nothing that a test is about: what kernels do against leaks of processors,
// and how they harden memory and stacks. What a system call costs is not measured without.
const emulatedArguments = " mitigations=off init_on_alloc=0 hardened_usercopy=off randomize_kstack_offset=off"

// outcome is what a boot left behind besides its results.
type outcome struct {
	console console
	took    time.Duration
	// hung tells for how long nothing was heard from the guest, 0 if it ended.
	hung time.Duration
}

// run boots the machine, feeds r and returns when the machine has ended. The
// error says why qemu could not run; what the guest did wrong is in r and in
// the outcome.
func (m machine) run(ctx context.Context, r *results) (outcome, error) {
	begin := time.Now()
	ctx, kill := context.WithCancel(ctx)
	defer kill()
	resultsPort, resultsEnd, err := os.Pipe()
	if err != nil {
		return outcome{}, fmt.Errorf("boot: %w", err)
	}
	defer resultsPort.Close()
	consolePort, consoleEnd, err := os.Pipe()
	if err != nil {
		resultsEnd.Close()
		return outcome{}, fmt.Errorf("boot: %w", err)
	}
	defer consolePort.Close()

	var complaints strings.Builder
	cmd := exec.CommandContext(ctx, qemu, m.arguments()...)
	cmd.ExtraFiles = []*os.File{resultsEnd, consoleEnd}
	cmd.Stderr = &complaints
	if m.shell {
		cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
	}
	err = cmd.Start()
	resultsEnd.Close()
	consoleEnd.Close()
	if err != nil {
		return outcome{}, fmt.Errorf("boot: %w", err)
	}
	var out outcome
	out.hung = m.follow(lines(resultsPort), lines(consolePort), r, &out.console, kill)
	err = cmd.Wait()
	r.finish()
	out.took = time.Since(begin)
	if err != nil && out.hung == 0 {
		return out, fmt.Errorf("%s: %w: %s", qemu, err, strings.TrimSpace(complaints.String()))
	}
	return out, nil
}

// follow reads both ports to their end. When the guest stays in one state for
// longer than it may, it kills the machine and returns for how long it waited.
func (m machine) follow(fromResults, fromConsole <-chan string, r *results, c *console, kill func()) time.Duration {
	var hung time.Duration
	waited := m.limit(r)
	alarm := time.NewTimer(waited)
	defer alarm.Stop()
	for fromResults != nil || fromConsole != nil {
		select {
		case line, ok := <-fromResults:
			if !ok {
				fromResults = nil
				continue
			}
			m.echo(line)
			ready, step, ended := r.ready, r.step, r.ended
			r.line(line)
			if r.ready != ready || r.step != step || r.ended != ended {
				waited = m.limit(r)
				alarm.Reset(waited)
			}
		case line, ok := <-fromConsole:
			if !ok {
				fromConsole = nil
				continue
			}
			m.echo(line)
			c.line(strings.TrimSuffix(line, "\n"))
		case <-alarm.C:
			if m.shell && r.done {
				continue
			}
			hung = waited
			kill()
		}
	}
	return hung
}

func (m machine) limit(r *results) time.Duration {
	if m.patience > 0 {
		return m.patience
	}
	return r.patience()
}

func (m machine) echo(line string) {
	if m.raw != nil {
		io.WriteString(m.raw, line)
	}
}

// lines sends each line of r, newline included; the last one may have none.
func lines(r io.Reader) <-chan string {
	out := make(chan string)
	go func() {
		defer close(out)
		in := bufio.NewReader(r)
		for {
			line, err := in.ReadString('\n')
			if line != "" {
				out <- line
			}
			if err != nil {
				return
			}
		}
	}()
	return out
}

const qemu = "qemu-system-x86_64"

func (m machine) arguments() []string {
	// Without cx16=off, 6.12 crashes now and then under emulation. With a host thread for each
	// processor, kernels that patch their own code (each tracepoint that is switched on or off
	// does) crash or hang now and then: another processor may run code that is half patched.
	args, command := []string{"-accel", "tcg,thread=single", "-cpu", "max,cx16=off"}, kernelArguments
	if m.multi {
		args[1] = "tcg,thread=multi"
	}
	if m.pairs {
		args[3] = "max"
	}
	if m.kvm {
		args = []string{"-accel", "kvm", "-cpu", "host"}
	}
	processors := "2"
	if m.counted { // a second one would be counted too
		processors = "1"
		args = append(args, "-icount", "shift=0,sleep=off")
	}
	if !m.kvm && !m.counted {
		command += emulatedArguments
	}
	console := "file,id=console,path=/proc/self/fd/4"
	if m.shell {
		console = "stdio,id=console,mux=on,signal=off,logfile=/proc/self/fd/4"
	}
	return append(args,
		"-smp", processors, "-m", strconv.Itoa(m.memoryMiB),
		"-nodefaults", "-display", "none", "-no-reboot",
		"-kernel", m.vmlinuz, "-initrd", m.initramfs, "-append", command,
		"-chardev", console, "-serial", "chardev:console",
		"-chardev", "file,id=results,path=/proc/self/fd/3", "-serial", "chardev:results",
	)
}
