// SPDX-License-Identifier: Apache-2.0

// Package policies is what the operator's command line tells about policies.
package policies

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"text/tabwriter"

	"go.yaml.in/yaml/v3"

	"github.com/vedette-sec/vedette/config"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// Ready is before the file names of the policies that are part of the program.
const Ready = "ready"

// Load reads policies from files and directories, or without any the ones that are part of the program.
func Load(places []string) (*policy.Set, error) {
	if len(places) == 0 {
		return policy.LoadFS(config.Files, config.PoliciesRoot, Ready)
	}
	return policy.Load(places...)
}

// Severity is how bad a finding is.
type Severity string

// The severities of findings.
const (
	Refused Severity = "refused" // the policy is not loaded
	Warning Severity = "warning"
)

// Finding is something wrong at a place in a file.
type Finding struct {
	File     string   `json:"file"`
	Line     int      `json:"line,omitempty"`
	Column   int      `json:"column,omitempty"`
	Severity Severity `json:"severity"`
	Kind     string   `json:"kind,omitempty"` // see policy.Finding; "" for what could not be read
	Policy   string   `json:"policy,omitempty"`
	Rule     string   `json:"rule,omitempty"`
	Message  string   `json:"message"`
}

// CheckReport is what checking policies found, in the order of files and lines.
type CheckReport struct {
	Policies int       `json:"policies"` // those that could be read
	Refused  int       `json:"refused"`  // findings for which a policy is not loaded
	Warnings int       `json:"warnings"`
	Findings []Finding `json:"findings"`
}

// Check tells what is wrong with policies that were read, and what of the others could not be.
func Check(set *policy.Set, err error, host policy.Host) *CheckReport {
	r := &CheckReport{Policies: len(set.Policies), Findings: []Finding{}}
	var errs policy.Errors
	if errors.As(err, &errs) {
		for _, e := range errs {
			r.Findings = append(r.Findings, Finding{File: e.File, Line: e.Line, Column: e.Column, Severity: Refused, Message: e.Msg})
		}
	}
	for _, f := range policy.Check(set, host) {
		severity := Warning
		if f.Refused {
			severity = Refused
		}
		at := f.Position
		r.Findings = append(r.Findings, Finding{at.File, at.Line, at.Column, severity, f.Kind, f.Policy, f.Rule, f.Message})
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	for _, f := range r.Findings {
		if f.Severity == Refused {
			r.Refused++
		} else {
			r.Warnings++
		}
	}
	return r
}

// Failed reports whether something was refused, or when strict whether there is any finding.
func (r *CheckReport) Failed(strict bool) bool { return r.Refused > 0 || strict && r.Warnings > 0 }

// WriteText writes a line for each finding and the sums.
func (r *CheckReport) WriteText(w io.Writer) error {
	var b strings.Builder
	for _, f := range r.Findings {
		e := policy.Error{Position: policy.Position{File: f.File, Line: f.Line, Column: f.Column}}
		e.Msg = fmt.Sprintf("%s: %s", f.Severity, f.Message)
		fmt.Fprintln(&b, e.Error())
	}
	fmt.Fprintf(&b, "%s checked: %d refused, %s\n", count(r.Policies, "policy", "policies"), r.Refused, count(r.Warnings, "warning", "warnings"))
	_, err := io.WriteString(w, b.String())
	return err
}

func count(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}

// Listed is a policy in a list.
type Listed struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Mode        policy.Mode     `json:"mode"`
	Severity    policy.Severity `json:"severity"`
	Techniques  []string        `json:"techniques,omitempty"`
	Rules       []ListedRule    `json:"rules"`
	File        string          `json:"file"`
	Line        int             `json:"line"`
}

// ListedRule is a rule in a list.
type ListedRule struct {
	Name       string      `json:"name"`
	Mode       policy.Mode `json:"mode"`
	Operations string      `json:"operations"`
	Line       int         `json:"line"`
}

// List gives the policies in the order of their names.
func List(set *policy.Set) []Listed {
	all := []Listed{}
	for _, p := range set.Policies {
		one := Listed{p.Name, p.Description, p.Mode, p.Severity, p.Attack, []ListedRule{}, p.Position.File, p.Position.Line}
		for _, r := range p.Rules {
			one.Rules = append(one.Rules, ListedRule{r.Name, p.ModeOf(r), r.Operations().String(), r.Position.Line})
		}
		all = append(all, one)
	}
	return all
}

// WriteList writes a line for each policy.
func WriteList(w io.Writer, list []Listed) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "There are no policies.")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "POLICY\tMODE\tSEVERITY\tRULES\tFILE\tDESCRIPTION")
	for _, p := range list {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s:%d\t%s\n", p.Name, p.mode(), p.Severity, len(p.Rules), p.File, p.Line, p.Description)
	}
	return table.Flush()
}

// mode is the policy's, or says that its rules differ.
func (p Listed) mode() string {
	for _, r := range p.Rules {
		if r.Mode != p.Rules[0].Mode {
			return "mixed"
		}
	}
	if len(p.Rules) > 0 {
		return string(p.Rules[0].Mode)
	}
	return string(p.Mode)
}

// Text gives the file that a ready policy is in.
func Text(name string) ([]byte, error) {
	set, err := Load(nil)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(set.Policies))
	for i, p := range set.Policies {
		if p.Name == name {
			return fs.ReadFile(config.Files, path.Join(config.PoliciesRoot, strings.TrimPrefix(p.Position.File, Ready+"/")))
		}
		names[i] = p.Name
	}
	return nil, fmt.Errorf("there is no ready policy %q, expected one of %s", name, strings.Join(names, ", "))
}

// Documents gives the documents of a file of policies as values that JSON has.
func Documents(text []byte) ([]map[string]any, error) {
	all := []map[string]any{}
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var one map[string]any
		err := decoder.Decode(&one)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
}

// Schema gives the JSON Schema of policies.
func Schema() ([]byte, error) { return config.Files.ReadFile(config.PolicySchema) }
