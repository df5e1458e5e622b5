// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

// weakText are files of a Debian host that is badly configured, each of which rules of the ready templates find.
var weakText = map[string]string{
	"etc/ssh/sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\nProtocol 1\nPermitRootLogin yes\nMaxAuthTries 10\nLoginGraceTime 600\nMaxSessions 99\nMaxStartups 99:30:100\n" +
		"PermitEmptyPasswords yes\nPermitUserEnvironment yes\nUsePAM no\nIgnoreRhosts no\nHostbasedAuthentication yes\nGSSAPIAuthentication yes\nDisableForwarding no\n" +
		"LogLevel QUIET\nClientAliveCountMax 0\nCiphers +3des-cbc\nKexAlgorithms +diffie-hellman-group14-sha1\n",
	"etc/sudoers": "Defaults env_reset\nroot ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n",
	"etc/issue":   "Debian GNU/Linux 12 \\n \\l\n", "etc/issue.net": "Debian GNU/Linux 12\n", "etc/motd": "This is Debian.\n",
	"etc/shells":       "/bin/sh\n/usr/sbin/nologin\n",
	"etc/rsyslog.conf": "module(load=\"imtcp\")\n$FileCreateMode 0666\n$IncludeConfig /etc/rsyslog.d/*.conf\n",
	"etc/pam.d/common-auth": "auth required pam_faillock.so preauth deny=9\nauth [success=1 default=ignore] pam_unix.so nullok\nauth [default=die] pam_faillock.so authfail\n" +
		"auth requisite pam_deny.so\nauth required pam_permit.so\n",
	"etc/pam.d/common-account": "account required pam_faillock.so\naccount required pam_unix.so\n",
	"etc/pam.d/common-password": "password requisite pam_pwquality.so retry=3 minlen=6 dictcheck=0\npassword required pam_pwhistory.so\n" +
		"password [success=1 default=ignore] pam_unix.so obscure try_first_pass md5 remember=5\npassword requisite pam_deny.so\npassword required pam_permit.so\n",
	"etc/login.defs":                "PASS_MAX_DAYS 0\nPASS_MIN_DAYS 0\nPASS_WARN_AGE 0\nENCRYPT_METHOD MD5\nUMASK 022\n",
	"etc/default/useradd":           "INACTIVE=99\n",
	"etc/security/pwquality.conf":   "minlen = 0\nminclass = 0\ndifok = 0\nmaxrepeat = 0\nmaxsequence = 0\ndictcheck = 0\nenforcing = 0\n",
	"etc/security/faillock.conf":    "deny = 0\nunlock_time = 1\n",
	"etc/systemd/journald.conf":     "[Journal]\nCompress=no\nStorage=volatile\nForwardToSyslog=maybe\n",
	"etc/audit/auditd.conf":         "log_format = RAW\nmax_log_file = 1\nmax_log_file_action = IGNORE\nlog_group = games\n",
	"etc/audit/rules.d/audit.rules": "-D\n-b 8192\n",
	"boot/config-6.1":               "CONFIG_INIT_ON_ALLOC_DEFAULT_ON=y\n",
	"boot/grub/grub.cfg":            "menuentry 'Debian' {\n\tlinux\t/vmlinuz root=/dev/sda1 ro apparmor=0 quiet\n}\nmenuentry 'recovery' {\n\tlinux /vmlinuz single\n}\n",
	"proc/cmdline":                  "quiet\n",
	"proc/self/mounts":              "", "proc/sys/kernel/ostype": "Linux\n", "proc/modules": "",
}

// weakFound are files somewhere on that host, in directories of the same owner.
var weakFound = map[string]struct {
	mode  os.FileMode
	owner int
}{
	"srv/open/file": {0o666, 0}, "srv/left/program": {0o755 | os.ModeSetuid, 4242}, "home/ana/.bash_history": {0o644, 1000}, "home/ana/.netrc": {0o640, 1000},
}

// debian copies the cached root, with what rules find fault with.
func debian(t *testing.T, all []*baseline.Baseline) string {
	root := filepath.Join(t.TempDir(), "root")
	output, err := exec.Command("cp", "-a", ring.DebianRoot(t), root).CombinedOutput()
	require.NoError(t, err, string(output))
	weaken(t, root, weakText)
	require.NoError(t, os.Remove(filepath.Join(root, "etc/systemd/system/multi-user.target.wants/rsyslog.service")))
	weakenBy(t, root, all)
	return root
}

// weaken writes files of a badly configured host, with accounts and files that are found anywhere.
func weaken(t *testing.T, root string, files map[string]string) {
	for path, text := range files {
		putText(t, root, path, text)
	}
	weakAccounts(t, root)
	for path, want := range weakFound {
		putText(t, root, path, "text\n")
		require.NoError(t, os.Chown(filepath.Dir(filepath.Join(root, path)), want.owner, want.owner))
		require.NoError(t, os.Chown(filepath.Join(root, path), want.owner, want.owner))
		require.NoError(t, os.Chmod(filepath.Join(root, path), want.mode))
	}
	require.NoError(t, os.Chmod(filepath.Join(root, "srv/open"), 0o777))
}

func putText(t *testing.T, root, path, text string) {
	require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, path)), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, path), []byte(text), 0o644))
}

// weakenBy adds what rules with a fix name: packages, modules, settings of the kernel and services.
func weakenBy(t *testing.T, root string, all []*baseline.Baseline) {
	packages, err := os.ReadFile(filepath.Join(root, "var/lib/dpkg/status"))
	require.NoError(t, err)
	modules := ""
	for _, b := range all {
		for _, r := range b.Rules {
			if len(r.Fix) == 0 {
				continue
			}
			for _, name := range namesOf(r, "package") {
				packages = append(packages, []byte("\nPackage: "+name+"\nStatus: install ok installed\nVersion: 1\n")...)
			}
			for _, s := range r.Fix {
				if needsSystemd(r) {
					continue
				}
				switch s.Kind {
				case "kmod":
					modules += "kernel/" + strings.Join(s.List("names"), ".ko:\nkernel/") + ".ko:\n"
				case "sysctl":
					for _, key := range s.List("keys") {
						putText(t, root, "proc/sys/"+strings.ReplaceAll(key, ".", "/"), "7\n")
					}
				case "unit":
					weakUnits(t, root, s)
				}
			}
		}
	}
	putText(t, root, "var/lib/dpkg/status", string(packages))
	putText(t, root, "lib/modules/6.1/modules.dep", modules)
}

// namesOf gives what a rule asks of a table by names, in its check and in what it applies to.
func namesOf(r *baseline.Rule, table string) []string {
	all := namesIn(r.Check, table)
	if r.Applies != nil {
		all = append(all, namesIn(r.Applies.Check, table)...)
	}
	return all
}

func namesIn(c *baseline.Check, table string) []string {
	if c == nil {
		return nil
	}
	var all []string
	if c.Leaf != nil && c.Leaf.Table == table {
		all = append(all, c.Leaf.Args["names"].Items...)
	}
	for _, part := range slices.Concat(c.All, c.Any, []*baseline.Check{c.Not}) {
		all = append(all, namesIn(part, table)...)
	}
	return all
}

// weakUnits has units not start that should, and the others start.
func weakUnits(t *testing.T, root string, s *baseline.Step) {
	for _, name := range s.List("names") {
		putText(t, root, "usr/lib/systemd/system/"+name, "[Unit]\n[Install]\nWantedBy=multi-user.target\n")
		wants := filepath.Join(root, "etc/systemd/system/multi-user.target.wants", name)
		links, err := filepath.Glob(filepath.Join(root, "etc/systemd/system/*.wants", name))
		require.NoError(t, err)
		for _, l := range links {
			require.NoError(t, os.Remove(l))
		}
		if s.Text("state", "") == "enabled" {
			require.NoError(t, os.MkdirAll(filepath.Join(root, "sys/fs/cgroup/system.slice", name), 0o755))
			continue
		}
		require.NoError(t, os.Symlink("/usr/lib/systemd/system/"+name, wants))
	}
}

// weakAccounts adds accounts with passwords that do not age, that services have, and that have ended.
func weakAccounts(t *testing.T, root string) {
	today := strconv.FormatInt(time.Now().Unix()/86400, 10)
	hash := ":$y$j9T$salt$hash:" + today
	replace := func(path, from, to string) {
		text, err := os.ReadFile(filepath.Join(root, path))
		require.NoError(t, err)
		lines := slices.DeleteFunc(linesOf(string(text)), func(line string) bool { return strings.HasPrefix(line, from+":") })
		require.NoError(t, os.WriteFile(filepath.Join(root, path), []byte(strings.Join(lines, "")+to+"\n"), 0o640))
	}
	for name, line := range map[string]string{
		"root": "root:x:0:0:root:/root:/bin/bash", "ana": "ana:x:1000:1000::/home/ana:/bin/bash", "games": "games:x:5:60::/usr/games:/bin/sh",
		"svc": "svc:x:500:500::/:/usr/sbin/nologin", "gone": "gone:x:1001:1000::/:/bin/sh",
	} {
		replace("etc/passwd", name, line)
		days := ":0:99999:1:::"
		if name == "gone" {
			days = ":0:60:7:20:1:"
		}
		replace("etc/shadow", name, name+hash+days)
	}
	replace("etc/group", "ana", "ana:x:1000:")
	replace("etc/group", "sudo", "sudo:x:27:ana")
}

// ofRsyslog are rules that apply where rsyslog is enabled, and others only where it is not.
var ofRsyslog = []string{"cis-6.1.3.3", "cis-6.1.3.4", "cis-6.1.3.7", "cis-6.2.2.3", "cis-6.2.2.4", "cis-6.2.2.7"}

// spoil makes the attributes of what a rule's steps are about bad, and gives what makes them good again.
func spoil(t *testing.T, root string, r *baseline.Rule) (restore func()) {
	bare := map[string]State{}
	if slices.Contains(ofRsyslog, r.ID) {
		full := filepath.Join(root, "etc/systemd/system/multi-user.target.wants/rsyslog.service")
		require.NoError(t, os.Symlink("/usr/lib/systemd/system/rsyslog.service", full))
		bare[full] = State{Type: absent}
	}
	for _, s := range r.Fix {
		if s.Kind != "file" {
			continue
		}
		for _, pattern := range s.List("paths") {
			found, err := filepath.Glob(filepath.Join(root, pattern))
			require.NoError(t, err)
			if len(found) == 0 && !s.Has("create") {
				full := filepath.Join(root, strings.ReplaceAll(pattern, "*", "x"))
				require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o755))
				require.NoError(t, os.WriteFile(full, nil, 0o644))
				found = []string{full}
				bare[full] = State{Type: absent}
			}
			for _, full := range found {
				if _, known := bare[full]; !known {
					state, err := r0(root).look(strings.TrimPrefix(full, root))
					require.NoError(t, err)
					if state.Type == link {
						continue
					}
					bare[full] = state
				}
				require.NoError(t, os.Chown(full, 7, 7))
				require.NoError(t, os.Chmod(full, 0o777))
			}
		}
	}
	return func() {
		for full, state := range bare {
			if state.Type == absent {
				require.NoError(t, os.Remove(full))
				continue
			}
			require.NoError(t, setAttributes(full, state))
		}
	}
}

// compared are the directories that repairs change something in.
var compared = []string{"etc", "boot", "proc", "srv", "home", "var/log", "var/backups"}

func snapshotOf(t *testing.T, dir string) map[string]State {
	all := map[string]State{}
	for _, part := range compared {
		for path, state := range snapshot(t, filepath.Join(dir, part)) {
			all[filepath.Join(part, path)] = state
		}
	}
	programs, err := filepath.Glob(filepath.Join(dir, "usr/sbin/au*"))
	require.NoError(t, err)
	for _, full := range programs {
		path := strings.TrimPrefix(full, dir)
		all[path], err = r0(dir).look(path)
		require.NoError(t, err)
	}
	return all
}

// needsSystemd reports whether a rule is repaired in the container that systemd runs (TestUnderSystemd), because a root directory has neither
// what is mounted nor a packet filter nor services that are enabled and do not run.
func needsSystemd(r *baseline.Rule) bool {
	return slices.ContainsFunc(r.Fix, func(s *baseline.Step) bool {
		isEnabled := s.Kind == "unit" && r.Applies != nil && slices.Contains(namesIn(r.Applies.Check, "unit"), s.List("names")[0])
		return s.Kind == "mount" || s.Kind == "firewall" || isEnabled && s.Text("state", "") == "enabled"
	})
}

const readyTemplates = "../../config/baselines"

func readyBaselines(t *testing.T) []*baseline.Baseline {
	return []*baseline.Baseline{loadBaseline(t, readyTemplates, "cis-debian12"), loadBaseline(t, readyTemplates, "mlps-l3")}
}

// TestReadyTemplatesInDebian repairs by each rule of the ready templates, and takes that back, in a root of Debian 12 with its programs. Those
// that need a running systemd are repaired by TestUnderSystemd.
func TestReadyTemplatesInDebian(t *testing.T) {
	ring.Require(t, ring.Debian)
	all := readyBaselines(t)
	root := debian(t, all)
	seen := map[string]bool{}
	for _, b := range all {
		for _, r := range b.Rules {
			if len(r.Fix) == 0 || needsSystemd(r) {
				continue
			}
			t.Run(r.ID, func(t *testing.T) {
				restore := spoil(t, root, r)
				defer restore()
				cycleInDebian(t, root, b, r.ID)
			})
			for _, s := range r.Fix {
				seen[s.Kind] = true
			}
		}
	}
	assert.Equal(t, slices.DeleteFunc(baseline.StepKinds(), func(kind string) bool { return kind == "mount" || kind == "firewall" }), slices.Sorted(maps.Keys(seen)))
}

func cycleInDebian(t *testing.T, root string, b *baseline.Baseline, rule string) {
	require.Equal(t, baseline.Fail, verdict(t, root, b, rule))
	before := snapshotOf(t, root)
	report := fix(t, root, b, rule)
	require.Len(t, report.Rules, 1)
	require.Equal(t, Fixed, report.Rules[0].Result, report.Rules[0].Reason)
	assert.Equal(t, baseline.Pass, verdict(t, root, b, rule))
	assert.Empty(t, fix(t, root, b, rule).Rules, "once is enough")
	_, err := rollback(t, root, Back{Transaction: report.Transaction})
	require.NoError(t, err)
	assertSame(t, before, snapshotOf(t, root), rule)
	require.NoError(t, filepath.WalkDir(filepath.Join(root, "etc"), func(path string, _ fs.DirEntry, err error) error {
		assert.NotContains(t, path, ".vedette-", "nothing is left over")
		return err
	}))
}

// TestProgramsOfDebianRefuse has repairs that sshd, visudo, findmnt and nft find fault with, and one after which nobody gets in by ssh.
func TestProgramsOfDebianRefuse(t *testing.T) {
	ring.Require(t, ring.Debian)
	root, b := debian(t, nil), loadBaseline(t, "testdata/refused.yaml", "refused")
	// Only ana gets in by ssh, as root may not.
	writeText(t, root, "etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nPermitRootLogin no\n")
	before := snapshotOf(t, root)
	for rule, want := range map[string]string{
		"sshd": "unsupported log level", "sudo": "syntax error", "fstab": "nonsense", "nft": "nonsense", "pam": "would ask for pam_none.so",
		"locked": "nobody could get in by ssh and act as root any more; now these can: ana",
	} {
		report := fix(t, root, b, rule)
		require.Len(t, report.Rules, 1)
		assert.Equal(t, Refused, report.Rules[0].Result, rule)
		assert.Contains(t, report.Rules[0].Reason, want, rule)
	}
	assertSame(t, before, snapshotOf(t, root), "refused")
}

// TestWholeTemplateInDebian repairs what it can of a template in one transaction, and takes all of it back.
func TestWholeTemplateInDebian(t *testing.T) {
	ring.Require(t, ring.Debian)
	all := readyBaselines(t)
	root := debian(t, all)
	for _, b := range all {
		before := snapshotOf(t, root)
		report := fix(t, root, b)
		results := map[string]int{}
		for _, o := range report.Rules {
			results[o.Result]++
			assert.NotEqual(t, Undone, o.Result, "%s: %s: %s", b.ID, o.Rule, o.Reason)
		}
		assert.Greater(t, results[Fixed], 20, "%v", results)
		_, err := rollback(t, root, Back{Transaction: report.Transaction})
		require.NoError(t, err)
		assertSame(t, before, snapshotOf(t, root), b.ID)
	}
}
