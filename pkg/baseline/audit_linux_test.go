// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/hostconf"
	"github.com/vedette-sec/vedette/internal/ring"
)

// auditctl gives rules to the kernel, or takes them back.
func auditctl(t *testing.T, args ...string) error {
	command := exec.Command("/usr/sbin/auditctl", args...)
	command.SysProcAttr = &syscall.SysProcAttr{Chroot: ring.DebianRoot(t)}
	output, err := command.CombinedOutput()
	t.Logf("auditctl %s: %s", strings.Join(args, " "), output)
	return err
}

// load has the kernel take a rule until the test ends, and gives what takes it back before.
func load(t *testing.T, rule string) (unload func()) {
	require.NoError(t, auditctl(t, strings.Fields(rule)...))
	loaded := true
	unload = func() {
		if loaded {
			loaded = false
			assert.NoError(t, auditctl(t, strings.Fields(strings.NewReplacer("-w ", "-W ", "-a ", "-d ").Replace(rule))...))
		}
	}
	t.Cleanup(unload)
	return unload
}

// readyAuditRules are those that the ready templates ask for.
func readyAuditRules(t *testing.T) []string {
	l := &Loader{}
	l.Add("../../config/baselines")
	set, err := l.Set()
	require.NoError(t, err)
	seen := map[string]bool{}
	var walk func(c *Check)
	walk = func(c *Check) {
		if c.Leaf != nil && c.Leaf.Table == "audit" {
			for _, rule := range c.Leaf.Args["rules"].Items {
				seen[strings.ReplaceAll(rule, everySetuid, "/usr/bin/su")] = true
			}
		}
		for _, part := range append(append([]*Check{}, c.All...), c.Any...) {
			walk(part)
		}
	}
	for _, template := range set.Templates {
		for _, r := range template.Rules {
			if r.Check != nil {
				walk(r.Check)
			}
		}
	}
	return slices.DeleteFunc(sortedKeys(seen), func(rule string) bool {
		// The kernel watches no name in a directory that is not there.
		fields := strings.Fields(rule)
		_, err := os.Stat(filepath.Join(ring.DebianRoot(t), filepath.Dir(fields[1])))
		return fields[0] == "-w" && err != nil
	})
}

// requireAudit skips where the kernel takes no rules, and gives those that it has already.
func requireAudit(t *testing.T) (existing []string) {
	ring.Require(t, ring.Debian)
	loaded, err := hostconf.New("/").LoadedAuditRules()
	switch {
	case errors.Is(err, hostconf.ErrContained):
		ring.Cannot(t, "this is a container, whose kernel's audit rules are another host's")
	case errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.EPERM):
		ring.Cannot(t, "it may not read the audit rules of this kernel: "+err.Error())
	}
	require.NoError(t, err)
	for _, r := range loaded {
		existing = append(existing, r.String())
	}
	if err := auditctl(t, "-a", "never,exit", "-F", "path=/vedette-test"); err != nil {
		ring.Cannot(t, "this kernel takes no audit rules")
	}
	require.NoError(t, auditctl(t, "-d", "never,exit", "-F", "path=/vedette-test"))
	return existing
}

// judgeAt judges a check on the running kernel with the files of another root, by a thread that sees no other files.
func judgeAt(t *testing.T, root, check string) Verdict {
	file, err := Parse("x.yaml", []byte(ruleWith(check)))
	require.NoError(t, err)
	e := &evaluation{host: hostconf.New("/")}
	judged := make(chan Verdict)
	go func() {
		// The thread is never given back, so that it ends with the goroutine.
		runtime.LockOSThread()
		defer close(judged)
		if err := errors.Join(unix.Unshare(unix.CLONE_FS), unix.Chroot(root)); assert.NoError(t, err) {
			judged <- e.check(file.Templates[0].Rules[0].Check)
		}
	}()
	verdict := <-judged
	assert.Empty(t, e.errors)
	return verdict
}

// TestAuditRulesOfTheKernel has auditctl load what the ready templates ask for, and compares what the kernel then has with it.
func TestAuditRulesOfTheKernel(t *testing.T) {
	existing := requireAudit(t)
	const extra = "-a always,exit -F arch=b32 -S stime,umount -F exit=-EACCES -F a0=0x10 -F success=0 -F filetype=dir -F key=x"
	const uncommon = "-a never,exclude -F msgtype=CWD"
	all := append(readyAuditRules(t), extra, "-w /vedette-test -p ra -k k", "-a always,exit -S all -F auid=daemon -C gid!=egid -F perm=wa -F exe=/usr/bin/true")
	root := t.TempDir()
	write := func(path, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, path)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, path), []byte(text), 0o644))
	}
	write("etc/passwd", "root:x:0:0::/:/bin/sh\ndaemon:x:1:1::/:/bin/sh\n")
	write("etc/group", "root:x:0:\n")
	write("etc/audit/rules.d/a.rules", strings.Join(slices.Concat(existing, all), "\n")+"\n-e 1\n")
	const difference = `{audit: {expect: {present: true}}}`
	const wanted = `{audit: {rules: ["` + extra + `"], expect: {present: true}}}`
	assert.Equal(t, Fail, judgeAt(t, root, difference), "files have rules and the kernel has none")
	var unload func()
	for _, rule := range all {
		if parsed, _ := hostconf.ParseAuditRule(rule); slices.Contains(existing, parsed.String()) {
			continue // The kernel takes no rule twice.
		}
		undo := load(t, rule)
		if rule == extra {
			unload = undo
		}
	}
	loaded, err := hostconf.New("/").LoadedAuditRules()
	require.NoError(t, err)
	assert.NotEmpty(t, loaded)
	assert.Equal(t, Pass, judgeAt(t, root, difference), "%v", loaded)
	assert.Equal(t, Pass, judgeAt(t, root, wanted))
	unloadUncommon := load(t, uncommon)
	assert.Equal(t, Fail, judgeAt(t, root, difference), "the kernel has one more")
	unloadUncommon()
	unload()
	assert.Equal(t, Fail, judgeAt(t, root, difference), "the kernel lacks one")
	assert.Equal(t, Fail, judgeAt(t, root, wanted), "a rule in a file does nothing while the kernel lacks it")
	assert.Equal(t, Pass, judgeAt(t, root, strings.Replace(wanted, "expect", "where: {from: files}, expect", 1)))
}
