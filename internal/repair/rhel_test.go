// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

// weakRHEL are files of a host laid out as RHEL 8 is, and badly configured. What is installed is written as dpkg has it, which hosts are asked for
// too; the database of rpm has tests of its own.
var weakRHEL = map[string]string{
	"etc/os-release": "ID=rhel\nID_LIKE=\"fedora\"\nVERSION_ID=\"8.10\"\n", "var/lib/dpkg/status": "",
	"etc/passwd": "bin:x:1:1:bin:/bin:/sbin/nologin\nlp:x:7:7:lp:/var/spool/lpd:/sbin/nologin\n", "etc/shadow": "bin:*:1::::::\nlp:*:1::::::\n",
	"etc/group":   "root:x:0:\nbin:x:1:\ndaemon:x:2:\nadm:x:4:\nlp:x:7:\nssh_keys:x:101:\nwheel:x:10:ana\ngames:x:60:\nsvc:x:500:\n",
	"etc/gshadow": "root:::\n", "etc/.pwd.lock": "",
	"etc/sudoers":     "Defaults env_reset\nroot ALL=(ALL) ALL\n%wheel ALL=(ALL) ALL\n#includedir /etc/sudoers.d\n",
	"etc/sudoers.d/x": "", "etc/crontab": "# crontab\n", "etc/profile": "PATH=/usr/bin\n", "etc/fstab": "",
	"etc/ssh/sshd_config":   weakText["etc/ssh/sshd_config"][len("Include /etc/ssh/sshd_config.d/*.conf\n"):],
	"etc/pam.d/system-auth": rhelStack, "etc/pam.d/password-auth": rhelStack, "etc/pam.d/su": "auth sufficient pam_rootok.so\nauth substack system-auth\n",
	"etc/pam.d/sshd":                 "auth substack password-auth\naccount include password-auth\n",
	"usr/lib64/security/pam_unix.so": "", "usr/lib64/security/pam_wheel.so": "",
	"boot/grub2/grub.cfg": "menuentry 'Linux' {\n\tlinux ($root)/vmlinuz root=/dev/sda1 ro audit=0 quiet\n}\n", "boot/grub2/grubenv": "# GRUB Environment Block\n",
	"proc/cmdline": "quiet audit=0\n", "proc/sys/kernel/ostype": "Linux\n", "proc/self/mounts": "", "proc/modules": "",
	"etc/dnf/dnf.conf": "[main]\ngpgcheck=0\ninstall_weak_deps=True\n", "etc/selinux/config": "SELINUX=disabled\nSELINUXTYPE=minimum\n",
	"etc/sysconfig/chronyd": "OPTIONS=\"-u root\"\n", "etc/sysconfig/sshd": "CRYPTO_POLICY=\n", "etc/chrony.conf": "pool a.example\n",
	"etc/firewalld/firewalld.conf": "DefaultZone=trusted\nFirewallBackend=iptables\n",
	"etc/motd":                     "Red Hat \\v\n", "etc/issue": "Red Hat \\r\n", "etc/issue.net": "Red Hat\n",
	"etc/shells": weakText["etc/shells"], "etc/rsyslog.conf": weakText["etc/rsyslog.conf"], "etc/login.defs": weakText["etc/login.defs"],
	"etc/default/useradd": weakText["etc/default/useradd"], "etc/security/faillock.conf": weakText["etc/security/faillock.conf"],
	"etc/security/pwquality.conf": weakText["etc/security/pwquality.conf"], "etc/security/pwhistory.conf": "# remember\n", "etc/security/limits.conf": "",
	"etc/systemd/journald.conf": weakText["etc/systemd/journald.conf"], "etc/audit/auditd.conf": weakText["etc/audit/auditd.conf"],
	"etc/audit/rules.d/audit.rules": "-D\n-b 8192\n", "var/log/messages": "", "var/log/audit/audit.log": "", "var/backups/x": "",
	"usr/lib/systemd/system/rsyslog.service": "[Unit]\n[Install]\nWantedBy=multi-user.target\n",
	"usr/sbin/auditctl":                      "", "usr/sbin/aureport": "", "usr/sbin/ausearch": "", "usr/sbin/auditd": "", "usr/sbin/augenrules": "", "usr/sbin/autrace": "",
}

const rhelStack = "auth required pam_faillock.so preauth\nauth sufficient pam_unix.so nullok\nauth required pam_faillock.so authfail\naccount required pam_unix.so\n" +
	"password requisite pam_pwquality.so\npassword sufficient pam_unix.so md5 nullok\n"

func rhel(t *testing.T, b *baseline.Baseline) string {
	root := filepath.Join(t.TempDir(), "root")
	require.NoError(t, os.Mkdir(root, 0o755))
	weaken(t, root, weakRHEL)
	require.NoError(t, os.MkdirAll(filepath.Join(root, "etc/systemd/system/multi-user.target.wants"), 0o755))
	weakenBy(t, root, []*baseline.Baseline{b})
	return root
}

// TestReadyTemplateOnRHEL repairs by each rule of cis-rhel8, and takes that back, in a root laid out as RHEL 8 is. Programs of RHEL are not in
// it, so that what they would refuse is not seen.
func TestReadyTemplateOnRHEL(t *testing.T) {
	ring.RequireOnHost(t)
	b := loadBaseline(t, readyTemplates, "cis-rhel8")
	root := rhel(t, b)
	cycled := 0
	for _, r := range b.Rules {
		if len(r.Fix) == 0 || needsSystemd(r) {
			continue
		}
		t.Run(r.ID, func(t *testing.T) {
			restore := spoil(t, root, r)
			defer restore()
			cycleInDebian(t, root, b, r.ID)
		})
		cycled++
	}
	assert.Greater(t, cycled, 180)
}
