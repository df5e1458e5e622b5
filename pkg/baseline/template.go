// SPDX-License-Identifier: Apache-2.0

package baseline

import "time"

// Text is what people read, in English and in Chinese.
type Text struct {
	EN string `json:"en"`
	ZH string `json:"zh,omitempty"`
}

// In gives the text in a language, "en" or "zh", and English where there is no other.
func (t Text) In(language string) string {
	if language == "zh" && t.ZH != "" {
		return t.ZH
	}
	return t.EN
}

// Severity is how bad it is when a rule fails.
type Severity string

// The severities of rules.
const (
	Low      Severity = "low"
	Medium   Severity = "medium"
	High     Severity = "high"
	Critical Severity = "critical"
)

var severities = []Severity{Low, Medium, High, Critical}

// Template is a set of rules as a file has it.
type Template struct {
	ID       string
	Title    Text
	Extends  string // id of the template whose rules and values it begins with, "" for none
	Profiles []*Profile
	Values   []*Value
	Set      []*Setting  // other defaults for inherited values
	Override []*Override // changes to inherited rules
	Disable  []*Disabled // inherited rules that are left out
	Rules    []*Rule
	Position

	extendsAt Position
}

// Profile is a selection of a template's rules.
type Profile struct {
	ID    string
	Title Text
	Position
}

// ValueType is what a value holds.
type ValueType string

// The types of values.
const (
	IntValue  ValueType = "int"
	TextValue ValueType = "text"
	ListValue ValueType = "list"
	ModeValue ValueType = "mode"
)

var valueTypes = []ValueType{IntValue, TextValue, ListValue, ModeValue}

// Value is a named parameter of rules.
type Value struct {
	Name     string
	Type     ValueType
	Default  Operand
	Min, Max *int64 // floor and ceiling of an int; nil for none
	Title    Text
	Position
}

// Setting gives a value another default.
type Setting struct {
	Name string
	To   Operand
	Position
}

// Override changes an inherited rule. What is zero stays as it was.
type Override struct {
	Rule     string
	Severity Severity
	Profiles []string
	Maps     map[string][]string // clauses by standard; those of other standards stay
	Position
}

// Disabled says why an inherited rule is left out.
type Disabled struct {
	Rule, Reason string
	Position
}

// Rule is one control.
type Rule struct {
	ID        string
	Title     Text
	Rationale Text
	Severity  Severity
	Profiles  []string            // in which it is; none for all
	Maps      map[string][]string // clauses by standard
	Applies   *Applies            // nil for every host
	Check     *Check              // nil for a rule that only a person can judge
	Manual    *Text               // what a person has to judge; the check is then evidence only
	Fix       []*Step             // what makes the check pass; none where only a person can
	Undo      Undo                // how exactly the fix can be taken back; "" without one
	Position
}

// Applies says on which hosts a rule is about anything. All parts that are given must hold.
type Applies struct {
	OS        []string // ids of os-release, ID or ID_LIKE
	Version   []string // beginnings of VERSION_ID at a border of numbers
	Container *bool
	Role      []string // what the host is for, of which it has one; see Baseline.Roles
	Check     *Check
	Position
}

// Check is a tree: exactly one of its parts is set.
type Check struct {
	All, Any []*Check
	Not      *Check
	Leaf     *Leaf
	Position
}

// Leaf asks a table of facts about the host and judges the rows it gives.
type Leaf struct {
	Table  string
	Args   map[string]Operand
	Where  []FieldCondition // rows for which one does not hold are left out
	Expect []FieldCondition
	Count  *Condition // how many rows there are
	Some   bool       // one row for which Expect holds is enough
	IfNone Verdict    // where there is no row
	Position
}

// FieldCondition is a condition on a field of a row.
type FieldCondition struct {
	Field string
	Condition
}

// Operand is a scalar or a list in a file, or the name of a value that stands for one.
type Operand struct {
	Items  []string
	IsList bool
	Ref    string // name of a value; "" for none
	Position
}

// Waiver accepts that a rule fails, until a day.
type Waiver struct {
	Rule     string    `json:"rule"`
	Template string    `json:"template,omitempty"` // "" for every template
	Owner    string    `json:"owner"`
	Approver string    `json:"approver"`
	Reason   string    `json:"reason"`
	Expires  time.Time `json:"expires"` // the first moment at which it no longer holds
	Position `json:"-"`
}
