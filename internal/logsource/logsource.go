// SPDX-License-Identifier: Apache-2.0

// Package logsource says which log records a Sigma log source means here, and what in them a Sigma field
// means.
//
// Records of the event vocabulary are known by their EventName. A rule of a category sees the kinds of
// events that serve it; a rule of the service auditd sees the same events in the words of the Linux audit
// system. Any other record, from whichever receiver, is a log line: its body is what keywords are looked
// for in, its attributes are fields by their own names.
package logsource

import (
	"slices"
	"strings"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/pkg/sigma"
)

// Auditd is the service whose records are made of our events.
const Auditd = "auditd"

// Lines is the view of log lines whose service is not known: all rules for lines look at it. A line of a
// known service is seen by LinesOf that service, and by LinesOf("") for rules that name none.
const Lines = "lines"

// LinesOf names the view of log lines of one service or category.
func LinesOf(name string) string { return Lines + ":" + strings.ToLower(name) }

// Binding is what a log source comes to.
type Binding struct {
	// Views are what the rule looks at: kinds of events, Lines or LinesOf. None where no record can
	// come here; Reason then says why.
	Views  []string
	Reason string
	key    string // what the field table calls it: a category, or a service
}

// For returns what a log source comes to.
func For(s sigma.LogSource) Binding {
	if s.Product != "" && !strings.EqualFold(s.Product, "linux") {
		return Binding{Reason: "its log source is for " + s.Product + ", expected linux"}
	}
	key := strings.ToLower(s.Category)
	if key == "" {
		key = strings.ToLower(s.Service)
	}
	kinds := slices.Clone(event.KindsFor(key))
	switch {
	case s.Category != "" && len(kinds) > 0:
		return Binding{Views: kinds, key: key}
	case s.Category != "":
		return Binding{Views: []string{LinesOf(key)}, key: key}
	case key == Auditd:
		return Binding{Views: append(kinds, Lines, LinesOf(key)), key: key}
	case key != "":
		return Binding{Views: []string{Lines, LinesOf(key)}, key: key}
	default:
		return Binding{Views: []string{Lines, LinesOf("")}}
	}
}

// OwnEvents reports whether the rule sees events of the vocabulary, and not log lines only.
func (b Binding) OwnEvents() bool {
	return slices.ContainsFunc(b.Views, func(view string) bool { return !IsLines(view) })
}

// IsLines reports whether a view is of log lines.
func IsLines(view string) bool { return view == Lines || strings.HasPrefix(view, Lines+":") }

// Attributes returns the attributes that a field means. A field that Sigma does not have means the
// attribute of the same name; known is false where no event carries that.
func (b Binding) Attributes(field string) (names []string, known bool) {
	if b.key == Auditd {
		if names = auditAttributes(field); len(names) > 0 {
			// Records of the audit system itself have the field by its own name.
			return append(names, field), true
		}
	}
	if names = event.SigmaAttributes(b.key, field); len(names) > 0 {
		return names, true
	}
	return []string{field}, event.IsAttribute(field)
}

// ServicesOf returns the services whose rules concern log lines that a program wrote under this name,
// as syslog and the journal have it; none where the name is empty.
func ServicesOf(program string) []string {
	program = strings.ToLower(program)
	if program == "" {
		return nil
	}
	services := []string{program, "syslog"}
	for service, programs := range programsOf {
		if slices.Contains(programs, program) && !slices.Contains(services, service) {
			services = append(services, service)
		}
	}
	slices.Sort(services)
	return services
}

// programsOf are the programs whose log lines belong to a service of another name.
var programsOf = map[string][]string{
	"auth":      {"sshd", "sshd-session", "su", "sudo", "login", "systemd-logind", "polkitd", "pkexec", "passwd", "useradd", "userdel", "usermod", "groupadd", "chpasswd", "gdm-password"},
	"sshd":      {"sshd-session", "sshd-auth"},
	"cron":      {"crond", "anacron", "cronie"},
	"clamav":    {"clamd", "clamscan", "freshclam"},
	"guacamole": {"guacd"},
	"auditd":    {"audispd", "audit"},
}
