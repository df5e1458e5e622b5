// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"errors"
	"strings"

	"github.com/vedette-sec/vedette/internal/hostconf"
)

var sshdTable = &table{
	about: "what is in force for keywords of sshd_config, with includes and defaults: a row for the host and for each Match block that says " +
		"otherwise; times are in seconds; maxstartups has the fields begin, rate and full",
	params: map[string]param{"keys": {list: true, required: true}},
	fields: map[string]kind{"value": kindWord, "words": kindList, "match": kindText, "begin": kindNumber, "rate": kindNumber, "full": kindNumber},
	ifNone: Fail,
	rows: func(h *hostconf.Host, args arguments) ([]row, error) {
		settings, err := h.SSHD()
		if err != nil {
			return nil, err
		}
		var rows []row
		for _, key := range args.list("keys") {
			effective := hostconf.EffectiveSSHD(settings, key)
			for _, s := range effective {
				rows = append(rows, sshdRow(key, s))
			}
			if len(effective) == 0 {
				rows = append(rows, newRow("sshd "+key, hostconf.Place{}).text("match", ""))
			}
		}
		return rows, nil
	},
}

func sshdRow(key string, s hostconf.Setting) row {
	subject := "sshd " + key
	if s.Section != "" {
		subject += " (Match " + s.Section + ")"
	}
	r := newRow(subject, s.Place).text("value", s.Value).text("match", s.Section)
	r = r.list("words", strings.FieldsFunc(s.Value, func(c rune) bool { return c == ',' || c == ' ' }))
	if parts := strings.Split(s.Value, ":"); strings.EqualFold(key, "maxstartups") && len(parts) == 3 {
		r = r.text("begin", parts[0]).text("rate", parts[1]).text("full", parts[2])
	}
	return r
}

var pamTable = &table{
	about:  "modules in the PAM stacks of services, with what they include in its place",
	params: map[string]param{"services": {list: true, required: true}, "module": {}},
	fields: map[string]kind{"service": kindText, "type": kindWord, "control": kindText, "module": kindText, "args": kindList, "options": kindList},
	ifNone: Fail,
	rows: func(h *hostconf.Host, args arguments) ([]row, error) {
		var rows []row
		for _, service := range args.list("services") {
			stack, err := h.PAM(service)
			if err != nil {
				return nil, err
			}
			for _, line := range stack {
				if wanted := args.text("module", line.Module); wanted != line.Module {
					continue
				}
				r := newRow("PAM "+service+" "+line.Type+" "+line.Module, line.Place).text("service", service).text("type", line.Type)
				r = r.text("control", line.Control).text("module", line.Module).list("args", line.Args)
				rows = append(rows, r.list("options", optionNames(line.Args)))
			}
		}
		return rows, nil
	},
}

// optionNames are arguments without their values.
func optionNames(args []string) []string {
	names := make([]string, len(args))
	for i, a := range args {
		names[i], _, _ = strings.Cut(a, "=")
	}
	return names
}

var sudoTable = &table{
	about: "defaults and grants of sudo; kind is default or grant",
	fields: map[string]kind{"kind": kindWord, "name": kindText, "value": kindText, "negated": kindFlag, "who": kindText, "commands": kindText,
		"nopasswd": kindFlag},
	ifNone: Fail,
	rows: func(h *hostconf.Host, _ arguments) ([]row, error) {
		all, err := h.Sudoers()
		if err != nil {
			return nil, err
		}
		var rows []row
		for _, s := range all {
			if s.Default != "" {
				r := newRow("sudo default "+s.Default, s.Place).text("kind", "default").text("name", s.Default).text("value", s.Value)
				rows = append(rows, r.flag("negated", s.Negated).text("who", s.Who))
				continue
			}
			r := newRow("sudo grant to "+s.Who, s.Place).text("kind", "grant").text("who", s.Who).text("commands", s.Commands)
			rows = append(rows, r.flag("nopasswd", s.NoPassword))
		}
		return rows, nil
	},
}

var shellTable = &table{
	about:  "what the profiles of shells assign to a variable, or the calls of umask under that name",
	params: map[string]param{"name": {required: true}},
	fields: map[string]kind{"value": kindText, "bits": kindMode, "readonly": kindFlag},
	ifNone: Fail,
	rows: func(h *hostconf.Host, args arguments) ([]row, error) {
		all, err := h.Shell()
		if err != nil {
			return nil, err
		}
		var rows []row
		for _, a := range all {
			if a.Name == args.text("name", "") {
				r := newRow(a.Name, a.Place).text("value", a.Value).flag("readonly", a.ReadOnly)
				rows = append(rows, r.optional("bits", a.Value, octalForm.MatchString(a.Value)))
			}
		}
		return rows, nil
	},
}

var unitTable = &table{
	about: "units of systemd by their files and by what systemd says of them; where it does not answer active is known of services only, by their " +
		"control groups; each name has a row",
	params: map[string]param{"names": {list: true, required: true, check: unitName}},
	fields: map[string]kind{"exists": kindFlag, "masked": kindFlag, "enabled": kindFlag, "active": kindFlag},
	ifNone: Fail,
	rows: func(h *hostconf.Host, args arguments) ([]row, error) {
		var rows []row
		for _, name := range args.list("names") {
			u, err := h.Unit(name)
			if err != nil {
				return nil, err
			}
			r := newRow(name, u.Place).flag("exists", u.Exists).flag("masked", u.Masked).flag("enabled", u.Enabled)
			if u.ActiveKnown {
				r = r.flag("active", u.Active)
			} else {
				r.unknown["active"] = "systemd does not answer, and without it activity is known of services only"
			}
			rows = append(rows, r)
		}
		return rows, nil
	},
}

func unitName(item string) error {
	if !strings.Contains(item, ".") || strings.Contains(item, "/") {
		return errors.New("expected the name of a unit with its ending, such as ssh.service")
	}
	return nil
}
