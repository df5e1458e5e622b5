// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRefused are repairs of which nothing is done, and why.
func TestRefused(t *testing.T) {
	for _, tt := range []struct {
		name, rule string
		change     func(root string)
		want       string
	}{
		{"a file with two names", "line", func(root string) {
			require.NoError(t, os.Link(filepath.Join(root, "etc/shells"), filepath.Join(root, "etc/other")))
		}, "found a file with 2 names, expected one"},
		{"a directory that others write", "line", func(root string) { require.NoError(t, os.Chmod(filepath.Join(root, "etc"), 0o777)) },
			"found the directory /etc that others may write"},
		{"a unit of the administrator", "unit.masked", func(root string) { writeText(t, root, "etc/systemd/system/rsync.service", "[Unit]\n") },
			"found a file that is not a link to /dev/null"},
		{"a unit without a place to start", "unit.enabled", func(root string) { writeText(t, root, "usr/lib/systemd/system/cron.service", "[Unit]\n") },
			"expected WantedBy or RequiredBy"},
		{"a loaded module", "kmod", func(root string) { writeText(t, root, "proc/modules", "udf 1 0 - Live 0x0\n") }, "udf: found it loaded"},
		{"a module in the kernel", "kmod", func(root string) { writeText(t, root, "lib/modules/6.1/modules.builtin", "kernel/cramfs.ko\n") },
			"cramfs: found it built into the kernel"},
		{"a host that forwards", "firewall", func(root string) { putText(t, root, "proc/sys/net/ipv4/conf/br0/forwarding", "1\n") },
			"/proc/sys/net/ipv4/conf/br0/forwarding is 1: this host forwards packets"},
		{"a host that forwards IPv6", "firewall", func(root string) { putText(t, root, "proc/sys/net/ipv6/conf/all/forwarding", "1\n") }, "give --drop-forwarded"},
		{"no line of fstab", "mount", func(root string) { writeText(t, root, "etc/fstab", "# empty\n") }, "found no line for /srv"},
		{"a PAM module that is not there", "pam", func(root string) {
			require.NoError(t, os.RemoveAll(filepath.Join(root, "usr/lib/x86_64-linux-gnu")))
		}, "would ask for pam_wheel.so, which is not installed"},
		// Both accounts that can act as root have passwords that are 20000 days old.
		{"passwords that would have ended", "account.days", func(root string) {
			writeText(t, root, "etc/shadow", "root:*:20000:0:99999:7:::\nana:$6$a$hash:1:0:99999:7:30::\nlp:*:1:0:99999:7:::\n")
		}, "nobody could get in at the host itself and act as root any more; now these can: ana"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root, b := newHost(t), primitives(t)
			tt.change(root)
			before := snapshot(t, root)
			report := fix(t, root, b, tt.rule)
			require.Len(t, report.Rules, 1)
			assert.Equal(t, Refused, report.Rules[0].Result)
			assert.Contains(t, report.Rules[0].Reason, tt.want)
			assert.True(t, report.Failed())
			assertSame(t, before, snapshot(t, root), tt.name)
		})
	}
}

// TestOwnersAreFoundWithoutNames has a root without accounts, where root is 0 and nobody knows who else there is.
func TestOwnersAreFoundWithoutNames(t *testing.T) {
	root := newHost(t)
	require.NoError(t, os.Remove(filepath.Join(root, "etc/passwd")))
	r := openAt(t, root)
	defer func() { assert.NoError(t, r.Close()) }()
	p := &plan{repairer: r}
	for _, tt := range []struct {
		have  int
		names []string
		known bool
	}{{1000, []string{"root"}, true}, {0, []string{"shadow", "root"}, true}, {42, []string{"root", "shadow"}, false}, {0, []string{"shadow"}, false}} {
		id, err := p.ownerAmong(passwdFile, tt.have, tt.names)
		assert.Equal(t, tt.known, err == nil, "%v", tt)
		assert.Zero(t, id)
	}
}

// TestForwardingIsDroppedWhereThatIsWanted has the firewall in force on hosts that forward nothing, and on one that does where it was told to.
func TestForwardingIsDroppedWhereThatIsWanted(t *testing.T) {
	for _, forwards := range []string{"0", "1"} {
		root, b := newHost(t), primitives(t)
		putText(t, root, "proc/sys/net/ipv4/conf/all/forwarding", forwards+"\n")
		r := openAt(t, root)
		report, err := r.Fix(t.Context(), b, Options{Rules: []string{"firewall"}, DropForwarded: forwards == "1"})
		require.NoError(t, err)
		require.NoError(t, r.Close())
		assert.Equal(t, Fixed, report.Rules[0].Result, report.Rules[0].Reason)
		assert.Contains(t, readText(t, root, "etc/nftables.d/vedette-firewall.nft"), "hook forward priority filter; policy drop;")
	}
}

// TestWhatDoesNotHelpIsUndone has a setting that comes later than the repair's.
func TestWhatDoesNotHelpIsUndone(t *testing.T) {
	root, b := newHost(t), primitives(t)
	require.NoError(t, os.MkdirAll(filepath.Join(root, "etc/systemd/journald.conf.d"), 0o755))
	writeText(t, root, "etc/systemd/journald.conf.d/zzz.conf", "[Journal]\nStorage=none\n")
	before := snapshot(t, root)
	report := fix(t, root, b, "config.dropin")
	require.Len(t, report.Rules, 1)
	assert.Equal(t, Undone, report.Rules[0].Result)
	assert.Regexp(t, `the rule does not pass: \S+: Storage value: none, expected: is persistent$`, report.Rules[0].Reason)
	assertSame(t, before, snapshot(t, root), "undone")
	_, err := rollback(t, root, Back{Transaction: report.Transaction})
	assert.ErrorContains(t, err, "found nothing of")
}

func TestUndoClassesBindWhatIsDone(t *testing.T) {
	root, b := newHost(t), primitives(t)
	for i, rule := range b.Rules {
		own := *rule
		own.Undo = "R2"
		b.Rules[i] = &own
	}
	for _, o := range fix(t, root, b).Rules {
		assert.Equal(t, NotSafe, o.Result, o.Rule)
	}
	assert.Equal(t, Fixed, fix(t, root, b, "line").Rules[0].Result, "it is named")
	b.Rules[1].Undo = "R3"
	assert.Equal(t, NotSafe, fix(t, root, b, b.Rules[1].ID).Rules[0].Result, "it is never done")
}

// TestAnotherIsAtWork holds the journal while another one is opened.
func TestAnotherIsAtWork(t *testing.T) {
	root := newHost(t)
	r := openAt(t, root)
	_, err := openJournal(r.journal.dir, 0)
	assert.ErrorIs(t, err, errBusy)
	require.NoError(t, r.Close())
}

func TestJournalIsPrivate(t *testing.T) {
	root := newHost(t)
	require.NoError(t, openAt(t, root).Close())
	require.NoError(t, os.Chmod(filepath.Join(root, Directory), 0o755))
	_, _, err := Open(root)
	assert.ErrorContains(t, err, "expected one's own with 700")
}

func TestShadowIsStagedWithoutHashes(t *testing.T) {
	in := "a:$6$s$h:1:0:9:7:::\nb:!$y$s$h:1\nc:*:1\nd::1\ne:abcdefghijklm:1\n# f\n"
	assert.Equal(t, "a:$6$:1:0:9:7:::\nb:!$6$:1\nc:*:1\nd::1\ne:$6$:1\n# f\n", string(withoutHashes([]byte(in))))
}

// TestRepairSeesWhatChangesMeanwhile changes a file between the plan and the change.
func TestRepairSeesWhatChangesMeanwhile(t *testing.T) {
	root, b := newHost(t), primitives(t)
	r, _, err := open(root, func(what string) {
		if strings.HasPrefix(what, "written /etc/shells") {
			writeText(t, root, "etc/shells", "/usr/sbin/nologin\n# meanwhile\n")
		}
	})
	require.NoError(t, err)
	report, err := r.Fix(context.Background(), b, Options{Rules: []string{"line"}})
	require.NoError(t, err)
	require.NoError(t, r.Close())
	assert.Equal(t, Undone, report.Rules[0].Result)
	assert.Contains(t, report.Rules[0].Reason, "left, as somebody else changed it: [/etc/shells]")
	assert.Equal(t, "/usr/sbin/nologin\n# meanwhile\n", readText(t, root, "etc/shells"))
	assert.Equal(t, weakHost["etc/security/limits.conf"], readText(t, root, "etc/security/limits.conf"))
}
