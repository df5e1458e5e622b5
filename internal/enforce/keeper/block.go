// SPDX-License-Identifier: Apache-2.0

package keeper

import (
	"slices"
	"strings"
	"time"

	"github.com/vedette-sec/vedette/pkg/policy"
)

// BlockedPolicy is the name of the policy that programs are blocked by in response to alerts. No policy of a file can have it.
const BlockedPolicy = "Blocked"

// Blocked is a program that must not be run.
type Blocked struct {
	ID    string // names the rule
	Path  string // of the file that is there now, which is meant under all its names
	Cause string
}

// Block keeps these programs from being run, and no others that it did before. Before Start it only says what is to be in force
// from the beginning.
func (k *Keeper) Block(programs []Blocked) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	before := k.blocked
	k.blocked = slices.SortedFunc(slices.Values(programs), func(a, b Blocked) int { return strings.Compare(a.ID, b.ID) })
	if slices.Equal(before, k.blocked) || k.closed {
		return nil
	}
	if err := k.again(time.Now()); err != nil {
		k.blocked = before
		return err
	}
	return nil
}

// blocking is a policy with a rule for each program.
func blocking(programs []Blocked) *policy.Policy {
	p := &policy.Policy{
		Name: BlockedPolicy, Description: "Programs that are blocked in response to alerts: vedette response list.",
		Mode: policy.Enforce, Severity: policy.High, OnAgentLoss: policy.KeepOnLoss,
	}
	for _, b := range programs {
		path := policy.Path{Text: b.Path, Kind: policy.Exact, Base: b.Path}
		p.Rules = append(p.Rules, &policy.Rule{Name: b.ID, Exec: &policy.Exec{Deny: &policy.Programs{Paths: []policy.Path{path}}}})
	}
	return p
}
