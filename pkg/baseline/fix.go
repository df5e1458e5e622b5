// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vedette-sec/vedette/internal/hostconf"
)

// Undo says how exactly a fix can be taken back.
type Undo string

// The classes of undoing.
const (
	UndoExact        Undo = "R0" // the host is as before
	UndoReload       Undo = "R1" // after a service was reloaded or the host started again
	UndoBestEffort   Undo = "R2" // not in all that follows from it; done only where the rule is named
	UndoIrreversible Undo = "R3" // never done by a program
)

var undoClasses = []Undo{UndoExact, UndoReload, UndoBestEffort, UndoIrreversible}

// Step is one part of a fix.
type Step struct {
	Kind  string
	Args  map[string]Operand
	Where []FieldCondition // of the kinds account and walk: which rows of these tables
	Keep  Condition        // what is there already stays where this holds; empty for what is wanted alone
	Position
}

// List gives a parameter's elements, none where it is not given.
func (s *Step) List(name string) []string { return s.Args[name].Items }

// Text gives a parameter that is no list, and otherwise where it is not given.
func (s *Step) Text(name, otherwise string) string { return arguments(s.Args).text(name, otherwise) }

// Has reports whether a parameter is given.
func (s *Step) Has(name string) bool {
	_, ok := s.Args[name]
	return ok
}

// Keeps reports whether what is set already can stay, although it is not what the step would set.
func (s *Step) Keeps(value string, present bool) bool {
	return len(s.Keep) > 0 && s.Keep.holds(kindText, datum{text: value}, present)
}

// Accounts gives the names of a host's accounts that a step is about.
func (s *Step) Accounts(root string) ([]string, error) {
	rows, err := accountTable.rows(hostconf.New(root), nil)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range rows {
		if v, _ := r.judged(accountTable, s.Where); v == Pass {
			names = append(names, r.values["name"].text)
		}
	}
	return names, nil
}

// Walked gives the paths that the walk of a host finds and a step is about.
func (s *Step) Walked(root string) ([]string, error) {
	return s.paths(walkTable, hostconf.New(root), nil, s.Where)
}

// HomeFiles gives the files in homes that a step is about.
func (s *Step) HomeFiles(root string) ([]string, error) {
	isFile := Condition{{Operator: "equals", Operand: Operand{Items: []string{"file"}}}}
	return s.paths(homeTable, hostconf.New(root), s.Args, []FieldCondition{{Field: "type", Condition: isFile}})
}

// paths gives those of a table's rows that conditions choose.
func (s *Step) paths(t *table, h *hostconf.Host, args arguments, where []FieldCondition) ([]string, error) {
	rows, err := t.rows(h, args)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, r := range rows {
		if v, _ := r.judged(t, where); v == Pass {
			all = append(all, r.at.File)
		}
	}
	return all, nil
}

// Judge gives what becomes of one rule on a host, with no regard to waivers.
func (b *Baseline) Judge(ctx context.Context, rule, root string) (*Result, error) {
	return b.judge(ctx, rule, Options{Root: root})
}

// JudgeNextStart is Judge without the audit rules that the kernel has, as those of files are in force when the host starts again.
func (b *Baseline) JudgeNextStart(ctx context.Context, rule, root string) (*Result, error) {
	return b.judge(ctx, rule, Options{Root: root, nextStart: true})
}

func (b *Baseline) judge(ctx context.Context, rule string, o Options) (*Result, error) {
	o.Rules = []string{rule}
	report, err := Scan(ctx, b, o)
	if err != nil {
		return nil, err
	}
	return report.Results[0], nil
}

// stepKind is a primitive of repair.
type stepKind struct {
	about  string
	params map[string]param
	any    []string // of which one at least must be given
	where  *table   // of which it chooses rows
	keep   bool     // it sets values, of which there may be one that is good enough
}

// StepKinds gives the names of the primitives.
func StepKinds() []string { return sortedKeys(stepKinds) }

var stepKinds = map[string]*stepKind{
	"account": {
		about: "the ageing of passwords, the shell and the lock of accounts; days are kept where keep holds",
		params: map[string]param{
			"field": {check: among("min_days", "max_days", "warn_days", "inactive_days")}, "days": {check: wholeNumber},
			"lock": {check: among("true")}, "shell": {check: plainPath},
		},
		any: []string{"field", "lock", "shell"}, where: accountTable, keep: true,
	},
	"audit": {
		about:  "rules of the audit system in a file of their own",
		params: map[string]param{"rules": {list: true, required: true, check: auditRule}},
	},
	"boot": {
		about:  "parameters of the kernel in what GRUB's later menus are made of, and in the menu or the entries that it has; they hold after the next start",
		params: map[string]param{"parameters": {list: true, required: true, check: bootParameter}},
	},
	"config": {
		about: "a key of a file of settings, which is made where it is not there; style says how lines are written: equals (the default), spaced " +
			"for an equals sign with blanks, blank, or bare for a key alone",
		params: map[string]param{
			"file": {required: true, check: plainPath}, "key": {required: true, check: oneWord}, "value": {check: oneLine}, "section": {check: oneLine},
			"style": {check: among("equals", "spaced", "blank", "bare")}, "mode": {check: octalDigits},
		},
		keep: true,
	},
	"file": {
		about: "attributes of files and directories: bits that are too many are taken away, owners that are not among the named ones become the " +
			"first; create makes an empty file where there is none",
		params: map[string]param{
			"paths": {list: true, required: true, check: absolute}, "at_most": {check: octalDigits}, "bits": {check: octalDigits},
			"owner": {list: true, check: oneWord}, "group": {list: true, check: oneWord}, "create": {check: among("true")},
		},
		any: []string{"at_most", "bits", "owner", "group", "create"},
	},
	"firewall": {
		about: "a table of nftables of its own with base chains, in a file of its own and in force; where the policy is drop it lets in what listens now, " +
			"answers, ICMP and loopback, and lets everything out",
		params: map[string]param{
			"chains": {list: true, required: true, check: among("input", "forward", "output")}, "policy": {check: among("accept", "drop")},
		},
	},
	"home": {
		about:  "modes of files in the homes of accounts that can log in: bits that are too many are taken away",
		params: map[string]param{"names": {list: true, required: true, check: relative}, "at_most": {required: true, check: octalDigits}},
	},
	"kmod": {
		about:  "kernel modules that are not to be loaded, in a file of their own for modprobe",
		params: map[string]param{"names": {list: true, required: true, check: oneWord}},
	},
	"line": {
		about: "lines of files: those that match remove go, and those of add come where they are missing; a file is made only for add",
		params: map[string]param{
			"files": {list: true, required: true, check: absolute}, "add": {list: true, check: oneLine}, "remove": {check: regular}, "mode": {check: octalDigits},
		},
		any: []string{"add", "remove"},
	},
	"mount": {
		about:  "options of a file system in fstab and, where it is mounted, in force",
		params: map[string]param{"path": {required: true, check: plainPath}, "options": {list: true, required: true, check: oneWord}},
	},
	"pam": {
		about: "options of a module in PAM's files, or with control the line itself, which then comes before all others of its type",
		params: map[string]param{
			"files": {list: true, required: true, check: plainPath}, "type": {required: true, check: among("auth", "account", "password", "session")},
			"module": {required: true, check: oneWord}, "add": {list: true, check: oneWord}, "remove": {list: true, check: oneWord},
			"control": {check: among("required", "requisite")},
		},
		any: []string{"add", "remove", "control"},
	},
	"shell": {
		about:  "a variable, or umask, that shells set when somebody logs in, in a file of its own",
		params: map[string]param{"name": {required: true, check: oneWord}, "value": {required: true, check: oneWord}, "readonly": {check: among("true")}},
	},
	"sshd": {
		about: "a keyword of sshd_config in a file of its own, where the main file includes one, and before all others else; remove takes " +
			"algorithms from the default ones",
		params: map[string]param{"key": {required: true, check: oneWord}, "value": {check: oneLine}, "remove": {list: true, check: oneWord}},
		any:    []string{"value", "remove"}, keep: true,
	},
	"sudoers": {
		about:  "defaults of sudo in a file of their own",
		params: map[string]param{"defaults": {list: true, required: true, check: oneLine}},
	},
	"sysctl": {
		about:  "settings of the kernel, running and in a file of their own",
		params: map[string]param{"keys": {list: true, required: true, check: sysctlKey}, "value": {required: true, check: oneLine}},
	},
	"unit": {
		about: "units of systemd: masked, disabled, or enabled by what their files ask for; a service that is masked or disabled is stopped, one that " +
			"is enabled is started",
		params: map[string]param{"names": {list: true, required: true, check: unitName}, "state": {required: true, check: among("masked", "disabled", "enabled")}},
	},
	"walk": {
		about: "attributes of what the walk finds: bits that are too many are taken away, others added, owners that are not among the named ones become the first",
		params: map[string]param{
			"at_most": {check: octalDigits}, "bits": {check: octalDigits}, "owner": {list: true, check: oneWord}, "group": {list: true, check: oneWord},
		},
		any: []string{"at_most", "bits", "owner", "group"}, where: walkTable,
	},
}

func among(words ...string) func(string) error {
	return func(item string) error {
		if slices.Contains(words, item) {
			return nil
		}
		return errors.New("expected " + strings.Join(words, " or "))
	}
}

func wholeNumber(item string) error {
	if _, err := strconv.ParseUint(item, 10, 31); err != nil {
		return errors.New("expected a whole number that is not negative")
	}
	return nil
}

func octalDigits(item string) error {
	if !octalForm.MatchString(item) {
		return errors.New("expected octal digits such as 0640")
	}
	return nil
}

// plainPath takes one path that is written as it is.
func plainPath(item string) error {
	if !filepath.IsAbs(item) || filepath.Clean(item) != item || isPattern(item) {
		return errors.New("expected one absolute path without patterns and ways up")
	}
	return oneLine(item)
}

// oneLine takes what cannot add other lines to a file.
func oneLine(item string) error {
	if strings.ContainsFunc(item, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return errors.New("expected one line without control characters")
	}
	return nil
}

func oneWord(item string) error {
	if item == "" || strings.ContainsFunc(item, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return errors.New("expected a word without white space")
	}
	return nil
}

func sysctlKey(item string) error {
	if strings.Contains(item, "..") || strings.Trim(item, ".") != item || strings.Contains(item, "*") {
		return errors.New("expected the name of one setting such as kernel.dmesg_restrict")
	}
	return oneWord(item)
}

var bootForm = regexp.MustCompile(`^[A-Za-z0-9_.,:/=-]+$`)

// bootParameter takes what a shell and GRUB read as it is.
func bootParameter(item string) error {
	if !bootForm.MatchString(item) {
		return errors.New("expected a parameter of the kernel such as audit=1")
	}
	return nil
}

// problem says what parameters of a step do not fit together, "" where they do.
func (k *stepKind) problem(s *Step) string {
	if len(k.any) > 0 && !slices.ContainsFunc(k.any, s.Has) {
		return fmt.Sprintf("found none of the keys %s, expected at least one", strings.Join(k.any, ", "))
	}
	if s.Has("field") != s.Has("days") {
		return "found one of the keys field and days, expected both"
	}
	return ""
}
