// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"embed"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// tree is a host's files: the text, after "0640:" with that mode, or "-> target" for a link. A path that ends with / is a directory.
type tree map[string]string

func (f tree) with(others tree) tree {
	all := maps.Clone(f)
	maps.Copy(all, others)
	return all
}

func (f tree) write(t *testing.T) string {
	root := t.TempDir()
	for path, text := range f {
		full := filepath.Join(root, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(root+"/"+path), 0o755))
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			require.NoError(t, os.Symlink(target, full))
			continue
		}
		mode := uint64(0o644)
		if len(text) >= 5 && (text[0] == '0' || text[0] == '4') && text[4] == ':' {
			var err error
			mode, err = strconv.ParseUint(text[:4], 8, 32)
			require.NoError(t, err)
			text = text[5:]
		}
		if !strings.HasSuffix(path, "/") {
			require.NoError(t, os.WriteFile(full, []byte(text), 0o600))
		}
		bits := os.FileMode(mode) & os.ModePerm
		if mode&0o4000 != 0 {
			bits |= os.ModeSetuid
		}
		require.NoError(t, os.Chmod(full, bits))
	}
	return root
}

// hardened is a server on which everything is as it should be. Whoever runs the test is its root.
func hardened() tree {
	f := tree{
		"etc/os-release": "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n",
		"etc/passwd":     fmt.Sprintf("root:x:%d:%d::/root:/bin/bash\ndaemon:x:1:1::/:/usr/sbin/nologin\nsync:x:4:1::/:/bin/sync\n", os.Getuid(), os.Getgid()),
		"etc/group":      fmt.Sprintf("root:x:%d:\ndaemon:x:1:\nshadow:x:42:\n", os.Getgid()),
		"etc/shadow":     "0640:root:$y$j9T$a$b:20000:1:60:7:30::\ndaemon:*:20000:0:99999:7:::\nsync:*:20000:0:99999:7:::\n",
		"etc/gshadow":    "0640:root:*::\n", "etc/shells": "/bin/bash\n", "etc/motd": "Welcome.\n", "etc/issue": "Authorised use only.\n",
		"etc/issue.net":        "Authorised use only.\n",
		"etc/login.defs":       "PASS_MAX_DAYS 60\nPASS_MIN_DAYS 1\nPASS_WARN_AGE 7\nENCRYPT_METHOD YESCRYPT\nUMASK 027\n",
		"etc/default/useradd":  "INACTIVE=30\n",
		"root/.profile":        "PATH=/usr/sbin:$PATH:$HOME/bin\n",
		"etc/profile.d/own.sh": "readonly TMOUT=600 ; export TMOUT\numask 027\nHISTSIZE=10\n",
		"etc/pam.d/common-auth": "auth required pam_faillock.so preauth\nauth [success=1 default=ignore] pam_unix.so\n" +
			"auth [default=die] pam_faillock.so authfail\nauth required pam_oath.so\n",
		"etc/pam.d/common-account": "account required pam_unix.so\naccount required pam_faillock.so\n",
		"etc/pam.d/common-password": "password requisite pam_pwquality.so retry=3\npassword requisite pam_pwhistory.so use_authtok\n" +
			"password [success=1 default=ignore] pam_unix.so yescrypt use_authtok\n",
		"etc/pam.d/common-session": "session required pam_unix.so\n", "etc/pam.d/sshd": "@include common-auth\n@include common-account\n",
		"etc/pam.d/login": "@include common-auth\n@include common-account\n", "etc/pam.d/passwd": "@include common-password\n",
		"etc/pam.d/sudo": "@include common-auth\n", "etc/pam.d/su": "auth required pam_wheel.so use_uid group=admins\n@include common-auth\n",
		"etc/security/faillock.conf":  "deny = 3\nunlock_time = 900\neven_deny_root\n",
		"etc/security/pwquality.conf": "minlen = 14\nminclass = 4\ndifok = 2\nmaxrepeat = 3\nmaxsequence = 3\nenforce_for_root\n",
		"etc/security/pwhistory.conf": "remember = 24\nenforce_for_root\n", "etc/security/limits.conf": "* hard core 0\n",
		"etc/ssh/sshd_config": "0600:PermitRootLogin no\nUsePAM yes\nMaxAuthTries 3\nLoginGraceTime 30\nClientAliveInterval 60\nAllowGroups admins\nBanner /etc/issue.net\n" +
			"DisableForwarding yes\nMaxStartups 10:30:60\nMACs -umac-*\n",
		"etc/ssh/ssh_host_a_key": "0600:", "etc/ssh/ssh_host_a_key.pub": "0644:",
		"etc/sudoers": "0440:Defaults use_pty\nDefaults logfile=/var/log/sudo.log, timestamp_timeout=5\nroot ALL=(ALL:ALL) ALL\n",
		"root/":       "0700:", "etc/cron.d/": "0700:", "etc/cron.hourly/": "0700:", "etc/cron.daily/": "0700:", "etc/cron.weekly/": "0700:", "etc/cron.monthly/": "0700:",
		"var/log/audit/": "0700:", "usr/sbin/auditctl": "0755:",
		"etc/cron.allow": "0640:root\n", "etc/at.allow": "0640:root\n", "etc/crontab": "0600:",
		"boot/grub/grub.cfg": "0600:set superusers=\"root\"\npassword_pbkdf2 root x\nlinux /vmlinuz apparmor=1 security=apparmor audit=1 audit_backlog_limit=8192 init_on_alloc=1\n",
		"proc/cmdline":       "init_on_alloc=1\n", "proc/net/tcp": " 0: 00000000:0016 0:0 0A\n", "proc/net/udp": "", "proc/modules": "", "proc/7/comm": "clamd\n",
		"proc/8/comm": "vedette\n", "sys/kernel/security/apparmor/profiles": "/usr/bin/man (enforce)\n",
		"etc/audit/auditd.conf": "0640:log_format = ENRICHED\nmax_log_file = 8\nmax_log_file_action = keep_logs\nspace_left_action = email\nadmin_space_left_action = halt\n" +
			"disk_full_action = halt\ndisk_error_action = syslog\nlog_group = root\n",
		"var/log/lastlog": lastlog(0), "var/log/audit/audit.log": "0600:", "var/log/syslog": "0640:", "var/lib/aide/aide.db": "x", "sbin/auditctl": "0755:",
		"etc/systemd/timesyncd.conf": "[Time]\nNTP=a.example\n", "etc/systemd/journald.conf": "[Journal]\nStorage=persistent\nForwardToSyslog=no\n",
		"etc/aide/aide.conf": strings.Join([]string{"", "auditctl", "auditd", "ausearch", "aureport", "autrace", "augenrules"}, " sha512\n/sbin/") + " sha512\n",
	}
	f.services("systemd-timesyncd.service", "cron.service", "systemd-journald.service", "systemd-journal-upload.service", "auditd.service", "dailyaidecheck.timer")
	f.packages("apparmor", "apparmor-utils", "cron", "at", "sudo", "libpam-runtime", "libpam-modules", "libpam-pwquality", "systemd-journal-remote", "auditd",
		"audispd-plugins", "aide", "aide-common")
	return f
}

// lastlog has the account with the number 0 log in some days ago.
func lastlog(days int) string {
	record := make([]byte, 292)
	binary.LittleEndian.PutUint32(record, uint32(time.Now().AddDate(0, 0, -days).Unix()))
	return "0644:" + string(record)
}

// services makes units that start and run.
func (f tree) services(names ...string) {
	for _, name := range names {
		f["usr/lib/systemd/system/"+name] = "[Unit]\n"
		f["etc/systemd/system/multi-user.target.wants/"+name] = "-> /usr/lib/systemd/system/" + name
		f["sys/fs/cgroup/system.slice/"+name+"/cgroup.procs"] = "1\n"
	}
}

func (f tree) packages(names ...string) {
	for _, name := range names {
		f["var/lib/dpkg/status"] += "Package: " + name + "\nStatus: install ok installed\nVersion: 1\n\n"
	}
}

// weak is a server on which nothing was done, and what could be wrong is.
func weak() tree {
	f := tree{
		"etc/os-release": "ID=debian\nVERSION_ID=\"12\"\n",
		"etc/passwd": "root:x:4000000:0::/root:/bin/bash\ntoor:x:0:0::/:/bin/sh\ndaemon:x:1:1::/:/bin/sh\ndaemon:x:1:99::/:/bin/sh\nlp:x:7:1::/:/bin/sh\n" +
			"old:$1$a$b:1001:1::/home/old:/bin/sh\nempty:x:1002:1::/home/none:/bin/sh\nnologin:x:1003:1::/:/usr/sbin/nologin\n",
		"etc/group": "root:x:0:\nwheel:x:0:\ndaemon:x:1:\ndaemon:x:2:\nshadow:x:42:old\n",
		"etc/shadow": "0644:root::30000:0:99999::::\ntoor:$1$a$b:30000:0:99999::::\ndaemon:$1$a$b:1:0:99999::::\nlp:$1$a$b:1:0:99999:::1:\nempty::1::::::\n" +
			"nologin:$1$a$b:1::::::\n",
		"etc/gshadow": "0644:", "etc/shadow-": "0644:", "etc/gshadow-": "0644:", "etc/passwd-": "0666:", "etc/group-": "0666:", "etc/shadow.bak": "0644:",
		"etc/shells": "0666:/usr/sbin/nologin\n", "etc/motd": "0666:Debian \\v\n", "etc/issue": "0666:Debian \\r\n", "etc/issue.net": "0666:Debian\n",
		"etc/security/opasswd": "0644:", "etc/security/open.conf": "0777:", "root/.bashrc": "umask 022\n", "root/.profile": "PATH=/usr/bin:.:\n", "root/.bash_history": "0644:", "root/.netrc": "0644:",
		"etc/login.defs":         "PASS_MAX_DAYS 99999\nPASS_MIN_DAYS 0\nPASS_WARN_AGE 0\nENCRYPT_METHOD MD5\nUMASK 022\n",
		"etc/profile.d/own.sh":   "umask 022\nHISTSIZE=99999\n",
		"etc/pam.d/common-auth":  "auth sufficient pam_unix.so nullok remember=2\n",
		"etc/pam.d/login":        "@include common-auth\n",
		"etc/ssh/sshd_config":    "PermitRootLogin yes\nPermitEmptyPasswords yes\nHostbasedAuthentication yes\nIgnoreRhosts no\nPermitUserEnvironment yes\nUsePAM no\nGSSAPIAuthentication yes\nMaxSessions 100\nLogLevel QUIET\nProtocol 1\nCiphers 3des-cbc\nKexAlgorithms +diffie-hellman-group1-sha1\n",
		"etc/ssh/ssh_host_a_key": "0644:", "etc/ssh/ssh_host_a_key.pub": "0666:",
		"etc/sudoers": "0644:Defaults !authenticate, timestamp_timeout=-1\nold ALL=(ALL) NOPASSWD: ALL\n",
		"root/":       "0755:", "etc/cron.d/": "0755:", "etc/cron.hourly/": "0755:", "etc/cron.daily/": "0755:", "etc/cron.weekly/": "0755:", "etc/cron.monthly/": "0755:",
		"var/log/audit/": "0755:", "etc/cron.allow": "0666:", "etc/crontab": "0644:", "boot/grub/grub.cfg": "0644:linux /vmlinuz\n", "proc/cmdline": "quiet\n",
		"proc/net/tcp": " 0: 00000000:0017 0:0 0A\n 1: 00000000:0019 0:0 0A\n", "proc/net/udp": "", "proc/1/comm": "init\n",
		"sys/kernel/security/apparmor/profiles": "a (kill)\nb (unconfined)\n", "sys/class/net/wlan0/wireless/x": "",
		"etc/apt/sources.list": "deb [trusted=yes] http://example.org a b\n", "etc/audit/auditd.conf": "0644:", "etc/audit/audit.rules": "0644:",
		"var/log/lastlog": lastlog(400), "var/log/audit/audit.log": "0666:", "var/log/syslog": "0666:", "sbin/auditctl": "0777:", "usr/sbin/auditctl": "0777:",
		"etc/systemd/journald.conf": "[Journal]\nCompress=no\nForwardToSyslog=yes\n", "etc/aide/aide.conf": "",
		"etc/security/pwquality.conf": "dictcheck = 0\nenforcing = 0\n", "srv/open": "0666:", "usr/bin/own": "4755:",
	}
	f.services("systemd-timesyncd.service", "chrony.service", "systemd-journal-remote.socket", "systemd-journal-remote.service", "ufw.service", "nftables.service",
		"bluetooth.service", "avahi-daemon.service", "rsync.service")
	f.packages("cron", "at", "sudo", "bluez", "auditd", "aide", "gdm3", "xserver-common", "telnetd", "iptables-persistent")
	return f
}

// dconfFiles are keyfiles and locks with what dconf update (0.40, of Debian 12) compiled of them.
//
//go:embed testdata/dconf
var dconfFiles embed.FS

// desktop is what a graphical login and the sessions after it are set to.
func desktop() tree {
	f := tree{"etc/dconf/profile/gdm": "user-db:user\nsystem-db:a\n"}
	for _, name := range []string{"a", "a.d/00-first", "a.d/x", "a.d/locks/x"} {
		data, err := dconfFiles.ReadFile("testdata/dconf/" + name)
		if err != nil {
			panic(err) // it is in the program
		}
		f["etc/dconf/db/"+name] = string(data)
	}
	return f
}
