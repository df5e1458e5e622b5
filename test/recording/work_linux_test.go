// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEveryScriptIsWork(t *testing.T) {
	var names, scripts []string
	for _, w := range allWork {
		names = append(names, w.file())
		assert.Positive(t, w.weight, w.name)
	}
	scripts, err := fs.Glob(workScripts, "workloads/*.sh")
	require.NoError(t, err)
	assert.ElementsMatch(t, scripts, names)
}

func TestScriptsAreOfTheirWay(t *testing.T) {
	for _, w := range allWork {
		content, err := workScripts.ReadFile(w.file())
		require.NoError(t, err)
		text := string(content)
		if w.way == typed {
			assert.NotContains(t, text, "\t", "%s: a shell would complete at a tab", w.name)
			assert.NotContains(t, text, "!", "%s: a shell would look into its history", w.name)
			assert.True(t, strings.HasPrefix(text, "# SPDX-License-Identifier: "), w.name)
			continue
		}
		assert.True(t, strings.HasPrefix(text, "#!/bin/bash\n# SPDX-License-Identifier: "), w.name)
		assert.Contains(t, text, "\nset -euo pipefail\n", w.name)
		assert.NotContains(t, text, "@N@", w.name)
	}
}

func TestScriptsAreShell(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	for _, files := range []fs.FS{workScripts, serverFiles} {
		require.NoError(t, fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := fs.ReadFile(files, path)
			first, _, _ := strings.Cut(string(content), "\n")
			if err != nil || !strings.HasSuffix(path, ".sh") && !strings.HasSuffix(first, "sh") {
				return err
			}
			cmd := exec.Command(bash, "-n")
			cmd.Stdin = strings.NewReader(string(content))
			out, err := cmd.CombinedOutput()
			assert.NoError(t, err, "%s: %s", path, out)
			return nil
		}))
	}
}

func TestLinesAreFilled(t *testing.T) {
	for _, w := range allWork {
		if w.way != typed {
			continue
		}
		lines, err := w.lines(7, rand.New(rand.NewPCG(1, 2)))
		require.NoError(t, err)
		require.NotEmpty(t, lines, w.name)
		assert.NotRegexp(t, `@[A-Z]+@`, strings.Join(lines, "\n"), w.name)
	}
}

func TestScheduleFollowsTheSeed(t *testing.T) {
	order := func(seed uint64) []string {
		s := newSchedule(allWork, seed)
		var names []string
		for range 100 {
			w, number, random := s.next()
			names = append(names, w.name)
			assert.Equal(t, len(names), number)
			assert.NotNil(t, random)
		}
		return names
	}
	assert.Equal(t, order(1), order(1))
	assert.NotEqual(t, order(1), order(2))
	total := 0
	for _, w := range allWork {
		total += w.weight
	}
	round := order(3)[:total]
	for _, w := range allWork {
		count := 0
		for _, name := range round {
			if name == w.name {
				count++
			}
		}
		assert.Equal(t, w.weight, count, w.name)
	}
}

func TestScheduleKeepsLocks(t *testing.T) {
	s := newSchedule([]work{{name: "a", weight: 1, locks: []string{apt}}, {name: "b", weight: 1, locks: []string{services, apt}}}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	busy := make(chan struct{}, 1)
	s.follow(ctx, time.Hour, 0, func(_ context.Context, _ work, number int, _ *rand.Rand) error {
		select {
		case busy <- struct{}{}:
		default:
			t.Error("two pieces of work have the same lock")
		}
		if number > 20 {
			cancel()
		}
		<-busy
		if number == 3 {
			return errors.New("it failed")
		}
		return nil
	})
	require.GreaterOrEqual(t, len(s.log), 20)
	for _, d := range s.log {
		assert.Equal(t, d.number == 3, d.err != nil)
	}
}

func TestPrompts(t *testing.T) {
	for shown, want := range map[string]bool{
		"admin@web1:~$ ":                             true,
		"set -e\r\nadmin@web1:/srv/data$ ":           true,
		"root@web1:~# ":                              true,
		"cat <<E\r\n> ":                              true,
		"\x1b[?2004hadmin@web1:~$ ":                  true,
		"\x1b]0;admin@web1: ~\aadmin@web1:~$ \x1b[K": true,
		"":                        false,
		"Reading package lists":   false,
		"admin@web1:~$ ls":        false,
		"costs 5$ ":               false,
		"Progress: 50 % [### ":    false,
		"Do you want it? [Y/n] ":  false,
		"admin@web1:~$ \r\nhello": false,
	} {
		s := &screen{}
		_, err := io.WriteString(s, shown)
		require.NoError(t, err)
		s.changed = time.Time{}
		assert.Equal(t, want, s.prompts(), "%q", shown)
	}
}

func TestReadJobs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jobs")
	jobs, err := readJobs(path)
	require.NoError(t, err)
	assert.Empty(t, jobs)
	require.NoError(t, os.WriteFile(path, []byte("1700000000 health 0\n1700000060 php 1\n"), 0o600))
	jobs, err = readJobs(path)
	require.NoError(t, err)
	assert.Equal(t, []job{{1700000000, "health", 0}, {1700000060, "php", 1}}, jobs)
	require.NoError(t, os.WriteFile(path, []byte("garbage\n"), 0o600))
	_, err = readJobs(path)
	assert.ErrorContains(t, err, `found "garbage", expected a time, a name and a status`)
}

func TestOutcomesCountEachWay(t *testing.T) {
	s := summary{
		log:  []done{{work: work{name: "a", way: typed}, took: time.Second}, {work: work{name: "a", way: typed}, took: 3 * time.Second, err: io.EOF}},
		jobs: []job{{1, "a", 0}, {2, "a", 1}},
	}
	assert.Equal(t, []outcome{{"a", "cron", 2, 1, 0}, {"a", "typed", 2, 1, 4 * time.Second}}, s.outcomes())
	assert.Equal(t, "time,work,how,user,seconds,status\n"+
		"0001-01-01T00:00:00Z,a,typed,,1.0,ok\n0001-01-01T00:00:00Z,a,typed,,3.0,failed\n"+
		"1970-01-01T00:00:01Z,a,cron,,,ok\n1970-01-01T00:00:02Z,a,cron,,,failed\n", string(s.timeline()))
}

func TestParseOptions(t *testing.T) {
	o, err := parseOptions(nil, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, 2*time.Hour, o.Duration)
	assert.Equal(t, uint64(1), o.Seed)
	for want, args := range map[string][]string{
		`found the argument "x", expected flags only`: {"x"},
		`-run: no work matches "nothing"`:             {"-run", "nothing"},
		"-run: error parsing regexp":                  {"-run", "("},
		"-cpu: found 1, expected 5 to 1600":           {"-cpu", "1"},
		"-duration -1s, -pause 12s: expected times":   {"-duration", "-1s"},
	} {
		_, err := parseOptions(args, io.Discard)
		assert.ErrorContains(t, err, want)
	}
}

func TestSelectWork(t *testing.T) {
	assert.Len(t, selectWork(regexp.MustCompile("")), len(allWork))
	for _, w := range selectWork(regexp.MustCompile("^apt-")) {
		assert.Contains(t, w.locks, apt)
	}
}

func TestPutFiles(t *testing.T) {
	dir := t.TempDir()
	files, err := fs.Sub(serverFiles, "server")
	require.NoError(t, err)
	require.NoError(t, putFiles(files, dir))
	for path, mode := range map[string]fs.FileMode{"etc/cron.d/everyday": 0o644, "etc/init.d/app": 0o755, "opt/ops/job": 0o755} {
		info, err := os.Stat(filepath.Join(dir, path))
		require.NoError(t, err)
		assert.Equal(t, mode, info.Mode(), path)
	}
}
