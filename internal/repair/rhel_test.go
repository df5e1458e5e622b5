// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"os"
	"path/filepath"
	"strings"
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
	"boot/grub2/grub.cfg": "insmod blscfg\nblscfg\n", "boot/grub2/grubenv": grubEnvironment, "etc/default/grub": "GRUB_CMDLINE_LINUX=\"audit=0 quiet\"\n",
	"boot/loader/entries/1-4.18.0.conf":   "title RHEL\nlinux /vmlinuz-4.18.0\noptions $kernelopts $tuned_params\n",
	"boot/loader/entries/1-4.18.1.conf":   "title RHEL\nlinux /vmlinuz-4.18.1\noptions root=/dev/sda1 ro audit=0\n",
	"boot/loader/entries/1-0-rescue.conf": "title RHEL rescue\nlinux /vmlinuz-0-rescue\noptions root=/dev/sda1 single\n",
	"proc/cmdline":                        "quiet audit=0\n", "proc/sys/kernel/ostype": "Linux\n", "proc/self/mounts": "", "proc/modules": "",
	"etc/yum.repos.d/own.repo": "[own]\ngpgcheck=0\n", "etc/dnf/dnf.conf": "[main]\ngpgcheck=0\ninstall_weak_deps=True\n", "etc/selinux/config": "SELINUX=disabled\nSELINUXTYPE=minimum\n",
	"etc/sysconfig/chronyd": "OPTIONS=\"-u root\"\n", "etc/sysconfig/sshd": "CRYPTO_POLICY=\n", "etc/chrony.conf": "pool a.example\n", "etc/crypto-policies/config": "LEGACY\n",
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

// grubEnvironment is as long as GRUB makes it.
var grubEnvironment = ofLength("# GRUB Environment Block\nkernelopts=root=/dev/sda1 ro audit=0 quiet \n", 1024)

func ofLength(text string, bytes int) string { return text + strings.Repeat("#", bytes-len(text)) }

const rhelStack = "auth required pam_faillock.so preauth deny=9\nauth sufficient pam_unix.so nullok\nauth required pam_faillock.so authfail\naccount required pam_unix.so\n" +
	"password requisite pam_pwquality.so minlen=6\npassword required pam_pwhistory.so\npassword sufficient pam_unix.so md5 nullok remember=5\n"

func rhel(t *testing.T, b *baseline.Baseline) string {
	root := filepath.Join(t.TempDir(), "root")
	require.NoError(t, os.Mkdir(root, 0o755))
	weaken(t, root, weakRHEL)
	require.NoError(t, os.MkdirAll(filepath.Join(root, "etc/systemd/system/multi-user.target.wants"), 0o755))
	weakenBy(t, root, []*baseline.Baseline{b})
	return root
}

// TestReadyTemplateOnRHEL repairs by each rule of cis-rhel8, and takes that back, in a root laid out as RHEL 8 is. Programs of RHEL are not in
// it, so that what they would refuse is not seen. Rules that need a running systemd are repaired by TestUnderSystemd.
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
	assert.Equal(t, 201, cycled)
}

// TestBootEntriesOnRHEL has parameters of the kernel come to each entry but that for rescue, and to later ones.
func TestBootEntriesOnRHEL(t *testing.T) {
	ring.RequireOnHost(t)
	b := loadBaseline(t, readyTemplates, "cis-rhel8")
	root := rhel(t, b)
	require.Equal(t, Fixed, fix(t, root, b, "cis-6.3.1.2").Rules[0].Result)
	for path, want := range map[string]string{
		"boot/grub2/grubenv":                  ofLength("# GRUB Environment Block\nkernelopts=root=/dev/sda1 ro quiet audit=1 \n", 1024),
		"boot/loader/entries/1-4.18.0.conf":   weakRHEL["boot/loader/entries/1-4.18.0.conf"],
		"boot/loader/entries/1-4.18.1.conf":   "title RHEL\nlinux /vmlinuz-4.18.1\noptions root=/dev/sda1 ro audit=1\n",
		"boot/loader/entries/1-0-rescue.conf": weakRHEL["boot/loader/entries/1-0-rescue.conf"],
		"etc/default/grub":                    "GRUB_CMDLINE_LINUX=\"audit=0 quiet\"\nGRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX audit=1\"\n",
	} {
		assert.Equal(t, want, readText(t, root, path), path)
	}
}

func TestSharedBootParameters(t *testing.T) {
	for _, tt := range []struct{ name, in, want, problem string }{
		{"the length stays", "# G\nkernelopts=ro quiet\nb=1\n##########", "# G\nkernelopts=ro quiet audit=1\nb=1\n##", ""},
		{"in the place of another value", "kernelopts=audit=0 ro\n##", "kernelopts=ro audit=1\n##", ""},
		{"there already", "kernelopts=audit=1 ro\n##", "kernelopts=audit=1 ro\n##", ""},
		{"no room", "kernelopts=ro quiet\n#", "", "found room for 21 bytes, expected 28"},
		{"nothing that is shared", "saved_entry=0\n####", "", "found no kernelopts, which entries refer to"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, err := withShared(tt.in, []string{"audit=1"})
			if tt.problem != "" {
				require.ErrorContains(t, err, tt.problem)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.want, text)
		})
	}
}

// TestNobodyCouldChangeAPassword has a stack in which nothing asks for the new password before the module that is told to take that.
func TestNobodyCouldChangeAPassword(t *testing.T) {
	ring.RequireOnHost(t)
	b := loadBaseline(t, readyTemplates, "cis-rhel8")
	root := rhel(t, b)
	for _, file := range []string{"etc/pam.d/system-auth", "etc/pam.d/password-auth"} {
		writeText(t, root, file, "auth sufficient pam_unix.so\naccount required pam_unix.so\npassword sufficient pam_unix.so\npassword required pam_deny.so\n")
	}
	before := snapshotOf(t, root)
	report := fix(t, root, b, "cis-5.3.3.4.4")
	assert.Equal(t, Refused, report.Rules[0].Result)
	assert.Contains(t, report.Rules[0].Reason, "nobody could change a password any more")
	assertSame(t, before, snapshotOf(t, root), "refused")
}
