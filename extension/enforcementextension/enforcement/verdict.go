// SPDX-License-Identifier: Apache-2.0

package enforcement

import (
	"go.opentelemetry.io/collector/component"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// Verdict is what was told about an act that a policy forbids, with what the policy says about its violations.
type Verdict struct {
	enforce.Verdict
	Severity    policy.Severity
	Attack      []string // techniques of ATT&CK
	Description string   // of the policy
	// RuleMode is what the rule is meant to do: where that is to enforce and nothing was refused, it could not be.
	RuleMode   policy.Mode
	Generation uint64 // of the policies
}

// Teller is the enforcement extension, as what tells of verdicts.
type Teller interface {
	component.Component
	// Verdicts returns a channel on which every verdict arrives from now on, and to the first who asks those from before, and what
	// ends it. Who has more than buffer verdicts waiting loses the further ones, which are counted. The channel is closed when
	// the extension shuts down.
	Verdicts(buffer int) (verdicts <-chan Verdict, cancel func())
}

// FindTeller returns the enforcement extension among the host's, and false where there is none.
func FindTeller(host component.Host) (Teller, bool) {
	for _, extension := range host.GetExtensions() {
		if teller, ok := extension.(Teller); ok {
			return teller, true
		}
	}
	return nil, false
}
