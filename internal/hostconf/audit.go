// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"fmt"
	"slices"
	"strconv"
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
				if err := r.numberAccounts(h); err != nil {
					return nil, fmt.Errorf("%s:%d: numbering accounts: %w", file, line.Line, err)
				}
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
		case "-F":
			r.addField(cutField(value))
		case "-C":
			name, operator, other := cutField(value)
			r.addComparison(name, operator, other)
		default:
			continue
		}
		i++
	}
	r.sort()
	return r, ok
}

// sort makes rules that mean the same equal.
func (r *AuditRule) sort() {
	if slices.Contains(r.Syscalls, "all") {
		r.Syscalls = nil
	}
	slices.Sort(r.Syscalls)
	slices.Sort(r.Fields)
	r.Fields = slices.Compact(r.Fields)
}

// sortedList writes "exit,always" and "always,exit" as one.
func sortedList(list string) string {
	parts := strings.Split(list, ",")
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

// auditOperators are what a field can be compared by, those before others that begin like them.
var auditOperators = []string{"!=", ">=", "<=", "&=", "=", ">", "<", "&"}

// cutField cuts a comparison at its operator, which is "" where there is none.
func cutField(text string) (name, operator, value string) {
	at := strings.IndexAny(text, "!=<>&")
	if at < 0 {
		return text, "", ""
	}
	for _, operator := range auditOperators {
		if value, ok := strings.CutPrefix(text[at:], operator); ok {
			return text[:at], operator, value
		}
	}
	return text, "", ""
}

// unset is the number of the login user, and of the session, that nobody has.
const unset = "4294967295"

func (r *AuditRule) addField(name, operator, value string) {
	switch name {
	case "perm":
		r.Perm = value
		return
	case "key":
		return
	case "path", "dir":
		name = "object"
	default:
		value = auditValue(name, value)
	}
	r.Fields = append(r.Fields, name+operator+value)
}

// auditValue writes values that mean the same in one way.
func auditValue(name, value string) string {
	switch {
	case name == "arch":
		return archWidth(value)
	case name == "exit":
		sign, code := "", value
		if rest, negative := strings.CutPrefix(value, "-"); negative {
			sign, code = "-", rest
		}
		if number := errorNumber(code); number > 0 {
			return sign + strconv.Itoa(number)
		}
	case (name == "auid" || name == "sessionid") && (value == "-1" || value == unset):
		return "unset"
	}
	if number, err := strconv.ParseInt(value, 0, 64); err == nil {
		return strconv.FormatInt(number, 10)
	}
	return value
}

// addComparison adds a comparison of two fields, in the order of their names.
func (r *AuditRule) addComparison(name, operator, other string) {
	if other < name {
		name, other = other, name
	}
	r.Fields = append(r.Fields, name+operator+other)
}

// accountFields are about accounts, whom rules in files may name.
var accountFields = map[string]bool{"auid": true, "uid": true, "euid": true, "suid": true, "fsuid": true, "obj_uid": true}

// groupFields are about groups.
var groupFields = map[string]bool{"gid": true, "egid": true, "sgid": true, "fsgid": true, "obj_gid": true}

// numberAccounts puts numbers in the place of names, as the kernel has them. Accounts are read only for rules that name some.
func (r *AuditRule) numberAccounts(h *Host) error {
	for i, field := range r.Fields {
		name, operator, value := cutField(field)
		if !accountFields[name] && !groupFields[name] || !isName(value) {
			continue
		}
		id, known, err := h.numberOf(value, groupFields[name])
		if err != nil {
			return err
		}
		if known {
			r.Fields[i] = name + operator + strconv.FormatInt(id, 10)
		}
	}
	slices.Sort(r.Fields)
	return nil
}

// isName reports whether a field's value is no number and no other field.
func isName(value string) bool {
	_, err := strconv.ParseInt(value, 10, 64)
	return err != nil && value != "unset" && !accountFields[value] && !groupFields[value]
}

// numberOf gives the number of an account or group.
func (h *Host) numberOf(name string, isGroup bool) (id int64, known bool, err error) {
	if isGroup {
		groups, err := h.groups()
		i := slices.IndexFunc(groups, func(g Group) bool { return g.Name == name })
		if i >= 0 {
			return groups[i].GID, true, nil
		}
		return 0, err != nil && name == Root, unlessRoot(name, err)
	}
	users, err := h.users()
	i := slices.IndexFunc(users, func(a Account) bool { return a.Name == name })
	if i >= 0 {
		return users[i].UID, true, nil
	}
	return 0, err != nil && name == Root, unlessRoot(name, err)
}

func unlessRoot(name string, err error) error {
	if name == Root {
		return nil
	}
	return err
}

// String gives the rule in the form in which rules are compared.
func (r AuditRule) String() string {
	text := "-a " + r.When
	if len(r.Syscalls) > 0 {
		text += " -S " + strings.Join(r.Syscalls, ",")
	}
	for _, field := range r.Fields {
		text += " -F " + field
	}
	if r.Perm != "" {
		text += " -F perm=" + r.Perm
	}
	return text
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
		everything := len(r.Syscalls) == 0
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
