// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"github.com/vedette-sec/vedette/internal/recording"
)

// serverFiles are put over the root from the cache: settings, services, jobs and sites of the server.
//
//go:embed all:server
var serverFiles embed.FS

// What a recording consists of.
const (
	recordingFile = "everyday.otlp.zst"
	readmeFile    = "README.md"
	timelineFile  = "timeline.csv"
)

// run makes a recording. It runs in a network namespace of its own, which is that of the clients.
func run(ctx context.Context, know string) error {
	var o options
	if err := json.Unmarshal([]byte(know), &o); err != nil {
		return err
	}
	needles, err := hostNeedles(o)
	if err != nil {
		return err
	}
	// Beside the cached root, so that copying it can be cheap.
	dir, err := os.MkdirTemp(filepath.Dir(o.Root), "run-")
	if err != nil {
		return err
	}
	if o.Keep {
		fmt.Println("keeping", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	s := &summary{options: o, dir: dir}
	if err := s.watchWork(ctx); err != nil {
		return err
	}
	if err := s.write(needles); err != nil {
		return err
	}
	return s.print()
}

// summary is what there is to tell of a run.
type summary struct {
	options
	dir     string
	begin   time.Time
	end     time.Time
	initPID int
	log     []done
	jobs    []job
	counts  *counts
	size    int64
}

// watchWork runs the server, and on it the work under the eyes of the agent.
func (s *summary) watchWork(ctx context.Context) (err error) {
	root := filepath.Join(s.dir, "root")
	if err := copyRoot(ctx, s.Root, root); err != nil {
		return fmt.Errorf("copy the root: %w", err)
	}
	log, err := os.Create(filepath.Join(s.dir, "server.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	server, err := startServer(ctx, root, s.CPU, log)
	if err != nil {
		said, _ := os.ReadFile(log.Name())
		return fmt.Errorf("%w; it said:\n%s", err, tail(said))
	}
	s.initPID = server.pid()
	defer func() { err = errors.Join(err, server.stop()) }()
	mirror, err := serveMirror(s.Root)
	if err != nil {
		return err
	}
	defer mirror.Close()
	agent, err := startAgent(ctx, s.options, server, s.dir)
	if err != nil {
		return err
	}
	s.begin = time.Now()
	plan := newSchedule(selectWork(regexp.MustCompile(s.Match)), s.Seed)
	plan.follow(ctx, s.Duration, s.Pause, server.do)
	s.end, s.log = time.Now(), plan.log
	if err := agent.stop(); err != nil {
		return err
	}
	s.jobs, err = readJobs(filepath.Join(root, "var/log/jobs"))
	return errors.Join(err, ctx.Err())
}

// copyRoot copies the root without the packages and puts the server's files over it.
func copyRoot(ctx context.Context, from, to string) error {
	if out, err := exec.CommandContext(ctx, "cp", "-a", "--reflink=auto", from, to).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	if err := os.RemoveAll(filepath.Join(to, "var/mirror")); err != nil {
		return err
	}
	files, err := fs.Sub(serverFiles, "server")
	if err != nil {
		return err
	}
	if err := putFiles(files, to); err != nil {
		return err
	}
	scripts, err := fs.Sub(workScripts, "workloads")
	if err != nil {
		return err
	}
	return putFiles(scripts, filepath.Join(to, scriptDir))
}

// putFiles writes files below a directory; those that begin as scripts can be run.
func putFiles(files fs.FS, to string) error {
	return fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, path)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		content, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if len(content) > 2 && string(content[:2]) == "#!" {
			mode = 0o755
		}
		if err := os.WriteFile(target, content, mode); err != nil {
			return err
		}
		return os.Chmod(target, mode)
	})
}

// write makes the recording of what the agent wrote.
func (s *summary) write(needles []needle) (err error) {
	in, err := recording.Open(agentOutput(s.dir))
	if err != nil {
		return err
	}
	defer in.Close()
	// Under its own name only what has been checked.
	unchecked := filepath.Join(s.dir, recordingFile)
	out, err := os.Create(unchecked)
	if err != nil {
		return err
	}
	defer out.Close()
	w, err := recording.NewWriter(out)
	if err != nil {
		return err
	}
	s.counts = newCounts()
	hide := newAnonymiser(initProgram, s.initPID)
	for logs, err := range in.All() {
		if err != nil {
			return err
		}
		hide.apply(logs)
		if err := leak(logs, needles); err != nil {
			return fmt.Errorf("the recording is not kept: %w", err)
		}
		s.counts.add(logs)
		if err := w.Write(logs); err != nil {
			return err
		}
	}
	if err := errors.Join(w.Close(), out.Sync()); err != nil {
		return err
	}
	info, err := out.Stat()
	if err != nil {
		return err
	}
	s.size = info.Size()
	return s.deliver(unchecked)
}

// deliver puts the recording and what tells of it where they are wanted.
func (s *summary) deliver(unchecked string) error {
	content, err := os.ReadFile(unchecked)
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		recordingFile: content, readmeFile: s.readme(), timelineFile: s.timeline(),
	} {
		if err := os.WriteFile(filepath.Join(s.Out, name), content, 0o644); err != nil {
			return fmt.Errorf("write the recording: %w", err)
		}
	}
	return nil
}
