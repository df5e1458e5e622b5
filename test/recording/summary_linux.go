// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// job is a job that cron ran.
type job struct {
	at     int64 // Unix time
	name   string
	status int
}

// readJobs reads the list that the wrapper of the jobs writes. There is none when no job ran.
func readJobs(path string) ([]job, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var jobs []job
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var j job
		if _, err := fmt.Sscanf(lines.Text(), "%d %s %d", &j.at, &j.name, &j.status); err != nil {
			return nil, fmt.Errorf("%s: found %q, expected a time, a name and a status: %w", path, lines.Text(), err)
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}

// outcome counts the runs of one piece of work, or of one job of cron.
type outcome struct {
	name, way    string
	runs, failed int
	took         time.Duration
}

func (s *summary) outcomes() []outcome {
	var found []outcome
	at := func(name, way string) *outcome {
		for i := range found {
			if found[i].name == name && found[i].way == way {
				return &found[i]
			}
		}
		found = append(found, outcome{name: name, way: way})
		return &found[len(found)-1]
	}
	for _, d := range s.log {
		o := at(d.name, string(d.way))
		o.runs++
		o.took += d.took
		if d.err != nil {
			o.failed++
		}
	}
	for _, j := range s.jobs {
		o := at(j.name, "cron")
		o.runs++
		if j.status != 0 {
			o.failed++
		}
	}
	slices.SortFunc(found, func(a, b outcome) int { return strings.Compare(a.name+a.way, b.name+b.way) })
	return found
}

// print tells how the run went. It is an error when a piece of work failed.
func (s *summary) print() error {
	failed := 0
	for _, d := range s.log {
		if d.err != nil {
			failed++
		}
	}
	fmt.Println()
	s.writeTables(os.Stdout)
	fmt.Printf("\nThe recording is in %s.\n", s.Out)
	for _, j := range s.jobs {
		if j.status != 0 {
			failed++
			fmt.Printf("cron's job %s ended with status %d\n", j.name, j.status)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d pieces of work failed", failed)
	}
	return nil
}

// readme tells what a recording holds and how it was made.
func (s *summary) readme() []byte {
	var out bytes.Buffer
	var name unix.Utsname
	_ = unix.Uname(&name) // it cannot fail with memory of its own
	fmt.Fprintf(&out, `# Everyday work

Events of a server on which nothing bad happens, as the receiver gave them, for rules to be judged by.
`+"`%s`"+` holds them; `+"`%s`"+` tells what was done when.

| | |
|---|---|
| Made by | `+"`go run ./test/recording -duration %s -pause %s -seed %d -cpu %d`"+` |
| Begun | %s |
| Lasted | %s |
| System | Debian %s on Linux %s |

The server's name, machine id and boot id are made up. The server ran in a container; its first process
has no parents here, and no process a container. Further figures:

`, recordingFile, timelineFile, s.Duration, s.Pause, s.Seed, s.CPU, s.begin.UTC().Format(time.RFC3339),
		s.end.Sub(s.begin).Round(time.Second), release, unix.ByteSliceToString(name.Release[:]))
	s.writeTables(&out)
	return out.Bytes()
}

func (s *summary) writeTables(w io.Writer) {
	fmt.Fprintf(w, "%d events in %d bytes, %.1f for each; %d were lost.\n", s.counts.events, s.size,
		float64(s.size)/float64(max(s.counts.events, 1)), s.counts.lost)
	fmt.Fprintf(w, "\n| Event | Count |\n|---|---|\n")
	for _, e := range ranked(s.counts.kinds, len(s.counts.kinds)) {
		fmt.Fprintf(w, "| `%s` | %d |\n", e.name, e.count)
	}
	fmt.Fprintf(w, "\n| Program | Events |\n|---|---|\n")
	for _, e := range ranked(s.counts.programs, 25) {
		fmt.Fprintf(w, "| `%s` | %d |\n", e.name, e.count)
	}
	fmt.Fprintf(w, "\n| Work | How | Runs | Failed | Seconds for each |\n|---|---|---|---|---|\n")
	for _, o := range s.outcomes() {
		seconds := ""
		if o.way != "cron" {
			seconds = fmt.Sprintf("%.1f", o.took.Seconds()/float64(o.runs))
		}
		fmt.Fprintf(w, "| %s | %s | %d | %d | %s |\n", o.name, o.way, o.runs, o.failed, seconds)
	}
}

// timeline is a table of all that was done, in the order in which it began.
func (s *summary) timeline() []byte {
	rows := [][]string{}
	for _, d := range s.log {
		status := "ok"
		if d.err != nil {
			status = "failed"
		}
		rows = append(rows, []string{d.begin.UTC().Format(time.RFC3339), d.name, string(d.way), d.user,
			strconv.FormatFloat(d.took.Seconds(), 'f', 1, 64), status})
	}
	for _, j := range s.jobs {
		status := "ok"
		if j.status != 0 {
			status = "failed"
		}
		rows = append(rows, []string{time.Unix(j.at, 0).UTC().Format(time.RFC3339), j.name, "cron", "", "", status})
	}
	slices.SortStableFunc(rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	_ = w.Write([]string{"time", "work", "how", "user", "seconds", "status"})
	_ = w.WriteAll(rows) // a buffer takes all
	return out.Bytes()
}
