// SPDX-License-Identifier: Apache-2.0

// Package attack names the MITRE ATT&CK techniques and tactics that concern Linux, as of
// ATT&CK v19, and reads them from the tags of Sigma rules.
//
// © The MITRE Corporation; reproduced with its permission under the ATT&CK terms of use.
package attack

import (
	"regexp"
	"slices"
	"strings"
)

// Framework is the name that documents give to the source of the ids.
const Framework = "MITRE ATT&CK"

// Tactic is the aim that a technique serves.
type Tactic struct {
	ID   string // such as TA0002
	Name string // such as Execution
}

// Technique is a technique or a sub-technique. The name of a sub-technique stands alone,
// without its technique's.
type Technique struct {
	ID      string // such as T1059 or T1059.004
	Name    string
	Tactics []Tactic
}

// Tags is what the attack.* tags of a rule say. The slices hold no id twice and keep the order of the tags.
type Tags struct {
	Techniques    []Technique // without sub-techniques; the technique of each sub-technique is among them
	Subtechniques []Technique
	Tactics       []Tactic
}

var techniqueID = regexp.MustCompile(`^T\d{4}(\.\d{3})?$`)

// Lookup returns the technique or sub-technique with this id, in either letter case. An id
// that ATT&CK v19 revoked gives the one that replaced it. The tactics of the result are the
// caller's to change.
func Lookup(id string) (Technique, bool) {
	row, ok := techniques[resolve(id)]
	if !ok {
		return Technique{}, false
	}
	t := Technique{ID: resolve(id), Name: row.name, Tactics: make([]Tactic, 0, len(row.tactics))}
	for _, slug := range row.tactics {
		t.Tactics = append(t.Tactics, tactics[slug])
	}
	return t, true
}

// FromTags reads the tags of a Sigma rule: attack.t1059.004, attack.execution, attack.ta0002.
// Other tags are passed over. A technique that the table does not know (one for another
// platform) keeps its id, which then serves as its name too. Tactics are those the tags name;
// where they name none, those of the techniques.
func FromTags(tags []string) Tags {
	var out Tags
	evasion := false
	for _, tag := range tags {
		rest, ok := strings.CutPrefix(strings.ToLower(tag), "attack.")
		if !ok {
			continue
		}
		slug := strings.ReplaceAll(rest, "_", "-")
		switch {
		case techniqueID.MatchString(strings.ToUpper(rest)):
			out.add(rest)
		case slug == "defense-evasion":
			evasion = true
		default:
			if t, ok := tacticBySlugOrID(slug); ok {
				out.Tactics = addTactic(out.Tactics, t)
			}
		}
	}
	if evasion {
		for _, t := range out.heirsOfEvasion() {
			out.Tactics = addTactic(out.Tactics, t)
		}
	}
	if len(out.Tactics) == 0 {
		out.Tactics = out.techniqueTactics()
	}
	return out
}

func (t *Tags) add(id string) {
	technique := known(id)
	parent, _, sub := strings.Cut(technique.ID, ".")
	if sub {
		t.Subtechniques = addTechnique(t.Subtechniques, technique)
		technique = known(parent)
	}
	t.Techniques = addTechnique(t.Techniques, technique)
}

// heirsOfEvasion tells which of the two tactics that Defense Evasion was split into the
// techniques belong to. Stealth, which kept its id, stands in where they belong to neither.
func (t *Tags) heirsOfEvasion() []Tactic {
	var heirs []Tactic
	for _, tactic := range t.techniqueTactics() {
		if tactic == tactics["stealth"] || tactic == tactics["defense-impairment"] {
			heirs = append(heirs, tactic)
		}
	}
	if len(heirs) == 0 {
		heirs = append(heirs, tactics["stealth"])
	}
	return heirs
}

func (t *Tags) techniqueTactics() []Tactic {
	var all []Tactic
	for _, technique := range slices.Concat(t.Subtechniques, t.Techniques) {
		for _, tactic := range technique.Tactics {
			all = addTactic(all, tactic)
		}
	}
	return all
}

func known(id string) Technique {
	if t, ok := Lookup(id); ok {
		return t
	}
	id = strings.ToUpper(id)
	return Technique{ID: id, Name: id}
}

func resolve(id string) string {
	id = strings.ToUpper(id)
	if heir, ok := replacedBy[id]; ok {
		return heir
	}
	return id
}

func tacticBySlugOrID(s string) (Tactic, bool) {
	if t, ok := tactics[s]; ok {
		return t, true
	}
	for _, t := range tactics {
		if strings.EqualFold(t.ID, s) {
			return t, true
		}
	}
	return Tactic{}, false
}

func addTactic(list []Tactic, t Tactic) []Tactic {
	if slices.Contains(list, t) {
		return list
	}
	return append(list, t)
}

func addTechnique(list []Technique, t Technique) []Technique {
	if slices.ContainsFunc(list, func(o Technique) bool { return o.ID == t.ID }) {
		return list
	}
	return append(list, t)
}
