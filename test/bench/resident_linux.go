// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// resident measures one agent over its life: what it holds and uses when nothing happens, what it
// holds after many processes, and how fast it alerts.
func resident(ctx context.Context, b *bench) (found results, err error) {
	a, err := b.startAgent(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.stop()) }()
	found = results{}
	if err := b.idle(ctx, a, found); err != nil {
		return nil, err
	}
	if b.wants("memory_busy") {
		if _, err := b.child(ctx, "fork_exec", "-ops", "10000"); err != nil {
			return nil, err
		}
		time.Sleep(time.Second)
		if err := noteMemory(a, "memory_busy", found); err != nil {
			return nil, err
		}
	}
	if b.wants("alert_latency") {
		return found, b.latency(ctx, a, found)
	}
	return found, nil
}

func noteMemory(a *agent, name string, found results) error {
	m, err := memoryOf(a.pid())
	if err != nil {
		return err
	}
	found.add(name, m.resident)
	found.note(name, "proportional share (Pss) %s MiB, highest so far %s MiB", number(m.proportional), number(m.peak))
	return nil
}

func (b *bench) idle(ctx context.Context, a *agent, found results) error {
	if b.wants("memory_idle") {
		if err := noteMemory(a, "memory_idle", found); err != nil {
			return err
		}
	}
	if !b.wants("idle_cpu") {
		return nil
	}
	before, err := spentBy(a.pid())
	if err != nil {
		return err
	}
	length := b.length(10 * time.Second)
	select {
	case <-time.After(length):
	case <-ctx.Done():
		return ctx.Err()
	}
	after, err := spentBy(a.pid())
	if err != nil {
		return err
	}
	found.add("idle_cpu", 100*float64(after-before)/float64(length))
	found.note("idle_cpu", "what others do on the machine counts: it is watched")
	return nil
}

// latency opens reverse shells and looks for the line that tells of each.
func (b *bench) latency(ctx context.Context, a *agent, found results) error {
	bash, err := exec.LookPath("bash")
	if err != nil {
		found.note("alert_latency", "%s", cannot("bash is not installed"))
		return nil
	}
	for range b.times(10) {
		took, err := alertAfter(ctx, a, bash)
		if err != nil {
			return err
		}
		found.add("alert_latency", float64(took)/float64(time.Millisecond))
	}
	return nil
}

// alertAfter gives the time from the connection of a reverse shell to the alert in the security log.
func alertAfter(ctx context.Context, a *agent, bash string) (time.Duration, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("listen for the reverse shell: %w", err)
	}
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	cmd := exec.CommandContext(ctx, bash, "-c", fmt.Sprintf("bash -i >& /dev/tcp/127.0.0.1/%d 0>&1", port))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("open the reverse shell: %w", err)
	}
	defer func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait() // it was killed
	}()
	conn, err := listener.Accept()
	if err != nil {
		return 0, fmt.Errorf("accept the reverse shell: %w", err)
	}
	defer conn.Close()
	start := time.Now()
	mark := []byte(`"port":` + strconv.Itoa(port))
	for time.Since(start) < patience && ctx.Err() == nil {
		text, err := os.ReadFile(a.alerts())
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, err
		}
		if at := bytes.Index(text, mark); at >= 0 && bytes.IndexByte(text[at:], '\n') >= 0 {
			return time.Since(start), nil
		}
		time.Sleep(time.Millisecond)
	}
	return 0, fmt.Errorf("no alert for the reverse shell on port %d after %s", port, time.Since(start).Round(time.Second))
}
