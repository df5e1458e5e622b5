// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestConsole(t *testing.T) {
	tests := map[string]struct {
		lines     []string
		crash     string
		crashSize int
		warnings  []string
	}{
		"boot": {lines: []string{
			"[    0.000000] Linux version 6.1.0", "[    1.826019] Unstable clock detected, switching default tracing clock to \"global\"",
			"[    8.645473] reboot: Restarting system",
		}},
		"sysrq crash": {lines: []string{
			"[    3.100000] sysrq: Trigger a crash\r", "[    3.100100] Kernel panic - not syncing: sysrq triggered crash\r",
			"[    3.100200] CPU: 0 PID: 1 Comm: sh Not tainted\r",
		}, crash: "[    3.100100] Kernel panic - not syncing: sysrq triggered crash", crashSize: 2},
		"null pointer": {lines: []string{
			"[    5.1] BUG: kernel NULL pointer dereference, address: 0000000000000008",
			"[    5.2] Oops: 0000 [#1] PREEMPT SMP", "[    5.3] Kernel panic - not syncing: Fatal exception",
		}, crash: "[    5.1] BUG: kernel NULL pointer dereference, address: 0000000000000008", crashSize: 3},
		"general protection": {
			lines: []string{"[   12.1] general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP"},
			crash: "[   12.1] general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP", crashSize: 1,
		},
		"soft lockup": {
			lines: []string{"[  140.0] watchdog: BUG: soft lockup - CPU#1 stuck for 120s! [x.test:77]"},
			crash: "[  140.0] watchdog: BUG: soft lockup - CPU#1 stuck for 120s! [x.test:77]", crashSize: 1,
		},
		"hung task": {
			lines: []string{"[  240.0] INFO: task x.test:77 blocked for more than 120 seconds."},
			crash: "[  240.0] INFO: task x.test:77 blocked for more than 120 seconds.", crashSize: 1,
		},
		"with the caller": {
			lines: []string{"[   12.000001][   T77] kernel BUG at fs/inode.c:1!"},
			crash: "[   12.000001][   T77] kernel BUG at fs/inode.c:1!", crashSize: 1,
		},
		"warning": {
			lines:    []string{"[    1.0] WARNING: CPU: 0 PID: 1 at kernel/x.c:1 f+0x1/0x2"},
			warnings: []string{"WARNING: CPU: 0 PID: 1 at kernel/x.c:1 f+0x1/0x2"},
		},
		"a program's words are no crash": {lines: []string{
			"Kernel panic - not syncing: said a program", "BUG: in a program", "echo [1.0] Oops: no",
		}},
		"a program's words in the kernel log": {lines: []string{"[    2.0] x.test: segfault at 0 ip 0 sp 0 error 4", "[    2.0] DEBUG: fine"}},
		"cut in the middle":                   {lines: []string{"[    2.0] Kernel pa"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var c console
			for _, line := range test.lines {
				c.line(line)
			}
			assert.Len(t, c.crash, test.crashSize)
			if test.crashSize > 0 {
				assert.Equal(t, test.crash, c.crash[0])
			}
			assert.Equal(t, test.warnings, c.warnings)
		})
	}
}

func TestConsoleKeepsLittle(t *testing.T) {
	var c console
	c.line("[    1.0] Kernel panic - not syncing: x")
	for range 1000 {
		c.line("[    1.1] trace")
	}
	assert.Len(t, c.crash, maxCrashLines)
	assert.Len(t, c.tail, maxTailLines)
}

func FuzzConsole(f *testing.F) {
	f.Add("[    1.0] Kernel panic - not syncing: x\n[    1.0] y\r\n\n")
	f.Add("[    1.0][  C1] WARNING: CPU: 0\nBUG: ")
	f.Fuzz(func(t *testing.T, text string) {
		var c console
		for line := range strings.Lines(text) {
			c.line(strings.TrimSuffix(line, "\n"))
		}
		require.LessOrEqual(t, len(c.crash), maxCrashLines)
		require.LessOrEqual(t, len(c.tail), maxTailLines)
		for _, warning := range c.warnings {
			require.Contains(t, text, warning)
		}
	})
}
