// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/ring"
)

func readText(t testing.TB, root, path string) string {
	text, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	return string(text)
}

func writeText(t testing.TB, root, path, text string) {
	require.NoError(t, os.WriteFile(filepath.Join(root, path), []byte(text), 0o644))
}

// TestRollbackRefusesWhatWasChangedSince changes something of each primitive after its repair.
func TestRollbackRefusesWhatWasChangedSince(t *testing.T) {
	for rule, change := range map[string]func(root string){
		"file":         func(root string) { require.NoError(t, os.Chmod(filepath.Join(root, "etc/crontab"), 0o640)) },
		"config.login": func(root string) { writeText(t, root, "etc/login.defs", "PASS_MAX_DAYS 30\n") },
		"config.dropin": func(root string) {
			writeText(t, root, "etc/systemd/journald.conf.d/zz-vedette.conf", "[Journal]\nStorage=volatile\n")
		},
		"line":   func(root string) { writeText(t, root, "etc/shells", "/bin/zsh\n") },
		"sysctl": func(root string) { writeText(t, root, "proc/sys/kernel/dmesg_restrict", "3\n") },
		"kmod":   func(root string) { writeText(t, root, "etc/modprobe.d/vedette-kmod.conf", "") },
		"unit.masked": func(root string) {
			require.NoError(t, os.Remove(filepath.Join(root, "etc/systemd/system/rsync.service")))
			writeText(t, root, "etc/systemd/system/rsync.service", "[Unit]\n")
		},
		"account.days": func(root string) {
			writeText(t, root, "etc/shadow", strings.Replace(readText(t, root, "etc/shadow"), ":90:", ":45:", 1))
		},
		"account.lock": func(root string) {
			writeText(t, root, "etc/shadow", strings.Replace(readText(t, root, "etc/shadow"), "!$1$l$", "!$1$another$", 1))
		},
		"sudoers.pty": func(root string) {
			require.NoError(t, os.Chmod(filepath.Join(root, "etc/sudoers.d/vedette-sudoers_pty"), 0o400))
		},
	} {
		t.Run(rule, func(t *testing.T) {
			root, b := newHost(t), primitives(t)
			report := fix(t, root, b, rule)
			require.Equal(t, Fixed, report.Rules[0].Result)
			change(root)
			before := snapshot(t, root)
			_, err := rollback(t, root, Back{Transaction: report.Transaction})
			var conflict *Conflict
			require.ErrorAs(t, err, &conflict)
			assert.ErrorContains(t, err, "was changed since it was repaired, so it is left as it is")
			assertSame(t, before, snapshot(t, root), "nothing is taken back")
		})
	}
}

func TestRollbackMergesOnlyOurLines(t *testing.T) {
	root, b := newHost(t), primitives(t)
	report := fix(t, root, b, "config.login")
	writeText(t, root, "etc/login.defs", readText(t, root, "etc/login.defs")+"# added\nUMASK 027\n")
	_, err := rollback(t, root, Back{Rule: "config.login"})
	require.ErrorContains(t, err, "/etc/login.defs was changed since")
	assert.ErrorContains(t, err, "-PASS_MAX_DAYS\t99999\n+PASS_MAX_DAYS 90\n", "what the repair changed")
	assert.ErrorContains(t, err, "+# added\n+UMASK 027", "and what was changed since")
	_, err = rollback(t, root, Back{Transaction: report.Transaction, Merge: true})
	require.NoError(t, err)
	assert.Equal(t, weakHost["etc/login.defs"]+"# added\nUMASK 027\n", readText(t, root, "etc/login.defs"))
}

func TestRollbackDoesNotMergeWhatMeets(t *testing.T) {
	root, b := newHost(t), primitives(t)
	report := fix(t, root, b, "config.login")
	writeText(t, root, "etc/login.defs", strings.Replace(readText(t, root, "etc/login.defs"), "PASS_MAX_DAYS 90", "PASS_MAX_DAYS 60", 1))
	_, err := rollback(t, root, Back{Transaction: report.Transaction, Merge: true})
	var conflict *Conflict
	require.ErrorAs(t, err, &conflict)
	assert.Contains(t, readText(t, root, "etc/login.defs"), "PASS_MAX_DAYS 60")
}

// TestRollbackOfARuleAmongOthers takes one of two repairs of a file back, in both orders.
func TestRollbackOfARuleAmongOthers(t *testing.T) {
	b := loadBaseline(t, "testdata/shared.yaml", "shared")
	for _, order := range [][]string{{"first", "second"}, {"second", "first"}} {
		root := newHost(t)
		before := snapshot(t, root)
		report := fix(t, root, b)
		require.Len(t, report.Rules, 2)
		for _, rule := range order {
			_, err := rollback(t, root, Back{Rule: rule})
			require.NoError(t, err, "%v", order)
		}
		assertSame(t, before, snapshot(t, root), strings.Join(order, ","))
	}
}

func TestRollbackIsAllOrNothing(t *testing.T) {
	root, b := newHost(t), primitives(t)
	report := fix(t, root, b, "line", "kmod", "config.login")
	writeText(t, root, "etc/shells", "/bin/zsh\n")
	before := snapshot(t, root)
	_, err := rollback(t, root, Back{Transaction: report.Transaction})
	require.ErrorContains(t, err, "/etc/shells was changed since")
	assertSame(t, before, snapshot(t, root), "nothing is taken back")
	for _, rule := range []string{"kmod", "config.login"} {
		_, err = rollback(t, root, Back{Rule: rule})
		require.NoError(t, err)
	}
	assert.Equal(t, weakHost["etc/login.defs"], readText(t, root, "etc/login.defs"))
}

// TestAccessControlListsAndXattrsComeBack repairs a file's content and its mode.
func TestAccessControlListsAndXattrsComeBack(t *testing.T) {
	root, b := newHost(t), primitives(t)
	// user::rw- user:7:rw- group::r-- mask::rw- other::r--
	list := []byte{2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 6, 0, 7, 0, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255,
		16, 0, 6, 0, 255, 255, 255, 255, 32, 0, 4, 0, 255, 255, 255, 255}
	for _, path := range []string{"etc/crontab", "etc/login.defs"} {
		for name, value := range map[string][]byte{"user.owner": []byte("ops"), aclXattr: list} {
			err := unix.Lsetxattr(filepath.Join(root, path), name, value, 0)
			if errors.Is(err, unix.ENOTSUP) {
				ring.Cannot(t, "the file system of "+os.TempDir()+" has no "+name)
			}
			require.NoError(t, err)
		}
	}
	before := snapshot(t, root)
	require.Len(t, before["etc/crontab"].Xattrs, 2)
	report := fix(t, root, b, "file", "config.login")
	require.Equal(t, Fixed, report.Rules[0].Result, report.Rules[0].Reason)
	require.Equal(t, Fixed, report.Rules[1].Result, report.Rules[1].Reason)
	state, err := r0(root).look("etc/crontab")
	require.NoError(t, err)
	assert.Equal(t, uint32(0o600), state.Mode)
	assert.Equal(t, byte(0), state.Xattrs[aclXattr][30], "the mask takes the rights of the named user too")
	_, err = rollback(t, root, Back{Transaction: report.Transaction})
	require.NoError(t, err)
	assertSame(t, before, snapshot(t, root), "lists")
}

func r0(dir string) root { return root(dir) }

func TestWhatIsNotConfirmedIsTakenBack(t *testing.T) {
	root, b := newHost(t), primitives(t)
	before := snapshot(t, root)
	r := openAt(t, root)
	report, err := r.Fix(context.Background(), b, Options{Rules: []string{"account.days", "kmod"}, Confirm: time.Nanosecond})
	require.NoError(t, err)
	require.NoError(t, r.Close())
	assert.False(t, report.Until.IsZero())
	r, notes, err := Open(root)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	assert.Contains(t, strings.Join(notes, "\n"), report.Transaction+" was not confirmed")
	assert.Equal(t, before["etc/shadow"].Hash, snapshot(t, root)["etc/shadow"].Hash)
	assert.FileExists(t, filepath.Join(root, "etc/modprobe.d/vedette-kmod.conf"), "what locks nobody out stays")
}

// TestWaitingOutlivesTrouble has a journal that cannot be read for a while when the time is over.
func TestWaitingOutlivesTrouble(t *testing.T) {
	root, b := newHost(t), primitives(t)
	before := snapshot(t, root)
	r := openAt(t, root)
	report, err := r.Fix(t.Context(), b, Options{Rules: []string{"account.days"}, Confirm: time.Nanosecond})
	require.NoError(t, err)
	broken := r.journal.path("broken")
	require.NoError(t, r.Close())
	require.NoError(t, os.WriteFile(broken, []byte("broken\n"), 0o600))
	_, err = awaitPauses{look: time.Millisecond, trouble: time.Millisecond}.await(t.Context(), root, report.Transaction)
	require.ErrorContains(t, err, "broken", "trouble that does not pass is told")
	notes := make(chan []string)
	go func() {
		all, err := awaitPauses{time.Millisecond, time.Millisecond, time.Hour}.await(t.Context(), root, report.Transaction)
		assert.NoError(t, err)
		notes <- all
	}()
	time.Sleep(20 * time.Millisecond) // It has probably looked by then.
	require.NoError(t, os.Remove(broken))
	assert.Contains(t, strings.Join(<-notes, "\n"), report.Transaction+" was not confirmed")
	assert.Equal(t, before["etc/shadow"].Hash, snapshot(t, root)["etc/shadow"].Hash)
}

// TestTransactionsStayInOrderWhenTheClockIsSetBack takes back a repair that was made when the clock was an hour ahead.
func TestTransactionsStayInOrderWhenTheClockIsSetBack(t *testing.T) {
	root, b := newHost(t), primitives(t)
	report := fix(t, root, b, "kmod")
	r := openAt(t, root)
	later, err := r.journal.newID(time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.NoError(t, os.Rename(r.journal.path(report.Transaction), r.journal.path(later)))
	require.NoError(t, r.Close())
	_, err = rollback(t, root, Back{Transaction: later})
	require.NoError(t, err)
	r = openAt(t, root)
	all, err := r.Transactions()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.Len(t, all, 2)
	assert.Equal(t, KindRollback, all[1].Kind)
	assert.Equal(t, OutcomeRolledBack, all[0].Rules[0].Outcome)
}

func TestWhatIsConfirmedStays(t *testing.T) {
	root, b := newHost(t), primitives(t)
	r := openAt(t, root)
	report, err := r.Fix(context.Background(), b, Options{Rules: []string{"account.days"}, Confirm: time.Hour})
	require.NoError(t, err)
	_, err = r.Confirm("none")
	require.ErrorContains(t, err, "found no transaction that waits")
	confirmed, err := r.Confirm(report.Transaction)
	require.NoError(t, err)
	assert.Equal(t, []string{report.Transaction}, confirmed)
	notes, err := r.undoOverdue(time.Now().Add(2 * time.Hour))
	require.NoError(t, err)
	assert.Empty(t, notes)
	require.NoError(t, r.Close())
}
