// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/pkg/baseline"
)

// leaves gives the questions that a check asks of a table.
func leaves(c *baseline.Check, table string) []*baseline.Leaf {
	if c == nil {
		return nil
	}
	var all []*baseline.Leaf
	if c.Leaf != nil && c.Leaf.Table == table {
		all = append(all, c.Leaf)
	}
	for _, part := range slices.Concat(c.All, c.Any, []*baseline.Check{c.Not}) {
		all = append(all, leaves(part, table)...)
	}
	return all
}

// asked gives what the rules of baselines ask of a table, and what they expect of a field, "" where nothing.
func asked(all []*baseline.Baseline, table, param, field string, each func(name, expected string)) {
	for _, b := range all {
		for _, r := range b.Rules {
			for _, l := range leaves(r.Check, table) {
				expected := ""
				for _, e := range l.Expect {
					if e.Field == field {
						expected = e.Condition[0].Operand.Items[0]
					}
				}
				for _, name := range l.Args[param].Items {
					each(name, expected)
				}
			}
		}
	}
}

// harden adds to a host what the rules name in long lists.
func (f tree) harden(all []*baseline.Baseline) tree {
	f["proc/sys/kernel/ostype"], f["proc/self/mounts"] = "Linux\n", ""
	asked(all, "sysctl", "keys", "value", func(key, value string) {
		f["proc/sys/"+strings.ReplaceAll(key, ".", "/")] = value + "\n"
		f["etc/sysctl.d/own.conf"] += key + " = " + value + "\n"
	})
	asked(all, "kmod", "names", "loaded", func(name, _ string) {
		f["lib/modules/6.1/modules.dep"] += "kernel/" + name + ".ko:\n"
		f["etc/modprobe.d/own.conf"] += "install " + name + " /bin/false\nblacklist " + name + "\n"
	})
	asked(all, "mount", "paths", "mounted", func(path, _ string) {
		f["proc/self/mounts"] += "/dev/x " + path + " ext4 rw,nodev,nosuid,noexec 0 0\n"
	})
	f["usr/bin/su"] = "4755:"
	asked(all, "audit", "rules", "present", func(rule, _ string) {
		f["etc/audit/rules.d/own.rules"] += strings.ReplaceAll(rule, "{}", "/usr/bin/su") + "\n"
	})
	f["etc/audit/rules.d/own.rules"] = "0640:-w /var/log/sudo.log -p wa\n" + f["etc/audit/rules.d/own.rules"] + "-e 2\n"
	return f
}

// weaken adds to a host the wrong values, modules, mounts, packages and services that rules name.
func (f tree) weaken(all []*baseline.Baseline) tree {
	f["proc/sys/kernel/ostype"], f["proc/self/mounts"] = "Linux\n", ""
	asked(all, "sysctl", "keys", "value", func(key, _ string) { f["proc/sys/"+strings.ReplaceAll(key, ".", "/")] = "7\n" })
	asked(all, "kmod", "names", "loaded", func(name, _ string) { f["lib/modules/6.1/modules.dep"] += "kernel/" + name + ".ko:\n" })
	asked(all, "mount", "paths", "mounted", func(path, _ string) { f["proc/self/mounts"] += "/dev/x " + path + " ext4 rw 0 0\n" })
	asked(all, "package", "names", "installed", func(name, expected string) {
		if expected == "false" {
			f.packages(name)
		}
	})
	asked(all, "unit", "names", "enabled", func(name, expected string) {
		if expected == "false" {
			f.services(name)
		}
	})
	return f
}

// without takes files of which the path has a text away.
func (f tree) without(texts ...string) tree {
	all := tree{}
	for path, text := range f {
		if !slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(path, s) }) {
			all[path] = text
		}
	}
	return all
}

// also adds services and packages.
func (f tree) also(services, packages string) tree {
	all := f.with(nil)
	all.services(strings.Fields(services)...)
	all.packages(strings.Fields(packages)...)
	return all
}

// hosts are those on which every rule passes once and fails once.
func hosts(all []*baseline.Baseline) map[string]tree {
	good, bad := hardened().harden(all), weak().weaken(all)
	return map[string]tree{
		"good": good, "bad": bad,
		"desktop":      good.also("", "gdm3").with(desktop()),
		"open desktop": bad.with(tree{"etc/gdm3/custom.conf": "[xdmcp]\nEnable=true\n"}),
		"ufw": good.also("ufw.service", "ufw").with(tree{"etc/ufw/ufw.conf": "ENABLED=yes\n", "etc/ufw/before.rules": "-A ufw-before-input -i lo -j ACCEPT\n",
			"etc/ufw/user.rules": "-A ufw-user-input -s 127.0.0.0/8 -j DROP\n",
			"etc/default/ufw":    "DEFAULT_INPUT_POLICY=\"DROP\"\nDEFAULT_OUTPUT_POLICY=\"DROP\"\nDEFAULT_FORWARD_POLICY=\"DROP\"\n"}),
		"open ufw":      good.also("ufw.service", "iptables-persistent"),
		"nftables":      good.also("nftables.service", "nftables").with(tree{"etc/nftables.conf": "hook input\nhook forward\nhook output\n"}),
		"open nftables": good.also("nftables.service ufw.service", "ufw iptables-persistent"),
		"idle nftables": good.also("", "nftables"),
		"iptables":      good.also("netfilter-persistent.service", "iptables iptables-persistent"),
		"chrony":        good.without("timesyncd").also("chrony.service", "").with(tree{"etc/chrony/chrony.conf": "pool a.example\nuser _chrony\n"}),
		"open chrony":   good.also("chrony.service", "").without("chrony.service/cgroup").with(tree{"etc/chrony/chrony.conf": "user root\n"}),
		"rsyslog":       good.also("rsyslog.service", "rsyslog").with(tree{"etc/systemd/journald.conf": "[Journal]\nForwardToSyslog=yes\n", "etc/rsyslog.conf": "$FileCreateMode 0640\n"}),
		"open rsyslog":  good.also("rsyslog.service", "").without("rsyslog.service/cgroup").with(tree{"etc/rsyslog.conf": "$FileCreateMode 0666\nmodule(load=\"imtcp\")\n"}),
		"idle":          good.without("cgroup", "wants/", "etc/pam.d/common", "proc/8", "var/lib/dpkg", "aide.db").with(tree{"proc/self/mounts": ""}).also("", "aide cron auditd sudo at"),
		"stopped":       good.without("cgroup"),
		"empty":         good.with(tree{"var/lib/dpkg/status": ""}),
		"orphans":       good.with(tree{"etc/passwd": "root:x:4000000:4000000::/root:/bin/sh\n", "etc/group": "root:x:4000000:\n"}),
	}
}

// ofTheKernel reports whether a check asks the running kernel, of which nothing is known of a host made of files: about the packet filter
// and about all its audit rules.
func ofTheKernel(c *baseline.Check) bool {
	return len(leaves(c, "firewall")) > 0 ||
		slices.ContainsFunc(leaves(c, "audit"), func(l *baseline.Leaf) bool { return len(l.Args["rules"].Items) == 0 })
}

// madeHosts are hosts for templates.
type madeHosts struct {
	templates []string
	hosts     func([]*baseline.Baseline) map[string]tree
	ofOthers  []string // rules that fail on the good host, as they are about other hosts
}

var (
	debianHosts = madeHosts{[]string{"mlps-l2", "mlps-l3", "cis-debian12"}, hosts, ofOtherHosts}
	rpmHosts    = madeHosts{[]string{"cis-rhel8"}, rhelHosts, nil}
)

// TestEveryRuleOfBaselinesPassesAndFails finds for each rule that needs no person, but those about the kernel (see TestRulesAboutChainsPassAndFail), a host on which it passes and one on which it fails.
func TestEveryRuleOfBaselinesPassesAndFails(t *testing.T) { debianHosts.check(t) }

// TestEveryRuleForRHELPassesAndFails does the same for hosts with rpm.
func TestEveryRuleForRHELPassesAndFails(t *testing.T) { rpmHosts.check(t) }

func (m madeHosts) check(t *testing.T) {
	all := resolved(t, m.templates...)
	for _, problem := range m.problems(t, all, m.hosts(all)) {
		assert.Fail(t, problem)
	}
}

// A template for which there are no hosts would be in neither test.
func TestEveryTemplateHasHosts(t *testing.T) {
	var all []string
	for _, template := range readyBaselines(t).Templates {
		all = append(all, template.ID)
	}
	assert.ElementsMatch(t, all, slices.Concat(debianHosts.templates, rpmHosts.templates))
}

// TestRulesWithoutHostsAreTold has the test judge rules that nothing makes pass, or fail, or judge at all.
func TestRulesWithoutHostsAreTold(t *testing.T) {
	set := &baseline.Loader{}
	set.AddFS(fstest.MapFS{"own.yaml": {Data: []byte(`template: own
title: Own
rules:
  - {id: both, title: Both, check: {file: {paths: [/etc/a], expect: {exists: true}}}}
  - {id: passes, title: Passes, check: {file: {paths: [/etc/passwd], expect: {exists: true}}}}
  - {id: fails, title: Fails, check: {file: {paths: [/etc/none], expect: {exists: true}}}}
  - {id: unknown, title: Unknown, check: {mount: {paths: [/tmp], expect: {mounted: true}}}}
  - {id: idle, title: Idle, applies: {os: [other]}, check: {file: {paths: [/etc/a], expect: {exists: true}}}}
`)}}, "own")
	own, err := set.Set()
	require.NoError(t, err)
	b, err := own.Resolve("own", nil)
	require.NoError(t, err)
	plain := tree{"etc/os-release": "ID=debian\nVERSION_ID=\"12\"\n", "etc/passwd": "root:x:0:0::/root:/bin/sh\n", "etc/group": "root:x:0:\n"}
	found := madeHosts{}.problems(t, []*baseline.Baseline{b}, map[string]tree{"good": plain.with(tree{"etc/a": ""}), "bad": plain})
	for i, problem := range found {
		found[i], _, _ = strings.Cut(problem, ": reading") // what the kernel says of it is no matter
	}
	assert.ElementsMatch(t, []string{
		"own: passes fails nowhere", "own: fails passes nowhere", "own: unknown passes nowhere", "own: unknown fails nowhere",
		"own: idle passes nowhere", "own: idle fails nowhere",
		"own: fails fails on the good host", "own: unknown is an error on the host good", "own: unknown is an error on the host bad",
	}, found)
}

func resolved(t *testing.T, ids ...string) []*baseline.Baseline {
	set := readyBaselines(t)
	var all []*baseline.Baseline
	for _, id := range ids {
		b, err := set.Resolve(id, nil)
		require.NoError(t, err)
		all = append(all, b)
	}
	return all
}

// problems gives what is wrong with rules on hosts: an error is neither to pass nor to fail, and only what asks the kernel has an excuse.
func (m madeHosts) problems(t *testing.T, all []*baseline.Baseline, hosts map[string]tree) []string {
	var problems []string
	passed, failed := map[*baseline.Rule]bool{}, map[*baseline.Rule]bool{}
	for name, host := range hosts {
		root := host.write(t)
		for _, b := range all {
			report, err := baseline.Scan(t.Context(), b, baseline.Options{Root: root})
			require.NoError(t, err)
			for _, r := range report.Results {
				passed[r.Rule] = passed[r.Rule] || r.Verdict == baseline.Pass
				failed[r.Rule] = failed[r.Rule] || r.Verdict == baseline.Fail
				switch {
				case ofTheKernel(r.Rule.Check) && r.Verdict != baseline.NotApplicable && r.Verdict != baseline.Failure:
					problems = append(problems, fmt.Sprintf("%s: %s knows of a kernel on the host %s, which has none", b.ID, r.Rule.ID, name))
				case !ofTheKernel(r.Rule.Check) && r.Verdict == baseline.Failure:
					problems = append(problems, fmt.Sprintf("%s: %s is an error on the host %s: %s", b.ID, r.Rule.ID, name, r.Reason))
				case name == "good" && r.Verdict == baseline.Fail && !slices.Contains(m.ofOthers, r.Rule.ID):
					problems = append(problems, fmt.Sprintf("%s: %s fails on the good host", b.ID, r.Rule.ID))
				}
			}
		}
	}
	for _, b := range all {
		for _, r := range b.Rules {
			if r.Manual != nil || ofTheKernel(r.Check) {
				continue
			}
			if !passed[r] {
				problems = append(problems, fmt.Sprintf("%s: %s passes nowhere", b.ID, r.ID))
			}
			if !failed[r] {
				problems = append(problems, fmt.Sprintf("%s: %s fails nowhere", b.ID, r.ID))
			}
		}
	}
	return problems
}

// ofOtherHosts are rules about firewalls, of which the good host has none.
var ofOtherHosts = []string{"cis-4.1.1", "cis-4.2.1", "cis-4.2.3"}
