// SPDX-License-Identifier: Apache-2.0

package ruleset

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vedette-sec/vedette/extension/enforcementextension/enforcement"
	"github.com/vedette-sec/vedette/internal/logsource"
	"github.com/vedette-sec/vedette/pkg/sigma"
)

// Degradations tells what in a rule can never match here, and why: a log source without records, fields
// that no event has, selections that no condition names.
func Degradations(r *sigma.Rule) []string {
	binding := logsource.For(r.LogSource)
	if len(binding.Views) == 0 {
		return []string{binding.Reason}
	}
	var reasons []string
	if !binding.OwnEvents() && r.LogSource.Category != "" {
		reasons = append(reasons, fmt.Sprintf("no event of this host has the category %s; the rule sees log records that name it (see docs/rules.md)", r.LogSource.Category))
	}
	if unused := r.Unused(); len(unused) > 0 {
		reasons = append(reasons, "no condition names "+strings.Join(unused, ", "))
	}
	if binding.OwnEvents() {
		reasons = append(reasons, unknownFields(r, binding)...)
	}
	reasons = append(reasons, unknownResponses(&r.Header)...)
	if strings.EqualFold(r.LogSource.Service, logsource.Auditd) && r.LogSource.Category == "" {
		reasons = append(reasons, unseenAudit(r)...)
	}
	return reasons
}

// unknownResponses tells the responses that there are not.
func unknownResponses(h *sigma.Header) []string {
	var reasons []string
	for _, name := range h.Response {
		if !slices.Contains(enforcement.Actions(), enforcement.Action(name)) {
			reasons = append(reasons, fmt.Sprintf("response: found %q, expected one of %v", name, enforcement.Actions()))
		}
	}
	return reasons
}

// unknownFields tells the fields of the vocabulary's events that none of them has.
func unknownFields(r *sigma.Rule, binding logsource.Binding) []string {
	var unknown []string
	for _, field := range r.FieldNames() {
		if _, known := binding.Attributes(field); !known {
			unknown = append(unknown, field)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("no event for %s has %s; an attribute of that name would be taken", r.LogSource, strings.Join(unknown, ", "))}
}

// unseenAudit tells which calls and record types a rule for audit records asks for that no event stands
// for. They are seen only in records that the audit system itself wrote.
func unseenAudit(r *sigma.Rule) []string {
	calls := unseen(r, []string{"SYSCALL", "syscall"}, logsource.AuditCalls())
	types := unseen(r, []string{"type"}, logsource.AuditTypes())
	var reasons []string
	if len(calls) > 0 {
		reasons = append(reasons, "no event stands for the system calls "+strings.Join(calls, ", ")+"; they are seen in records of the audit system only")
	}
	if len(types) > 0 {
		reasons = append(reasons, "no event stands for the record types "+strings.Join(types, ", ")+"; they are seen in records of the audit system only")
	}
	return reasons
}

// unseen gives the plain texts that a rule compares the fields with and that are not known.
func unseen(r *sigma.Rule, fields []string, known map[string]bool) []string {
	var names []string
	for _, s := range r.Selections {
		for _, alternative := range s.Alternatives {
			for _, item := range alternative {
				if len(item.Modifiers) > 0 || !slices.Contains(fields, item.Field) {
					continue
				}
				for _, v := range item.Values {
					if !knownFold(known, v.Text) && !isNumber(v.Text) && !slices.Contains(names, v.Text) {
						names = append(names, v.Text)
					}
				}
			}
		}
	}
	return names
}

func knownFold(known map[string]bool, name string) bool {
	return known[name] || known[strings.ToUpper(name)] || known[strings.ToLower(name)] || strings.ContainsAny(name, "*?")
}

func isNumber(s string) bool { return strings.Trim(s, "0123456789") == "" }
