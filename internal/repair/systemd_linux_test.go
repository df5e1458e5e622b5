// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

// insideSystemd is set where the test runs as a service of the container that it has booted.
const insideSystemd = "VEDETTE_TEST_INSIDE_SYSTEMD"

// testUnit runs a test when the host has started, and ends the host. Its place holders are for settings of the service and the test's name.
const testUnit = `[Unit]
After=cron.service ssh.service auditd.service
Wants=cron.service ssh.service
SuccessAction=poweroff
FailureAction=poweroff
[Service]
Type=oneshot
WorkingDirectory=/opt
%sExecStart=/opt/repair.test -test.v -test.run ^%s$
StandardError=inherit
[Install]
WantedBy=multi-user.target
`

// debianWithTest copies the cached root, with this test as a service that runs when the host has started.
func debianWithTest(t *testing.T, settings string) string {
	root := filepath.Join(t.TempDir(), "root")
	for _, command := range [][]string{
		{"cp", "-a", ring.DebianRoot(t), root}, {"cp", os.Args[0], root + "/opt/repair.test"}, {"cp", "-r", "testdata", root + "/opt/testdata"},
		{"cp", "-r", readyTemplates, root + "/opt/baselines"},
	} {
		output, err := exec.Command(command[0], command[1:]...).CombinedOutput()
		require.NoError(t, err, string(output))
	}
	writeText(t, root, "etc/systemd/system/vedette-test.service", fmt.Sprintf(testUnit, settings, t.Name()))
	// A message that the journal passed on would start rsyslog again.
	writeText(t, root, "etc/systemd/journald.conf", "[Journal]\nForwardToSyslog=no\n")
	writeText(t, root, "etc/nftables.conf", "#!/usr/sbin/nft -f\nflush ruleset\n")
	startsWithHost(t, root, "/etc/systemd/system/vedette-test.service")
	startsWithHost(t, root, "/usr/lib/systemd/system/nftables.service")
	return root
}

// startsWithHost enables a unit by its file.
func startsWithHost(t *testing.T, root, file string) {
	require.NoError(t, os.Symlink(file, filepath.Join(root, "etc/systemd/system/multi-user.target.wants", filepath.Base(file))))
}

const longestContainer = 15 * time.Minute

// TestUnderSystemd boots Debian with systemd in a container and repairs that.
func TestUnderSystemd(t *testing.T) {
	if os.Getenv(insideSystemd) != "" {
		underSystemd(t)
		return
	}
	ring.Require(t, ring.Debian)
	root := debianWithTest(t, "Environment="+insideSystemd+"=1\nStandardOutput=file:/opt/output\n")
	writeText(t, root, "usr/lib/systemd/system/own.socket", "[Socket]\nListenStream=/run/own\n")
	writeText(t, root, "usr/lib/systemd/system/pair.socket", "[Socket]\nListenStream=/run/pair\n[Install]\nWantedBy=sockets.target\n")
	writeText(t, root, "usr/lib/systemd/system/pair.service", sleepingService)
	for _, name := range []string{"pair.socket", "pair.service"} {
		startsWithHost(t, root, "/usr/lib/systemd/system/"+name)
	}
	// RHEL's auditd is not to be stopped by hand either.
	writeText(t, root, "usr/lib/systemd/system/own.service", "[Unit]\nRefuseManualStop=yes\n"+sleepingService)
	// Two that set the clock are not installed, and would not run in a container.
	for _, name := range clockServices {
		writeText(t, root, "usr/lib/systemd/system/"+name, sleepingService)
	}
	for _, name := range clockServices {
		startsWithHost(t, root, "/usr/lib/systemd/system/"+name)
	}
	ctx, cancel := context.WithTimeout(t.Context(), longestContainer)
	defer cancel()
	container := exec.CommandContext(ctx, "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network", "--directory="+root, "--boot")
	container.Cancel = func() error { return container.Process.Signal(os.Interrupt) }
	container.WaitDelay = time.Minute
	console, err := container.CombinedOutput()
	output, readErr := os.ReadFile(filepath.Join(root, "opt/output"))
	require.NoError(t, readErr, "%v: %s", err, console)
	t.Logf("in the container:\n%s", output)
	assert.Contains(t, string(output), "\n--- PASS: TestUnderSystemd (")
}

const sleepingService = "[Service]\nExecStart=/usr/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"

var clockServices = []string{"chrony.service", "systemd-timesyncd.service"}

// service tells whether a unit runs, and whether it is enabled.
func service(t *testing.T, name string) string {
	var words []string
	for _, question := range []string{"is-active", "is-enabled"} {
		output, _ := exec.Command("systemctl", question, name).CombinedOutput() // The exit status says the same.
		words = append(words, strings.TrimSpace(string(output)))
	}
	return strings.Join(words, " ")
}

func underSystemd(t *testing.T) {
	t.Run("kernel", underKernel)
	t.Run("ready templates", underReadyTemplates)
	b := loadBaseline(t, "testdata/systemd.yaml", "systemd")
	assert.Equal(t, baseline.Pass, verdict(t, "/", b, "socket"), "only systemd knows which sockets it listens at")
	for _, tt := range []struct{ rule, unit, before, after, step string }{
		{"masked", "cron.service", "active enabled", "inactive masked", "activated systemctl daemon-reload"},
		{"pair", "pair.socket", "active enabled", "inactive masked", "activated systemctl daemon-reload"},
		{"enabled", "own.service", "inactive disabled", "active enabled", "activated systemctl daemon-reload"},
		{"sshd", "ssh.service", "active enabled", "active enabled", "activated systemctl reload ssh.service"},
		{"journald", "systemd-journald.service", "active static", "active static", "activated systemctl restart systemd-journald.service"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			require.Equal(t, tt.before, service(t, tt.unit))
			require.Equal(t, baseline.Fail, verdict(t, "/", b, tt.rule))
			var steps []string
			r, _, err := open("/", func(what string) { steps = append(steps, what) })
			require.NoError(t, err)
			report, err := r.Fix(t.Context(), b, Options{Rules: []string{tt.rule}})
			require.NoError(t, err)
			require.Equal(t, Fixed, report.Rules[0].Result, report.Rules[0].Reason)
			assert.Contains(t, steps, tt.step)
			assert.Equal(t, tt.after, service(t, tt.unit))
			_, err = r.Rollback(Back{Transaction: report.Transaction})
			require.NoError(t, err)
			require.NoError(t, r.Close())
			assert.Equal(t, tt.before, service(t, tt.unit))
			require.Equal(t, baseline.Fail, verdict(t, "/", b, tt.rule))
		})
	}
}

// weakMounts are file systems of their own that rules of the ready templates are about, those that are in others after these.
var weakMounts = []string{"/tmp", "/dev/shm", "/home", "/var", "/var/tmp", "/var/log", "/var/log/audit"}

// underReadyTemplates repairs by the rules of the ready templates that need a running systemd.
func underReadyTemplates(t *testing.T) {
	fstab := ""
	for _, path := range weakMounts {
		require.NoError(t, os.MkdirAll(path, 0o755))
		mount(t, "tmpfs", path, "tmpfs", 0, "size=8m,mode=0755")
		fstab += "tmpfs " + path + " tmpfs size=8m,mode=0755 0 0\n"
	}
	require.NoError(t, os.WriteFile("/etc/fstab", []byte(fstab), 0o644))
	for _, name := range append([]string{"syslog.socket", "rsyslog.service"}, clockServices...) {
		output, err := exec.Command("systemctl", "stop", name).CombinedOutput()
		require.NoError(t, err, string(output))
	}
	// The container begins with what its host does.
	require.NoError(t, os.WriteFile("/proc/sys/net/ipv4/conf/all/forwarding", []byte("0\n"), 0o644))
	cycled := 0
	for _, id := range []string{"cis-debian12", "mlps-l3", "cis-rhel8"} {
		b := loadBaseline(t, "baselines", id)
		for _, r := range b.Rules {
			if len(r.Fix) > 0 && needsSystemd(r) {
				t.Run(r.ID, func(t *testing.T) { cycleUnderSystemd(t, b, r.ID) })
				cycled++
			}
		}
	}
	assert.Equal(t, 45, cycled)
}

// standingOf gives what rules that need a running systemd can change: files, what is mounted, what runs, and the packet filter.
func standingOf(t *testing.T) (files map[string]State, others []string) {
	r := &Repairer{root: "/"}
	for _, path := range weakMounts {
		options, err := r.mountOptions(path)
		require.NoError(t, err)
		others = append(others, path+" "+options)
	}
	for _, name := range append([]string{"rsyslog.service"}, clockServices...) {
		others = append(others, name+" "+service(t, name))
	}
	ruleset, err := r.run("nft", "list", "ruleset")
	require.NoError(t, err)
	return snapshot(t, "/etc"), append(others, ruleset)
}

func cycleUnderSystemd(t *testing.T, b *baseline.Baseline, rule string) {
	require.Equal(t, baseline.Fail, verdict(t, "/", b, rule))
	files, others := standingOf(t)
	report := fix(t, "/", b, rule)
	require.Len(t, report.Rules, 1)
	require.Equal(t, Fixed, report.Rules[0].Result, report.Rules[0].Reason)
	require.Equal(t, baseline.Pass, verdict(t, "/", b, rule))
	_, changed := standingOf(t)
	assert.NotEqual(t, others, changed, "it is in force, and not in files only")
	assert.Empty(t, fix(t, "/", b, rule).Rules, "once is enough")
	_, err := rollback(t, "/", Back{Transaction: report.Transaction})
	require.NoError(t, err)
	filesThen, othersThen := standingOf(t)
	assertSame(t, files, filesThen, rule)
	assert.Equal(t, others, othersThen)
}
