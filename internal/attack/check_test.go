// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCheckTag(t *testing.T) {
	for tag, want := range map[string]string{
		"attack.t1059.004":           "",
		"ATTACK.T1059":               "",
		"attack.execution":           "",
		"attack.command_and_control": "",
		"attack.ta0002":              "",
		"attack.g0049":               "",
		"cve.2024-1":                 "",
		"attack.t1562.001":           "attack.t1562.001 is revoked; its heir is attack.t1685 (Disable or Modify Tools)",
		"attack.t1218.011":           "attack.t1218.011 is not among the techniques for Linux of ATT&CK v19",
		"attack.defense_evasion":     "attack.defense_evasion names a tactic that ATT&CK v19 split into attack.stealth and attack.defense-impairment",
		"attack.magic":               "attack.magic names no tactic or technique of ATT&CK v19",
	} {
		assert.Equal(t, want, CheckTag(tag))
	}
}
