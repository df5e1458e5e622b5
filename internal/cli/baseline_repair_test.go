// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/repair"
)

const fixTemplate = `template: own
title: Own
rules:
  - id: shells
    title: Shells
    check: {line: {files: [/etc/shells], pattern: nologin, count: 0}}
    fix: [{line: {files: [/etc/shells], remove: nologin}}]
    undo: R0
  - id: age
    title: Passwords age
    check: {account: {where: {password: usable}, expect: {max_days: {max: 90}}}}
    fix: [{account: {where: {password: usable}, field: max_days, days: 90}}]
    undo: R0
  - id: hand
    title: By hand
    check: {file: {paths: [/etc/none], expect: {exists: true}}}
---
waivers:
  - {rule: shells, template: waived, owner: ops, approver: ciso, reason: Later., expires: 2999-01-01}
---
template: waived
title: Waived
extends: own
`

func fixHost(t *testing.T) (root string, baselineArgs func(args ...string) []string) {
	root, _ = baselineHost(t)
	require.NoError(t, os.WriteFile(filepath.Join(root, "etc/shells"), []byte("/bin/sh\n/sbin/nologin\n"), 0o600))
	template := filepath.Join(t.TempDir(), "own.yaml")
	require.NoError(t, os.WriteFile(template, []byte(fixTemplate), 0o600))
	return root, func(args ...string) []string {
		return append([]string{"baseline", "--from", template}, append(args, "--root", root)...)
	}
}

func TestBaselineFixAndRollback(t *testing.T) {
	root, line := fixHost(t)
	shells := func() string {
		text, err := os.ReadFile(filepath.Join(root, "etc/shells"))
		require.NoError(t, err)
		return string(text)
	}
	stdout, _, err := execute(t, host(), line("fix", "own", "--dry-run")...)
	require.Error(t, err, "one rule is to be repaired by hand")
	assert.Contains(t, stdout, "planned   shells (R0)\n    --- a/etc/shells\n    +++ b/etc/shells\n")
	assert.Contains(t, stdout, "    # account root max_days: \"100\" → \"90\"\n")
	assert.Contains(t, stdout, "by hand   hand\n2 planned, 1 by hand\n")
	assert.Equal(t, "/bin/sh\n/sbin/nologin\n", shells())

	stdout, _, err = execute(t, host(), line("fix", "waived", "--rule", "shells")...)
	require.NoError(t, err)
	assert.Equal(t, "nothing fails\n", stdout, "what is waived is left alone")

	expired := filepath.Join(t.TempDir(), "waivers.yaml")
	require.NoError(t, os.WriteFile(expired, []byte("waivers:\n  - {rule: shells, template: own, owner: ops, approver: ciso, reason: Later., expires: 2020-01-01}\n"), 0o600))
	stdout, stderr, err := execute(t, host(), line("fix", "own", "--rule", "shells", "--dry-run", "--from", expired)...)
	require.NoError(t, err)
	assert.Contains(t, stdout, "1 planned\n", "a waiver that has expired does not bind")
	assert.Equal(t, "note: "+expired+":2:5: the waiver for shells has expired or is about no rule, and does not bind\n", stderr)

	stdout, _, err = execute(t, host(), line("fix", "own", "--rule", "shells", "--json")...)
	require.NoError(t, err)
	var report repair.Report
	require.NoError(t, json.Unmarshal([]byte(stdout), &report))
	assert.Equal(t, "/bin/sh\n", shells())

	stdout, _, err = execute(t, host(), line("transactions")...)
	require.NoError(t, err)
	assert.Regexp(t, report.Transaction+` +fix +committed +shells +kept`, stdout)
	stdout, _, err = execute(t, host(), line("rollback", "--rule", "shells")...)
	require.NoError(t, err)
	assert.Contains(t, stdout, "taken back  shells\n    --- a/etc/shells\n")
	assert.Equal(t, "/bin/sh\n/sbin/nologin\n", shells())
	stdout, _, err = execute(t, host(), line("transactions", "--json")...)
	require.NoError(t, err)
	var all []repair.Transaction
	require.NoError(t, json.Unmarshal([]byte(stdout), &all))
	require.Len(t, all, 2)
	assert.Equal(t, repair.OutcomeRolledBack, all[0].Rules[0].Outcome)
}

// assertNothingWaits waits until the process is gone that waits for the confirmation of a host's repair.
func assertNothingWaits(t *testing.T, root string) {
	require.Eventually(t, func() bool {
		processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
		require.NoError(t, err)
		for _, p := range processes {
			if line, err := os.ReadFile(p); err == nil && strings.Contains(string(line), "\x00await\x00") && strings.Contains(string(line), root) {
				return false
			}
		}
		return true
	}, time.Minute, 10*time.Millisecond)
}

// maxDays gives the field of root's line of shadow.
func maxDays(t *testing.T, root string) string {
	text, err := os.ReadFile(filepath.Join(root, "etc/shadow"))
	require.NoError(t, err)
	return strings.Split(string(text), ":")[4]
}

func TestBaselineFixIsConfirmed(t *testing.T) {
	root, line := fixHost(t)
	stdout, _, err := execute(t, host(), line("fix", "own", "--rule", "age", "--confirm-within", "10m")...)
	require.NoError(t, err)
	assert.Contains(t, stdout, "It could lock people out and is taken back at ")
	_, _, err = execute(t, host(), line("confirm")...)
	require.NoError(t, err)
	assert.Equal(t, "90", maxDays(t, root))
	_, _, err = execute(t, host(), line("confirm")...)
	assert.ErrorContains(t, err, "found no transaction that waits to be confirmed")
	assertNothingWaits(t, root)
}

// TestBaselineFixIsTakenBackByItself runs no other command: what waits is a process of its own.
func TestBaselineFixIsTakenBackByItself(t *testing.T) {
	root, line := fixHost(t)
	_, _, err := execute(t, host(), line("fix", "own", "--rule", "age", "--confirm-within", "1ms")...)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return maxDays(t, root) == "100" }, time.Minute, 10*time.Millisecond)
	assertNothingWaits(t, root)
	stdout, _, err := execute(t, host(), line("transactions")...)
	require.NoError(t, err)
	assert.Contains(t, stdout, "age   rolled back by")
}

// TestBaselineFixOfAnImageWaitsForNobody has accounts changed of a host that does not run.
func TestBaselineFixOfAnImageWaitsForNobody(t *testing.T) {
	root, line := fixHost(t)
	stdout, _, err := execute(t, host(), line("fix", "own", "--rule", "age")...)
	require.NoError(t, err)
	assert.NotContains(t, stdout, "taken back at")
	stdout, _, err = execute(t, host(), line("transactions")...)
	require.NoError(t, err)
	assert.Contains(t, stdout, "committed")
	assert.Equal(t, "90", maxDays(t, root))
}

func TestBaselineRepairCommandsRefuse(t *testing.T) {
	_, line := fixHost(t)
	for want, args := range map[string][]string{
		"found neither a transaction nor --rule":     {"rollback"},
		"found no transaction x, expected one of":    {"rollback", "x"},
		"found no transaction in which the rule age": {"rollback", "--rule", "age"},
		`found the rule "none", expected one of`:     {"fix", "own", "--rule", "none"},
		"found no template with this id":             {"fix", "none"},
		"found no transaction that waits":            {"confirm"},
	} {
		_, _, err := execute(t, host(), line(args...)...)
		assert.ErrorContains(t, err, want)
	}
}
