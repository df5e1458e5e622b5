// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/baselines"
	"github.com/vedette-sec/vedette/internal/fileevent"
	"github.com/vedette-sec/vedette/internal/hostconf"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

// What is scanned: as many files as a server with some software has, in directories of a hundred.
const (
	scannedTemplate = "cis-debian12"
	scannedProfile  = "level1-server"
	scannedFiles    = 145_000
	inOneDirectory  = 100
)

// scanned measures scans of a host: one by the program as a user runs it, and again by what the receiver keeps.
func scanned(ctx context.Context, b *bench) (results, error) {
	program, err := b.agentProgram(ctx)
	if err != nil {
		return nil, err
	}
	root := filepath.Join(b.dir, "scanned")
	found := results{}
	err = b.makeScannedHost(root)
	if err == nil {
		err = b.scanRounds(ctx, program, root, found)
	}
	if err == nil {
		err = b.scanOnce(program, root, found)
	}
	return found, errors.Join(err, removeScannedHost(root))
}

func (b *bench) scannedCount() int {
	if b.quick {
		return scannedFiles / 50
	}
	return scannedFiles
}

// makeScannedHost makes the root directory of a host: this one's configuration and kernel, and many files.
func (b *bench) makeScannedHost(root string) error {
	for i := 0; i < b.scannedCount(); i += inOneDirectory {
		dir := filepath.Join(root, "srv", strconv.Itoa(i/inOneDirectory))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		for j := range inOneDirectory {
			if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(j)), nil, 0o644); err != nil {
				return err
			}
		}
	}
	if err := os.CopyFS(filepath.Join(root, "etc"), os.DirFS("/etc")); err != nil {
		return fmt.Errorf("copying /etc: %w", err)
	}
	if err := copyFile("/var/lib/dpkg/status", filepath.Join(root, "var", "lib", "dpkg", "status")); err != nil {
		return cannot("the host has no packages of Debian: %v", err)
	}
	proc := filepath.Join(root, "proc")
	if err := os.MkdirAll(proc, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("/proc", proc, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("binding /proc: %w", err)
	}
	return nil
}

// removeScannedHost leaves alone what is mounted there.
func removeScannedHost(root string) error {
	if err := unix.Unmount(filepath.Join(root, "proc"), unix.MNT_DETACH); err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("unmounting: %w", err)
	}
	return os.RemoveAll(root)
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}

func (b *bench) scanRounds(ctx context.Context, program, root string, found results) error {
	base, fast, err := withoutWalk()
	if err != nil {
		return err
	}
	for range b.rounds {
		idle, err := timedRun(ctx, program, "baseline", "list")
		if err != nil {
			return err
		}
		full, err := timedRun(ctx, program, "baseline", "scan", scannedTemplate, "--profile", scannedProfile, "--root", root, "--json")
		if err != nil {
			return err
		}
		found.add("baseline_scan_wall", full.wall.Seconds())
		found.add("baseline_scan_cpu", full.cpu.Seconds())
		found.add("baseline_added", max(0, full.peak-idle.peak))
		if err := scansAgain(ctx, base, fast, root, found); err != nil {
			return err
		}
	}
	return nil
}

// scanOnce counts the processes that a scan starts, and proves that it goes through all files: the last one is made one that everybody may write,
// and must be told.
func (b *bench) scanOnce(program, root string, found results) error {
	files, last, err := filesBelow(filepath.Join(root, "srv"))
	if err != nil {
		return err
	}
	if files != b.scannedCount() {
		return fmt.Errorf("%s: found %d files, expected %d", root, files, b.scannedCount())
	}
	if err := os.Chmod(last, 0o666); err != nil {
		return err
	}
	children, output, err := countChildren(program, "baseline", "scan", scannedTemplate, "--profile", scannedProfile, "--root", root, "--json")
	if err != nil {
		return err
	}
	if name := strings.TrimPrefix(last, root); !bytes.Contains(output, []byte(strconv.Quote(name))) {
		return fmt.Errorf("found nothing about %s, which everybody may write, in what the scan tells: it has not gone through all files", name)
	}
	found.add("baseline_children", float64(children))
	found.note("baseline_scan_wall", "%s files, the last of which it finds when everybody may write it", thousands(int64(files)))
	return nil
}

// filesBelow counts the files of a tree and gives the last one.
func filesBelow(dir string) (count int, last string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			count++
			last = path
		}
		return err
	})
	return count, last, err
}

// timed is what a run of a program took; peak is the most memory it held, in MiB.
type timed struct {
	wall, cpu time.Duration
	peak      float64
}

func timedRun(ctx context.Context, program string, args ...string) (timed, error) {
	return timedCommand(exec.CommandContext(ctx, program, args...))
}

func timedCommand(cmd *exec.Cmd) (timed, error) {
	started := time.Now()
	if err := cmd.Start(); err != nil {
		return timed{}, fmt.Errorf("running %s: %w", cmd.Path, err)
	}
	ended := make(chan struct{})
	peak := make(chan float64)
	go func() { peak <- watchPeak(cmd.Process.Pid, ended) }()
	err := cmd.Wait()
	wall := time.Since(started)
	close(ended)
	took := timed{wall, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), <-peak}
	var exit *exec.ExitError
	// Rules that fail are told by the exit status too.
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 1) {
		return timed{}, fmt.Errorf("running %s: %w", cmd.Path, err)
	}
	return took, nil
}

// peakInterval is how often a program that runs is asked for the most memory that it held: at its end only the kernel could say, and counts in what
// the process had before it ran that program.
const peakInterval = 5 * time.Millisecond

// watchPeak gives the most memory in MiB that a process says it has held, until it has ended.
func watchPeak(pid int, ended <-chan struct{}) float64 {
	tick := time.NewTicker(peakInterval)
	defer tick.Stop()
	most := 0.0
	for {
		select {
		case <-ended:
			return most
		case <-tick.C:
			if m, err := memoryFrom(pid, "status"); err == nil && m.peak > 0 {
				most = m.peak
			}
		}
	}
}

// withoutWalk gives the baseline, and the ids of the rules that do not go through all files.
func withoutWalk() (*baseline.Baseline, []string, error) {
	set, err := baselines.Load(nil)
	if err != nil {
		return nil, nil, err
	}
	base, err := set.Resolve(scannedTemplate, nil)
	if err != nil {
		return nil, nil, err
	}
	var ids []string
	for _, r := range base.Rules {
		if !r.Check.Uses("walk") {
			ids = append(ids, r.ID)
		}
	}
	return base, ids, nil
}

// scansAgain measures a scan without the walk, and one of a host that was scanned before and has not changed.
func scansAgain(ctx context.Context, base *baseline.Baseline, fast []string, root string, found results) (err error) {
	started := time.Now()
	if _, err := baseline.Scan(ctx, base, baseline.Options{Root: root, Rules: fast, Profile: scannedProfile}); err != nil {
		return err
	}
	found.add("baseline_no_walk", milliseconds(time.Since(started)))
	s := baseline.NewScanner(root, baseline.Effort{}, time.Hour)
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.Add(base, baseline.Options{Profile: scannedProfile}); err != nil {
		return err
	}
	if _, err := s.Scan(ctx, nil, time.Now()); err != nil {
		return err
	}
	if err := s.Unwatched(); err != nil {
		found.note("baseline_again", "changes of files are not told here: %v", err)
	}
	started = time.Now()
	if _, err := s.Scan(ctx, nil, time.Now()); err != nil {
		return err
	}
	found.add("baseline_again", milliseconds(time.Since(started)))
	return scanTold(ctx, s, found)
}

// scanTold measures what the receiver does when a sensor tells that a file was opened for writing which rules are about, and nothing in it changed.
func scanTold(ctx context.Context, s *baseline.Scanner, found results) error {
	hub, news := &fileevent.Hub{}, hostconf.NewNews()
	defer hub.Subscribe(news)()
	sensor := hub.Open()
	defer sensor.Close()
	s.Hear(news)
	if _, err := s.Scan(ctx, nil, time.Now()); err != nil {
		return err
	}
	sensor.Tell(fileevent.Event{Act: fileevent.Opened, Path: "/etc/login.defs"})
	if _, pending, _ := news.State(); !pending {
		return errors.New("/etc/login.defs: found no rule about it, expected some")
	}
	started := time.Now()
	if _, err := s.ScanTold(ctx, nil, time.Now()); err != nil {
		return err
	}
	found.add("baseline_told", milliseconds(time.Since(started)))
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
