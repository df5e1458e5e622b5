// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package cli

import (
	"bytes"
	"context"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

// onTerminal runs a command on a terminal of its own, and gives all bytes that the terminal gets.
func onTerminal(t *testing.T, args ...string) string {
	return onTerminalOf(t, &pty.Winsize{Rows: 24, Cols: 80}, args...)
}

func onTerminalOf(t *testing.T, size *pty.Winsize, args ...string) string {
	master, terminal, err := pty.Open()
	require.NoError(t, err)
	require.NoError(t, pty.Setsize(master, size))
	shown := make(chan []byte)
	go func() {
		var all bytes.Buffer
		// The end of a terminal that nobody has open any more is told as an error.
		_, _ = io.Copy(&all, master)
		shown <- all.Bytes()
	}()
	_ = run(context.Background(), settings(), host(), args, Streams{terminal, terminal}) // Rules that fail are an error.
	require.NoError(t, terminal.Close())
	bytes := <-shown
	require.NoError(t, master.Close())
	return string(bytes)
}

// TestBaselineScanOnANarrowTerminal looks for lines of the bar that the terminal would break.
func TestBaselineScanOnANarrowTerminal(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	root, template := baselineHost(t)
	shown := onTerminalOf(t, &pty.Winsize{Rows: 24, Cols: 32}, "baseline", "scan", "own", "--root", root, "--from", template)
	bar, _, _ := strings.Cut(shown, "own 1.1")
	assert.Contains(t, bar, "] 3/3")
	for _, line := range strings.Split(bar, "\r") {
		assert.Less(t, len(line), 32, "%q", line)
	}
}

// TestBaselineScanOnATerminal compares the bar, the colours and the clauses that a terminal gets with a golden file.
func TestBaselineScanOnATerminal(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	root, template := baselineHost(t)
	scan := []string{"baseline", "scan", "own", "--root", root, "--from", template, "--all"}
	shown := onTerminal(t, scan...)
	shown = strings.ReplaceAll(shown, template, "own.yaml")
	shown = regexp.MustCompile(`in [0-9.]+ s`).ReplaceAllString(shown, "in 0.00 s")
	shown = strings.ReplaceAll(strings.ReplaceAll(shown, "\x1b", "<esc>"), "\r", "<cr>")
	// Workers that end together move the bar once.
	shown = regexp.MustCompile(`(<cr>\[[#.]{40}\] \d/3)+`).ReplaceAllString(shown, "$1")
	golden := filepath.Join("testdata", "terminal.txt")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(golden, []byte(shown), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), shown)

	t.Setenv("NO_COLOR", "1")
	assert.NotContains(t, onTerminal(t, scan...), "\x1b", "who wants no colours gets none")
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "dumb")
	assert.NotContains(t, onTerminal(t, scan...), "\x1b", "a terminal that knows none gets none")
}
