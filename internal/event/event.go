// SPDX-License-Identifier: Apache-2.0

// Package event is the event vocabulary: the kinds of events, their attributes, and what each is
// called in ECS and in Sigma. The constants and tables in zz_generated.go come from fields.yaml.
package event

import "slices"

//go:generate go run ./gen -root ../..

// Type is the type of an attribute's value.
type Type uint8

// The types of attributes and what holds them in an OTel attribute value.
const (
	String  Type = iota + 1 // Str
	Int                     // Int
	Bool                    // Bool
	Time                    // Str, RFC 3339 with nanoseconds
	Strings                 // Slice of Str
	Ints                    // Slice of Int
	Map                     // Map
)

// Kind describes one kind of event.
type Kind struct {
	Name       string   // the OTel EventName, such as process.exec
	Class      string   // process, file, network, kernel, alert, enforcement or baseline; names the data stream
	Meaning    string   // one sentence
	ECS        ECSEvent // how ECS classifies it
	Sigma      []string // Sigma logsource categories it serves; none for what is told about Vedette's own judgements
	Attributes []string // attributes of the record, in the order of the vocabulary
}

// ECSEvent holds the event.* fields of ECS that follow from the kind alone.
type ECSEvent struct {
	Category []string
	Type     []string
	Action   string
}

// ECSField is the place of one attribute in an ECS document.
type ECSField struct {
	Path      string // dotted, such as process.parent.pid
	Attribute string // of the log record or its resource
	Type      Type
}

// Sensed reports whether the kind is of what the sensor sees, and not of what Vedette judges or does.
func (k Kind) Sensed() bool {
	return !slices.Contains([]string{"alert", "enforcement", "baseline"}, k.Class)
}

// anyCategory stands, in the Sigma table, for every logsource category.
const anyCategory = "*"

// sigmaAttribute is one attribute that serves a Sigma field in some categories.
type sigmaAttribute struct {
	attribute  string
	categories []string
}

// Kinds returns every kind, in the order of the vocabulary. The caller must not change it.
func Kinds() []Kind {
	return kinds
}

// KindByName returns the kind with that EventName.
func KindByName(name string) (Kind, bool) {
	i, ok := kindIndex[name]
	if !ok {
		return Kind{}, false
	}
	return kinds[i], true
}

// KindsFor returns the names of the kinds that serve a Sigma logsource category; none when
// the category is unknown.
func KindsFor(category string) []string {
	var names []string
	for i := range kinds {
		if slices.Contains(kinds[i].Sigma, category) {
			names = append(names, kinds[i].Name)
		}
	}
	return names
}

// IsAttribute reports whether some kind of event carries the attribute.
func IsAttribute(name string) bool {
	return slices.ContainsFunc(kinds, func(k Kind) bool { return slices.Contains(k.Attributes, name) })
}

// TypeOf returns the type of an attribute's value; known is false for an attribute that is not in the vocabulary.
func TypeOf(attribute string) (t Type, known bool) {
	t, known = types[attribute]
	return t, known
}

// ResourceAttributes returns the attributes that are on the resource of events. The caller must not change it.
func ResourceAttributes() []string {
	return resourceAttributes
}

// SigmaCategories returns the Sigma logsource categories that a kind serves; none when the
// kind is unknown. The caller must not change it.
func SigmaCategories(kind string) []string {
	k, _ := KindByName(kind)
	return k.Sigma
}

// SigmaAttributes returns the attributes that a Sigma field means in a logsource category, in the
// order of the vocabulary; none when it means nothing there. A match on any of them is a match.
func SigmaAttributes(category, sigmaField string) []string {
	var names []string
	for _, a := range sigmaFields[sigmaField] {
		if slices.Contains(a.categories, anyCategory) || slices.Contains(a.categories, category) {
			names = append(names, a.attribute)
		}
	}
	return names
}

// ECSPlan returns every attribute that has an ECS field, ordered by the segments of the path, so
// that the fields of one JSON object are neighbours. The caller must not change it.
func ECSPlan() []ECSField {
	return ecsPlan
}
