// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"fmt"
	"slices"
	"strings"
)

// AuditRule is a rule of the audit system as auditctl takes it, in a form in which rules that mean the same are equal.
type AuditRule struct {
	When     string   // list and action, such as always,exit
	Syscalls []string // in order; none for all
	Fields   []string // in order, without the permissions and the key
	Perm     string   // letters of a watch or of -F perm
	Place    Place
}

// auditFiles are where rules are kept: what augenrules gathers, and what it writes.
var auditFiles = []string{"/etc/audit/rules.d/*.rules", "/etc/audit/audit.rules"}

// AuditRules gives the rules that files have.
func (h *Host) AuditRules() ([]AuditRule, error) {
	files, err := h.Files(auditFiles)
	if err != nil {
		return nil, fmt.Errorf("finding audit rules: %w", err)
	}
	var all []AuditRule
	for _, file := range files {
		lines, err := h.Lines(file)
		if err != nil {
			return nil, fmt.Errorf("reading audit rules: %w", err)
		}
		for _, line := range content(lines, "#") {
			if r, ok := ParseAuditRule(line.Text); ok {
				r.Place = line.Place
				all = append(all, r)
			}
		}
	}
	return all, nil
}

// ParseAuditRule reads a line of auditctl; ok is false for one that is no rule.
func ParseAuditRule(text string) (r AuditRule, ok bool) {
	args := strings.Fields(text)
	for i := 0; i+1 < len(args); i++ {
		value := strings.Trim(args[i+1], `"'`)
		switch args[i] {
		case "-w":
			r.When, r.Fields, ok = "always,exit", append(r.Fields, "object="+value), true
			if r.Perm == "" {
				r.Perm = "rwxa"
			}
		case "-a", "-A":
			r.When, ok = sortedList(value), true
		case "-S":
			r.Syscalls = append(r.Syscalls, strings.Split(value, ",")...)
		case "-p":
			r.Perm = value
		case "-F", "-C":
			r.addField(value)
		default:
			continue
		}
		i++
	}
	slices.Sort(r.Syscalls)
	slices.Sort(r.Fields)
	r.Fields = slices.Compact(r.Fields)
	return r, ok
}

// sortedList writes "exit,always" and "always,exit" as one.
func sortedList(list string) string {
	parts := strings.Split(list, ",")
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

// unsetLogin are the ways to write the login user that nobody has.
var unsetLogin = strings.NewReplacer("4294967295", "unset", "=-1", "=unset")

func (r *AuditRule) addField(field string) {
	switch {
	case strings.HasPrefix(field, "perm="):
		r.Perm = field[len("perm="):]
	case strings.HasPrefix(field, "key="):
	case strings.HasPrefix(field, "path="), strings.HasPrefix(field, "dir="):
		_, path, _ := strings.Cut(field, "=")
		r.Fields = append(r.Fields, "object="+path)
	default:
		r.Fields = append(r.Fields, unsetLogin.Replace(field))
	}
}

// AuditCovered gives the place of a rule that does what is wanted: with the same fields, and for all the wanted system calls,
// which several rules may share, and permissions.
func AuditCovered(all []AuditRule, wanted AuditRule) (Place, bool) {
	missing := slices.Clone(wanted.Syscalls)
	any := len(missing) == 0
	var at Place
	for _, r := range all {
		if r.When != wanted.When || !slices.Equal(r.Fields, wanted.Fields) || strings.Trim(wanted.Perm, r.Perm) != "" {
			continue
		}
		at = r.Place
		everything := len(r.Syscalls) == 0 || slices.Contains(r.Syscalls, "all")
		if any && everything {
			return at, true
		}
		missing = slices.DeleteFunc(missing, func(s string) bool { return everything || slices.Contains(r.Syscalls, s) })
		if !any && len(missing) == 0 {
			return at, true
		}
	}
	return at, false
}
