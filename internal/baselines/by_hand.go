// SPDX-License-Identifier: Apache-2.0

package baselines

import (
	"slices"
	"strings"

	"github.com/vedette-sec/vedette/pkg/baseline"
)

// byHandReasons say why rules that ask tables, about what begins with one of some texts where those are given, have no fix. The first counts.
var byHandReasons = []struct {
	why    string
	tables []string
	about  []string
}{
	{"An option of the kernel or of SELinux alone does not help: files without labels have to be labelled first, or the host does not start.",
		[]string{"boot", "config", "line"}, []string{"selinux", "/etc/selinux/", "/sys/fs/selinux/"}},
	{"Which password opens the menu only a person can choose.", []string{"line"}, []string{"/boot/"}},
	{"What programs choose algorithms by is computed by RHEL's own program from modules of policies, and could not be tried here; a mistake cuts off ssh.",
		[]string{"line"}, []string{"/etc/crypto-policies/"}},
	{"Settings of a desktop are compiled by its own program.", []string{"dconf", "line"}, []string{"/org/gnome/", "/etc/gdm"}},
	{"Which server, address or database is meant only a person knows.", []string{"config", "line"},
		[]string{"/etc/chrony", "/etc/systemd/timesyncd.conf", "/etc/rsyslog", "/etc/aide", "/etc/apt/"}},
	{"It stops the host, or calls for somebody: when, the organisation decides.", []string{"config"}, []string{"/etc/audit/auditd.conf"}},
	{"Whose shell it is decides what may be in its files.", []string{"line"}, []string{"/root/"}},
	{"A file that is to go may be all that keeps somebody out: deleting is for a person.", []string{"file"}, []string{"/etc/cron", "/etc/at"}},
	{"A module among others of a stack is put in its place by the distribution's own program (pam-auth-update, authselect), which knows the jumps; in a wrong place nobody gets in.",
		[]string{"pam", "line"}, []string{"common-", "system-auth", "password-auth", "sshd", "/etc/authselect/"}},
	{"Who may do it only a person knows, and without them nobody gets in.", []string{"pam", "sshd", "sudo"}, nil},
	{"Packages are installed and removed by the package manager.", []string{"package"}, nil},
	{"A file system of its own needs a disk or a part of one.", []string{"mount"}, nil},
	{"Whose account or group it is, and what becomes of its files, only a person knows.", []string{"account", "group", "home", "login"}, nil},
	{"A packet filter that is not this program's own belongs to what manages it; a mistake cuts the host off.", []string{"firewall", "config", "line"},
		[]string{"", "/etc/ufw", "/etc/default/ufw", "/etc/firewalld/", "/etc/nftables"}},
	{"One of several services, or its settings, has to be chosen first.", []string{"unit"}, nil},
	{"A program that listens, or is missing, is configured or installed first.", []string{"socket", "process"}, nil},
	{"Devices and files of programs are not this program's to take away.", []string{"file", "walk", "path"}, nil},
	{"Profiles are tried before they are enforced.", []string{"apparmor"}, nil},
	{"The rules depend on what is installed, or wait for the next start.", []string{"audit"}, nil},
}

// whyByHand gives the first reason that holds for a part of a check, "" for none.
func whyByHand(c *baseline.Check) string {
	for _, reason := range byHandReasons {
		if asks(c, reason.tables, reason.about) {
			return reason.why
		}
	}
	return ""
}

func asks(c *baseline.Check, tables, about []string) bool {
	if c == nil {
		return false
	}
	in := func(part *baseline.Check) bool { return asks(part, tables, about) }
	if c.Leaf == nil {
		return in(c.Not) || slices.ContainsFunc(c.All, in) || slices.ContainsFunc(c.Any, in)
	}
	if !slices.Contains(tables, c.Leaf.Table) {
		return false
	}
	if len(about) == 0 {
		return true
	}
	for _, name := range []string{"files", "keys", "paths", "names", "services"} {
		for _, item := range c.Leaf.Args[name].Items {
			if slices.ContainsFunc(about, func(prefix string) bool { return prefix != "" && strings.HasPrefix(item, prefix) }) {
				return true
			}
		}
	}
	return len(c.Leaf.Args) == 0 && slices.Contains(about, "")
}
