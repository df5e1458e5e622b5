// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"fmt"
	"slices"
	"strings"
)

// cryptoPolicy is the name of the policy by which RHEL 8 has programs choose algorithms; what they read is made of it.
const cryptoPolicy = "/etc/crypto-policies/config"

// auditRules are the files of which the kernel's audit rules are made.
const auditRules = "/etc/audit/rules.d"

// activations are how services that run come to read what was changed.
var activations = []struct {
	path    string
	units   []string // one of them must run; none where the command is for all hosts with systemd
	command []string
}{
	{"/etc/ssh/sshd_config", []string{"ssh.service"}, []string{"systemctl", "reload", "ssh.service"}},
	{sshdDropins, []string{"ssh.service"}, []string{"systemctl", "reload", "ssh.service"}},
	{"/etc/ssh/sshd_config", []string{"sshd.service"}, []string{"systemctl", "reload", "sshd.service"}},
	{sshdDropins, []string{"sshd.service"}, []string{"systemctl", "reload", "sshd.service"}},
	{"/etc/systemd/journald.conf", []string{"systemd-journald.service"}, []string{"systemctl", "restart", "systemd-journald.service"}},
	{"/etc/systemd/journald.conf.d", []string{"systemd-journald.service"}, []string{"systemctl", "restart", "systemd-journald.service"}},
	// Where there was no directory for it at the start, the journal goes to the disk only when it is told to.
	{"/etc/systemd/journald.conf", []string{"systemd-journald.service"}, []string{"journalctl", "--flush"}},
	{"/etc/systemd/journald.conf.d", []string{"systemd-journald.service"}, []string{"journalctl", "--flush"}},
	{auditRules, []string{"auditd.service"}, []string{"augenrules", "--load"}},
	{"/etc/rsyslog.conf", []string{"rsyslog.service"}, []string{"systemctl", "restart", "rsyslog.service"}},
	{"/etc/rsyslog.d", []string{"rsyslog.service"}, []string{"systemctl", "restart", "rsyslog.service"}},
	{cryptoPolicy, nil, []string{"update-crypto-policies"}},
	{unitDir, nil, []string{"systemctl", "daemon-reload"}},
	{"/etc/fstab", nil, []string{"systemctl", "daemon-reload"}},
}

// activate has services that run read what was changed. Another root than this host's has none.
func (r *Repairer) activate(changes []Change) error {
	if !r.hasSystemd() {
		return nil
	}
	var done []string
	for _, a := range activations {
		command := strings.Join(a.command, " ")
		if !touches(changes, a.path) || slices.Contains(done, command) {
			continue
		}
		// What is locked is loaded at the next start.
		if a.path == auditRules && r.auditLocked() {
			continue
		}
		runs := len(a.units) == 0
		for _, unit := range a.units {
			state, err := r.unitState(unit)
			if err != nil {
				return err
			}
			runs = runs || state == unitRuns
		}
		if !runs {
			continue
		}
		if _, err := r.run(a.command[0], a.command[1:]...); err != nil {
			return fmt.Errorf("having services read what was changed: %w", err)
		}
		done = append(done, command)
		r.step("activated " + command)
	}
	return nil
}
