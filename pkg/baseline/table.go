// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"slices"
	"strconv"

	"github.com/vedette-sec/vedette/internal/hostconf"
)

// table is a primitive: facts about a host, as rows whose fields have types.
type table struct {
	about  string // one line for the schema and the documentation
	params map[string]param
	fields map[string]kind
	ifNone Verdict // where there is no row
	rows   func(h *hostconf.Host, args arguments) ([]row, error)
}

// param is what a table can be asked for.
type param struct {
	list     bool // it may be a list
	required bool
	check    func(item string) error // nil for any text
}

// arguments are the parameters of a leaf by name.
type arguments map[string]Operand

func (a arguments) list(name string) []string { return a[name].Items }

// text gives a parameter that is no list, and otherwise where it is not given.
func (a arguments) text(name, otherwise string) string {
	if o, ok := a[name]; ok && len(o.Items) > 0 {
		return o.Items[0]
	}
	return otherwise
}

// row is a fact with its place.
type row struct {
	subject string
	at      hostconf.Place
	values  map[string]datum
	unknown map[string]string // fields of which nobody knows what they are, and why
}

// itself among the unknown is a row of which nobody knows whether it is one.
const itself = ""

func newRow(subject string, at hostconf.Place) row {
	return row{subject, at, map[string]datum{}, map[string]string{}}
}

func (r row) text(field, value string) row {
	r.values[field] = datum{text: value}
	return r
}

func (r row) number(field string, value int64) row {
	return r.text(field, strconv.FormatInt(value, 10))
}

func (r row) flag(field string, value bool) row { return r.text(field, strconv.FormatBool(value)) }

func (r row) mode(field string, bits uint32) row {
	return r.text(field, "0"+strconv.FormatUint(uint64(bits), 8))
}

func (r row) list(field string, items []string) row {
	r.values[field] = datum{list: append([]string{}, items...)}
	return r
}

// optional sets a text that may be absent.
func (r row) optional(field, value string, present bool) row {
	if present {
		return r.text(field, value)
	}
	return r
}

// named sets the name for the number of an owner; where it cannot be known, the number with the reason.
func (r row) named(field string, id int64, name func(id int64) (string, error)) row {
	text, err := name(id)
	if err != nil {
		r.unknown[field] = err.Error()
	}
	return r.text(field, text)
}

// undecided says why a condition on a field cannot be judged, "" where it can. Whether a field is set can be asked all the same, and an
// owner's number decides about root's name and about numbers.
func (r row) undecided(c FieldCondition) string {
	why := r.unknown[c.Field]
	if why == "" || !slices.ContainsFunc(c.Condition, func(t Test) bool { return t.Operator != "set" }) {
		return ""
	}
	if _, numbered := r.values[c.Field]; numbered && c.Condition.isByNumber() {
		return ""
	}
	return r.subject + ": " + c.Field + ": " + why
}

// judged says whether a row is as conditions want it. Where that cannot be known it is an error, for the reason.
func (r row) judged(t *table, conditions []FieldCondition) (v Verdict, why string) {
	v = Pass
	for _, c := range conditions {
		if reason := r.undecided(c); reason != "" {
			v, why = Failure, reason
			continue
		}
		have, present := r.values[c.Field]
		if !c.holds(t.fields[c.Field], have, present) {
			return Fail, ""
		}
	}
	return v, why
}

// tables are all primitives by name.
var tables = map[string]*table{
	"account":  accountTable,
	"apparmor": apparmorTable,
	"audit":    auditTable,
	"boot":     bootTable,
	"command":  commandTable,
	"config":   configTable,
	"dconf":    dconfTable,
	"file":     fileTable,
	"firewall": firewallTable,
	"firmware": firmwareTable,
	"group":    groupTable,
	"home":     homeTable,
	"kmod":     kmodTable,
	"line":     lineTable,
	"login":    loginTable,
	"mount":    mountTable,
	"package":  packageTable,
	"pam":      pamTable,
	"path":     pathTable,
	"process":  processTable,
	"shell":    shellTable,
	"socket":   socketTable,
	"sshd":     sshdTable,
	"sudo":     sudoTable,
	"sysctl":   sysctlTable,
	"unit":     unitTable,
	"walk":     walkTable,
}
