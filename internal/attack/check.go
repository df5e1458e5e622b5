// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"fmt"
	"regexp"
	"strings"
)

// otherID is the id of what is neither a technique nor a tactic: a group, a piece of software, a mitigation, a data source,
// a campaign.
var otherID = regexp.MustCompile(`^(G|S|M|DS|C)\d{4}$`)

// CheckTag tells what is wrong with a tag of a Sigma rule that names something of ATT&CK; "" where nothing is.
func CheckTag(tag string) (problem string) {
	rest, ok := strings.CutPrefix(strings.ToLower(tag), "attack.")
	if !ok {
		return ""
	}
	id := strings.ToUpper(rest)
	slug := strings.ReplaceAll(rest, "_", "-")
	switch _, tactic := tacticBySlugOrID(slug); {
	case techniqueID.MatchString(id):
		return checkTechnique(tag, id)
	case slug == "defense-evasion":
		return tag + " names a tactic that ATT&CK v19 split into attack.stealth and attack.defense-impairment"
	case !tactic && !otherID.MatchString(id):
		return tag + " names no tactic or technique of ATT&CK v19"
	}
	return ""
}

func checkTechnique(tag, id string) string {
	t, known := Lookup(id)
	switch {
	case !known:
		return tag + " is not among the techniques for Linux of ATT&CK v19"
	case t.ID != id:
		return fmt.Sprintf("%s is revoked; its heir is attack.%s (%s)", tag, strings.ToLower(t.ID), t.Name)
	}
	return ""
}
