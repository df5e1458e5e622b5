// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vedette-sec/vedette/pkg/baseline"
)

func TestMain(m *testing.M) {
	if os.Getenv(childRoot) != "" {
		child()
		return
	}
	goleak.VerifyTestMain(m)
}

// weakHost are the files of a host on which all rules of testdata/primitives.yaml fail.
var weakHost = map[string]string{
	"etc/passwd": "root:x:0:0::/root:/bin/bash\nana:x:1000:1000::/home/ana:/bin/bash\nlp:x:7:7::/var/spool/lpd:/bin/sh\n",
	"etc/shadow": "root:$6$r$hash:20000:0:99999:7:::\nana:$6$a$hash:20000:0:99999:3:::\nlp:$1$l$hash:20000:0:60:9:::\n",
	"etc/group":  "root:x:0:\nsudo:x:27:ana\nlp:x:7:\nana:x:1000:\n", "etc/.pwd.lock": "",
	"etc/crontab": "# crontab\n", "etc/cron.daily/x": "#!/bin/sh\n", "tmp/x": "",
	"etc/login.defs":                 "# Days\nPASS_MAX_DAYS\t99999\nPASS_MIN_DAYS 0\nPASS_WARN_AGE 14\n",
	"etc/shells":                     "/bin/sh\n/usr/sbin/nologin\n/bin/bash\n",
	"etc/security/limits.conf":       "# limits without an end of line",
	"etc/systemd/journald.conf":      "[Journal]\n#Storage=auto\n",
	"proc/sys/kernel/dmesg_restrict": "0\n", "proc/sys/fs/suid_dumpable": "2\n",
	"etc/sysctl.conf":                      "# local\nfs.suid_dumpable=2\n",
	"lib/modules/6.1/modules.dep":          "kernel/fs/cramfs.ko:\nkernel/fs/udf.ko.xz:\n",
	"usr/lib/systemd/system/rsync.service": "[Unit]\n[Install]\nWantedBy=multi-user.target\n", "usr/lib/systemd/system/cups.service": "[Unit]\n",
	"usr/lib/systemd/system/cron.service": "[Unit]\n[Install]\nWantedBy=multi-user.target\n", "usr/lib/systemd/system/auditd.service": "[Unit]\n[Install]\nWantedBy=multi-user.target\n",
	"etc/ssh/sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\nLogLevel INFO\nMatch User ana\n  X11Forwarding no\n", "etc/ssh/sshd_config.d/50-own.conf": "Ciphers aes256-ctr,aes128-cbc\n",
	"etc/pam.d/common-auth": "auth\t[success=1 default=ignore]\tpam_unix.so nullok # local\nauth requisite pam_deny.so\n",
	"etc/pam.d/su":          "auth       sufficient pam_rootok.so\n@include common-auth\n", "etc/pam.d/login": "@include common-auth\n",
	"usr/lib/x86_64-linux-gnu/security/pam_wheel.so": "",
	"etc/sudoers":          "Defaults env_reset\nroot ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n",
	"etc/sudoers.d/README": "# nothing\n", "etc/profile": "PATH=/bin\n", "etc/audit/rules.d/99-finalize.rules": "-e 2\n",
	"proc/self/mounts": "/dev/sda1 /srv ext4 rw,relatime 0 0\n",
	"etc/fstab":        "/dev/sda1\t/srv\text4\trw,relatime 0 2\n",
	"proc/cmdline":     "quiet audit=0\n", "boot/grub/grub.cfg": "menuentry 'Debian' {\n\tlinux\t/vmlinuz root=/dev/sda1 ro audit=0 quiet\n}\nmenuentry 'recovery' {\n\tlinux /vmlinuz single\n}\n",
	"etc/nftables.conf": "#!/usr/sbin/nft -f\nflush ruleset\n",
	"proc/net/tcp":      "  sl\n 0: 00000000:0016 00000000:0000 0A 0\n 1: 0100007F:1F90 00000000:0000 0A 0\n", "proc/net/udp": "  sl\n",
	"home/ana/.netrc": "machine a\n", "home/ana/.bash_history": "ls\n", "opt/open/file": "x\n",
}

// weakModes are the attributes of some of them, and whom they belong to where root makes them.
var weakModes = map[string]struct {
	mode  os.FileMode
	owner int
}{
	"etc/shadow": {0o640, 0}, "opt/open": {0o777, 0}, "opt/open/file": {0o666, 0},
	"home/ana": {0o750, 1000}, "home/ana/.netrc": {0o644, 1000}, "home/ana/.bash_history": {0o600, 1000},
}

// weakLinks are the links of that host.
var weakLinks = map[string]string{
	"etc/systemd/system/multi-user.target.wants/rsync.service": "/usr/lib/systemd/system/rsync.service",
	"etc/systemd/system/multi-user.target.wants/cups.service":  "/usr/lib/systemd/system/cups.service",
	"etc/systemd/system/auditd.service":                        "/dev/null",
}

// newHost makes the weak host.
func newHost(t testing.TB) string {
	root := t.TempDir()
	fillHost(t, root)
	return root
}

func fillHost(t testing.TB, root string) {
	require.NoError(t, os.Chmod(root, 0o755))
	for name, text := range weakHost {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o644))
	}
	for name, target := range weakLinks {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
		require.NoError(t, os.Symlink(target, filepath.Join(root, name)))
	}
	for name, want := range weakModes {
		if os.Geteuid() == 0 {
			require.NoError(t, os.Chown(filepath.Join(root, name), want.owner, want.owner))
		}
		require.NoError(t, os.Chmod(filepath.Join(root, name), want.mode))
	}
}

func loadBaseline(t testing.TB, file, id string) *baseline.Baseline {
	l := &baseline.Loader{}
	l.Add(file)
	set, err := l.Set()
	require.NoError(t, err)
	b, err := set.Resolve(id, nil)
	require.NoError(t, err)
	return b
}

func primitives(t testing.TB) *baseline.Baseline {
	return loadBaseline(t, "testdata/primitives.yaml", "primitives")
}

// notCompared are paths of what a repair leaves by design, and of the kernel.
var notCompared = []string{strings.TrimPrefix(Directory, "/"), "dev", "proc/self", "sys"}

// snapshot gives what is at each path of a host.
func snapshot(t testing.TB, dir string) map[string]State {
	all := map[string]State{}
	r := root(dir)
	require.NoError(t, filepath.WalkDir(dir, func(full string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		path, err := filepath.Rel(dir, full)
		require.NoError(t, err)
		for _, skip := range notCompared {
			if below(path, skip) {
				return fs.SkipDir
			}
		}
		if !entry.Type().IsRegular() && !entry.IsDir() && entry.Type()&fs.ModeSymlink == 0 {
			return nil
		}
		state, _, err := r.read(path)
		if err != nil { // What is too long is no file of settings.
			state, err = r.look(path)
		}
		require.NoError(t, err)
		all[path] = state
		return nil
	}))
	// The directories in which the journal is are there afterwards.
	for dir := filepath.Dir(strings.TrimPrefix(Directory, "/")); dir != "."; dir = filepath.Dir(dir) {
		delete(all, dir)
	}
	return all
}

func assertSame(t testing.TB, before, after map[string]State, about string) {
	for path, state := range before {
		now, there := after[path]
		if assert.True(t, there, "%s: %s is gone", about, path) {
			assert.True(t, now.is(state), "%s: %s: %+v, was %+v", about, path, now, state)
		}
	}
	for path := range after {
		_, there := before[path]
		assert.True(t, there, "%s: %s is new", about, path)
	}
}

func openAt(t testing.TB, root string) *Repairer {
	r, _, err := Open(root)
	require.NoError(t, err)
	return r
}

// fix repairs rules, none for all.
func fix(t testing.TB, root string, b *baseline.Baseline, rules ...string) *Report {
	r := openAt(t, root)
	report, err := r.Fix(context.Background(), b, Options{Rules: rules})
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return report
}

func rollback(t testing.TB, root string, back Back) (*Rollback, error) {
	r := openAt(t, root)
	result, err := r.Rollback(back)
	require.NoError(t, r.Close())
	return result, err
}

func verdict(t testing.TB, root string, b *baseline.Baseline, rule string) baseline.Verdict {
	result, err := b.Judge(t.Context(), rule, root)
	require.NoError(t, err)
	return result.Verdict
}
