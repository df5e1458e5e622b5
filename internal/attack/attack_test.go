// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	execution   = Tactic{"TA0002", "Execution"}
	persistence = Tactic{"TA0003", "Persistence"}
	escalation  = Tactic{"TA0004", "Privilege Escalation"}
	stealth     = Tactic{"TA0005", "Stealth"}
	impairment  = Tactic{"TA0112", "Defense Impairment"}

	interpreter = Technique{"T1059", "Command and Scripting Interpreter", []Tactic{execution}}
	shell       = Technique{"T1059.004", "Unix Shell", []Tactic{execution}}
	scheduled   = Technique{"T1053", "Scheduled Task/Job", []Tactic{execution, persistence, escalation}}
	cron        = Technique{"T1053.003", "Cron", []Tactic{execution, persistence, escalation}}
	tools       = Technique{"T1685", "Disable or Modify Tools", []Tactic{impairment}}
	auditLog    = Technique{"T1685.004", "Disable or Modify Linux Audit System Log", []Tactic{impairment}}
	memory      = Technique{"T1620", "Reflective Code Loading", []Tactic{stealth}}
)

func TestLookup(t *testing.T) {
	for id, want := range map[string]Technique{
		"T1059.004": shell,
		"t1059":     interpreter,
		"T1562.001": tools,
		"T1562.012": auditLog,
	} {
		got, ok := Lookup(id)
		require.True(t, ok, id)
		assert.Equal(t, want, got, id)
	}
	for _, id := range []string{"", "T0000", "T1059.999", "execution"} {
		_, ok := Lookup(id)
		assert.False(t, ok, id)
	}
}

func TestFromTags(t *testing.T) {
	cases := map[string]struct {
		tags []string
		want Tags
	}{
		"none":            {nil, Tags{}},
		"other":           {[]string{"cve.2021.4034", "detection.threat-hunting", "attack.g0020", "attack.s0003", "tlp.red"}, Tags{}},
		"sub-technique":   {[]string{"attack.t1059.004"}, Tags{[]Technique{interpreter}, []Technique{shell}, []Tactic{execution}}},
		"both":            {[]string{"attack.T1059", "attack.t1059.004"}, Tags{[]Technique{interpreter}, []Technique{shell}, []Tactic{execution}}},
		"tactics by tags": {[]string{"attack.persistence", "attack.t1053.003"}, Tags{[]Technique{scheduled}, []Technique{cron}, []Tactic{persistence}}},
		"tactics of techniques": {[]string{"attack.t1053.003", "attack.t1620"},
			Tags{[]Technique{scheduled, memory}, []Technique{cron}, []Tactic{execution, persistence, escalation, stealth}}},
		"tactic id":            {[]string{"attack.ta0002", "attack.execution"}, Tags{Tactics: []Tactic{execution}}},
		"underscore":           {[]string{"attack.privilege_escalation"}, Tags{Tactics: []Tactic{escalation}}},
		"evasion is stealth":   {[]string{"attack.defense-evasion", "attack.t1620"}, Tags{Techniques: []Technique{memory}, Tactics: []Tactic{stealth}}},
		"evasion is impaired":  {[]string{"attack.defense_evasion", "attack.t1562.001"}, Tags{Techniques: []Technique{tools}, Tactics: []Tactic{impairment}}},
		"evasion is alone":     {[]string{"attack.defense-evasion"}, Tags{Tactics: []Tactic{stealth}}},
		"another platform's":   {[]string{"attack.t1059.001"}, Tags{[]Technique{interpreter}, []Technique{{ID: "T1059.001", Name: "T1059.001"}}, []Tactic{execution}}},
		"revoked and its heir": {[]string{"attack.t1562.001", "attack.t1685"}, Tags{Techniques: []Technique{tools}, Tactics: []Tactic{impairment}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, FromTags(c.tags))
		})
	}
}

func TestTableIsConsistent(t *testing.T) {
	require.Greater(t, len(techniques), 300)
	for id, row := range techniques {
		assert.Regexp(t, techniqueID, id)
		assert.NotEmpty(t, row.name, id)
		assert.NotContains(t, replacedBy, id, "a revoked id is in the table")
		for _, slug := range row.tactics {
			assert.Contains(t, tactics, slug, id)
		}
	}
	for old, heir := range replacedBy {
		assert.Contains(t, techniques, heir, old)
	}
}
