// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"errors"
	"strings"

	"github.com/vedette-sec/vedette/internal/hostconf"
)

var auditTable = &table{
	about: "rules of the audit system, as auditctl takes them: whether what is wanted is done by the rules in files (from: files) and by those that the " +
		"kernel has (from: kernel), of which nothing is known in a container or another root directory; keys have no meaning. {} in a rule stands for " +
		"each file that the walk finds and that runs with its owner's or group's rights. Without rules: those of the kernel that files lack, and the other way",
	params: map[string]param{"rules": {list: true, check: auditRule}},
	fields: map[string]kind{"present": kindFlag, "from": kindWord},
	ifNone: Fail,
	rows: func(h *hostconf.Host, args arguments) ([]row, error) {
		inFiles, err := h.AuditRules()
		if err != nil {
			return nil, err
		}
		if len(args.list("rules")) == 0 {
			return auditDifference(h, inFiles)
		}
		rules, err := forEachSetuid(h, args.list("rules"))
		if err != nil {
			return nil, err
		}
		rows := auditRows("files", inFiles, rules)
		loaded, err := h.LoadedAuditRules()
		if errors.Is(err, hostconf.ErrOtherRoot) || errors.Is(err, hostconf.ErrContained) {
			return rows, nil
		}
		return append(rows, auditRows("kernel", loaded, rules)...), err
	},
}

func auditRows(from string, all []hostconf.AuditRule, rules []string) []row {
	rows := make([]row, len(rules))
	for i, text := range rules {
		wanted, _ := hostconf.ParseAuditRule(text)
		rows[i] = auditRow(from, text, all, wanted)
	}
	return rows
}

func auditRow(from, text string, all []hostconf.AuditRule, wanted hostconf.AuditRule) row {
	at, covered := hostconf.AuditCovered(all, wanted)
	return newRow(text+" ("+from+")", at).flag("present", covered).text("from", from)
}

// auditDifference looks for each rule of the files in the kernel, and for each of the kernel in the files.
func auditDifference(h *hostconf.Host, inFiles []hostconf.AuditRule) ([]row, error) {
	loaded, err := h.LoadedAuditRules()
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, r := range inFiles {
		missing := auditRow("kernel", r.String(), loaded, r)
		missing.at = r.Place
		rows = append(rows, missing)
	}
	for _, r := range loaded {
		rows = append(rows, auditRow("files", r.String(), inFiles, r))
	}
	return rows, nil
}

// everySetuid stands in a rule for a file that runs with the rights of its owner or group.
const everySetuid = "{}"

func forEachSetuid(h *hostconf.Host, rules []string) ([]string, error) {
	var all []string
	for _, rule := range rules {
		if !strings.Contains(rule, everySetuid) {
			all = append(all, rule)
			continue
		}
		found, err := h.Walk()
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			if f.SetUID || f.SetGID {
				all = append(all, strings.ReplaceAll(rule, everySetuid, f.Path))
			}
		}
	}
	return all, nil
}

func auditRule(item string) error {
	if _, ok := hostconf.ParseAuditRule(item); !ok {
		return errors.New("expected a rule for auditctl that begins with -w or -a")
	}
	return nil
}
