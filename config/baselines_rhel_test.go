// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"strings"

	"github.com/vedette-sec/vedette/pkg/baseline"
)

// stack is what a host that keeps to the rules has in system-auth and password-auth.
const stack = "auth required pam_faillock.so preauth\nauth sufficient pam_unix.so\nauth required pam_faillock.so authfail\n" +
	"account required pam_faillock.so\naccount required pam_unix.so\n" +
	"password requisite pam_pwquality.so\npassword requisite pam_pwhistory.so use_authtok\npassword sufficient pam_unix.so sha512 use_authtok\nsession required pam_unix.so\n"

// rhelGood is a server with rpm on which everything is as it should be. What is installed is written as dpkg has it, which
// hosts are asked for too; the database of rpm has tests of its own.
func rhelGood(all []*baseline.Baseline) tree {
	f := hardened().without("etc/pam.d/", "boot/grub/", "etc/aide/", "aide.db", "timesyncd", "dailyaidecheck", "var/lib/dpkg")
	f = f.with(tree{
		"etc/os-release": "ID=rhel\nID_LIKE=\"fedora\"\nVERSION_ID=\"8.10\"\n",
		"etc/shadow":     strings.Replace(f["etc/shadow"], "0640:", "0400:", 1), "etc/gshadow": "0400:root:*::\n",
		"etc/pam.d/system-auth": stack, "etc/pam.d/password-auth": stack, "etc/authselect/system-auth": stack, "etc/authselect/password-auth": stack,
		"etc/pam.d/su":        "auth required pam_wheel.so use_uid group=admins\n",
		"boot/grub2/grub.cfg": "0600:set superusers=\"root\"\npassword_pbkdf2 root x\nlinux /vmlinuz audit=1 audit_backlog_limit=8192\n",
		"proc/cmdline":        "audit=1 audit_backlog_limit=8192\n",
		"etc/dnf/dnf.conf":    "[main]\ngpgcheck=1\ninstall_weak_deps=False\n",
		"etc/yum.repos.d/a":   "", "etc/yum.repos.d/a.repo": "[a]\ngpgcheck=1\n",
		"etc/selinux/config": "SELINUX=enforcing\nSELINUXTYPE=targeted\n", "sys/fs/selinux/enforce": "1",
		"etc/systemd/coredump.conf":             "[Coredump]\nStorage=none\nProcessSizeMax=0\n",
		"etc/crypto-policies/config":            "DEFAULT:NO-SHA1\n",
		"etc/crypto-policies/state/CURRENT.pol": "hash = SHA2-256\nsign = ECDSA-SHA2-256\nsha1_in_certs = 0\nmac = HMAC-SHA2-256 UMAC-128\ncipher@SSH = AES-256-GCM\n",
		"etc/chrony.conf":                       "pool a.example\n", "etc/sysconfig/chronyd": "OPTIONS=\"-F 2\"\n",
		"etc/sysconfig/sshd": "0640:OPTIONS=\n", "etc/firewalld/firewalld.conf": "DefaultZone=public\nFirewallBackend=nftables\n",
		"etc/aide.conf": hardened()["etc/aide/aide.conf"], "var/lib/aide/aide.db.gz": "x",
		"etc/cron.yearly/": "0700:", "var/log/messages": "0640:", "etc/motd": "Welcome.\n",
	})
	f.services("crond.service", "auditd.service", "aidecheck.timer", "firewalld.service", "systemd-journald.service", "systemd-journal-upload.service", "chronyd.service")
	f.packages("libselinux", "chrony", "cronie", "at", "sudo", "pam", "authselect", "aide", "audit", "audit-libs", "systemd-journal-remote", "firewalld")
	f = f.harden(all)
	f["etc/audit/rules.d/own.rules"] += "-c\n"
	return f
}

// rhelBad is one on which what could be wrong is.
func rhelBad(all []*baseline.Baseline) tree {
	f := weak().without("etc/pam.d/", "boot/grub/", "etc/aide/", "timesyncd", "var/lib/dpkg")
	weakStack := "auth sufficient pam_unix.so nullok remember=2\n"
	f = f.with(tree{
		"etc/os-release":        "ID=rhel\nVERSION_ID=\"8.10\"\n",
		"etc/pam.d/system-auth": weakStack, "etc/pam.d/password-auth": weakStack,
		"boot/grub2/grub.cfg": "0644:linux /vmlinuz selinux=0\n", "proc/cmdline": "selinux=0\n",
		"etc/dnf/dnf.conf": "[main]\ngpgcheck=0\ninstall_weak_deps=True\n", "etc/yum.repos.d/a.repo": "[a]\ngpgcheck=0\n",
		"etc/selinux/config":                    "SELINUX=disabled\nSELINUXTYPE=minimum\n",
		"etc/crypto-policies/config":            "LEGACY\n",
		"etc/crypto-policies/state/CURRENT.pol": "hash = SHA1\nsign = RSA-SHA1\nsha1_in_certs = 1\nmac = UMAC-64\ncipher@SSH = AES-256-CBC\n",
		"etc/sysconfig/chronyd":                 "OPTIONS=\"-u root\"\n", "etc/sysconfig/sshd": "0666:CRYPTO_POLICY=\n",
		"etc/firewalld/firewalld.conf": "DefaultZone=trusted\nFirewallBackend=iptables\n",
		"etc/cron.yearly/":             "0755:", "etc/cron.deny": "", "etc/at.deny": "", "var/log/messages": "0666:", "etc/motd": "0666:Red Hat \\v\n",
		"etc/issue": "0666:Red Hat \\r\n", "etc/issue.net": "0666:Red Hat\n", "etc/gdm/custom.conf": "[daemon]\nWaylandEnable=true\n[xdmcp]\nEnable=true\n",
		"etc/security/limits.conf": "", "etc/security/faillock.conf": "",
	})
	f.services("rsync.service")
	f.packages("cronie", "at", "sudo", "aide", "audit", "gdm", "chrony")
	return f.weaken(all)
}

// rhelHosts are those on which every rule for hosts with rpm passes once and fails once.
func rhelHosts(all []*baseline.Baseline) map[string]tree {
	good, bad := rhelGood(all), rhelBad(all)
	return map[string]tree{
		"good": good, "bad": bad,
		"desktop": good.also("", "gdm").with(desktop()).with(tree{"etc/gdm/custom.conf": "[daemon]\n"}),
		"rsyslog": good.also("rsyslog.service", "rsyslog").with(tree{"etc/systemd/journald.conf": "[Journal]\nForwardToSyslog=yes\n",
			"etc/rsyslog.conf": "$FileCreateMode 0640\n*.* @@log.example\n"}),
		"open rsyslog": good.also("rsyslog.service", "").without("rsyslog.service/cgroup").with(tree{"etc/rsyslog.conf": "$FileCreateMode 0666\nmodule(load=\"imtcp\")\n"}),
		"stopped":      good.without("cgroup"),
		"idle":         good.without("cgroup", "wants/", "etc/pam.d/", "aide.db", "etc/authselect", "etc/chrony.conf").with(tree{"proc/self/mounts": ""}),
		"empty":        good.with(tree{"var/lib/dpkg/status": ""}),
		"orphans":      good.with(tree{"etc/passwd": "root:x:4000000:4000000::/root:/bin/sh\n", "etc/group": "root:x:4000000:\n"}),
	}
}
