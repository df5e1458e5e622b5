// SPDX-License-Identifier: Apache-2.0

package securitylogexporter

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/exporter/securitylogexporter/internal/metadata"
	"github.com/vedette-sec/vedette/internal/ring"
)

// openPTY returns both ends of a new pseudo-terminal: what a person sees, and the program's side.
func openPTY(t *testing.T) (person, program *os.File) {
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		t.Skipf("this machine gives no pseudo-terminals: %v", err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { person.Close() })
	conn, err := person.SyscallConn()
	require.NoError(t, err)
	number := 0
	require.NoError(t, conn.Control(func(fd uintptr) {
		require.NoError(t, unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0))
		number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
	}))
	require.NoError(t, err)
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { program.Close() })
	return person, program
}

// readUntil reads what the person sees, up to and including a text.
func readUntil(t *testing.T, person *os.File, text string) string {
	require.NoError(t, person.SetReadDeadline(time.Now().Add(time.Minute)))
	var seen strings.Builder
	chunk := make([]byte, 4096)
	for !strings.Contains(seen.String(), text) {
		n, err := person.Read(chunk)
		require.NoError(t, err, "seen so far: %q", seen.String())
		seen.Write(chunk[:n])
	}
	return seen.String()
}

// startOn starts a security log whose standard output is the given file.
func startOn(t *testing.T, cfg *Config, stdout *os.File) (*securityLog, *componenttest.Telemetry) {
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { assert.NoError(t, tel.Shutdown(context.Background())) })
	e, err := newSecurityLog(cfg, tel.NewTelemetrySettings())
	require.NoError(t, err)
	e.stdout = stdout
	require.NoError(t, e.start(t.Context(), nil))
	t.Cleanup(func() { assert.NoError(t, e.shutdown(context.Background())) })
	return e, tel
}

func TestTerminal(t *testing.T) {
	for name, tc := range map[string]struct {
		mode, noColour, term, want string
	}{
		"auto":     {terminalAuto, "", "xterm", "\x1b[1;97;41mCRITICAL\x1b[0m \x1b[1mReverse shell: nc"},
		"always":   {terminalAlways, "", "xterm", "\x1b[1;97;41mCRITICAL\x1b[0m \x1b[1mReverse shell: nc"},
		"NO_COLOR": {terminalAuto, "1", "xterm", " CRITICAL Reverse shell: nc"},
		"dumb":     {terminalAuto, "", "dumb", " CRITICAL Reverse shell: nc"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("NO_COLOR", tc.noColour)
			t.Setenv("TERM", tc.term)
			person, program := openPTY(t)
			cfg := testConfig(t)
			cfg.Terminal = tc.mode
			e, _ := startOn(t, cfg, program)
			e.terminal.patience = time.Minute // a busy machine is no stopped terminal
			require.NoError(t, e.push(t.Context(), alerts(t, 1)))
			seen := readUntil(t, person, "peer")
			assert.Contains(t, seen, tc.want)
			assert.Len(t, readLines(t, cfg.path()), 1)
		})
	}
}

func TestAutoShowsNothingOnAFile(t *testing.T) {
	stdout, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	defer stdout.Close()
	cfg := testConfig(t)
	cfg.Terminal = terminalAuto
	e, _ := startOn(t, cfg, stdout)
	require.NoError(t, e.push(t.Context(), alerts(t, 1)))
	assert.Empty(t, content(t, stdout.Name()))

	cfg = testConfig(t)
	cfg.Terminal = terminalAlways
	e, _ = startOn(t, cfg, stdout)
	require.NoError(t, e.push(t.Context(), alerts(t, 1)))
	assert.Contains(t, content(t, stdout.Name()), " CRITICAL Reverse shell: nc of www-data")
	assert.NotContains(t, content(t, stdout.Name()), "\x1b")
}

// A person who presses Ctrl-S stops the terminal, not the security log.
func TestAStoppedTerminalDoesNotHoldUpTheLog(t *testing.T) {
	_, program := openPTY(t)
	cfg := testConfig(t)
	cfg.Terminal = terminalAuto
	e, tel := startOn(t, cfg, program)
	require.NoError(t, unix.IoctlSetInt(int(program.Fd()), unix.TCXONC, unix.TCOOFF))
	require.NoError(t, e.push(t.Context(), alerts(t, 3)))
	require.NoError(t, e.push(t.Context(), alerts(t, 1)))
	assert.Len(t, readLines(t, cfg.path()), 4)
	assert.Equal(t, int64(4), counter(t, tel, "otelcol_exporter_securitylog_terminal_lost"))
}

// mountSmall mounts a file system of 64 KiB.
func mountSmall(t *testing.T) string {
	if os.Geteuid() != 0 {
		t.Skip("mounting a small file system to fill needs root")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("this machine does not let us mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { ring.Unmount(t, dir) })
	return dir
}

func TestAFullDiskLeavesWholeLines(t *testing.T) {
	cfg := testConfig(t)
	cfg.Directory = mountSmall(t)
	e, _ := startOn(t, cfg, nil)
	written := 0
	var err error
	for err == nil && written < 1000 {
		if err = e.push(t.Context(), alerts(t, 3)); err == nil {
			written += 3
		}
	}
	require.ErrorIs(t, err, unix.ENOSPC)
	require.ErrorContains(t, err, "write to the security log "+cfg.path())
	require.ErrorIs(t, e.push(t.Context(), alerts(t, 3)), unix.ENOSPC)
	require.Positive(t, written)
	assert.True(t, strings.HasSuffix(content(t, cfg.path()), "}\n"))
	assert.Len(t, readLines(t, cfg.path()), written)

	require.NoError(t, unix.Mount("", cfg.Directory, "", unix.MS_REMOUNT, "size=256k"))
	require.NoError(t, e.push(t.Context(), alerts(t, 3)))
	assert.Len(t, readLines(t, cfg.path()), written+3)
}

func TestAFullDiskIsTriedAgain(t *testing.T) {
	cfg := testConfig(t)
	cfg.Directory = mountSmall(t)
	cfg.RetryConfig = createDefaultConfig().(*Config).RetryConfig
	require.True(t, cfg.RetryConfig.Enabled)
	cfg.RetryConfig.InitialInterval = time.Millisecond
	cfg.RetryConfig.MaxInterval = time.Millisecond
	filler := filepath.Join(cfg.Directory, "filler")
	require.ErrorIs(t, os.WriteFile(filler, make([]byte, 1<<20), 0o600), unix.ENOSPC)

	core, log := observer.New(zap.InfoLevel)
	set := exportertest.NewNopSettings(metadata.Type)
	set.Logger = zap.New(core)
	exp, err := NewFactory().CreateLogs(t.Context(), set, cfg)
	require.NoError(t, err)
	require.NoError(t, exp.Start(t.Context(), componenttest.NewNopHost()))
	done := make(chan error, 1)
	go func() { done <- exp.ConsumeLogs(t.Context(), alerts(t, 2)) }()
	require.Eventually(t, func() bool { return log.FilterMessageSnippet("retry").Len() > 0 }, time.Minute, time.Millisecond)
	require.NoError(t, os.Remove(filler))
	require.NoError(t, <-done)
	require.NoError(t, exp.Shutdown(t.Context()))
	assert.Len(t, readLines(t, cfg.path()), 2)
}
