// SPDX-License-Identifier: Apache-2.0

// Package doctor says whether Vedette can do its work on this host, what limits it and what to do
// about that.
package doctor

import (
	"slices"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/kernel"
)

// Status is the judgement on one check.
type Status string

// The judgements.
const (
	// OK is that nothing is missing.
	OK Status = "ok"
	// Limited is that something works less well or not at all, and the main job does.
	Limited Status = "limited"
	// Failed is that the main job cannot run.
	Failed Status = "failed"
	// Info is a fact without a judgement.
	Info Status = "info"
)

// KindTier is how one event kind will be served.
type KindTier struct {
	Kind string `json:"kind"`
	// Tier is the way of hooking the kernel that serves the kind; empty where none does.
	Tier string `json:"tier,omitempty"`
	// Reason is why no tier serves the kind.
	Reason string `json:"reason,omitempty"`
	// Absent is why nothing of the kind can ever happen on this kernel.
	Absent string `json:"absent,omitempty"`
	// Rejected are the better tiers that do not work here.
	Rejected []Rejection `json:"rejected,omitempty"`
}

// Rejection is a tier that was tried, and why it does not work.
type Rejection struct {
	Tier   string `json:"tier"`
	Reason string `json:"reason"`
}

// Check is one line of the report.
type Check struct {
	Section string `json:"section"`
	Name    string `json:"name"`
	Status  Status `json:"status"`
	// Found is what is there.
	Found string `json:"found,omitempty"`
	// Reason is what that means for Vedette, where the status is not ok.
	Reason string `json:"reason,omitempty"`
	// Remedy is what the administrator can do.
	Remedy string `json:"remedy,omitempty"`
}

// Report is the whole diagnosis; its JSON shape is what `vedette doctor --json` prints.
type Report struct {
	// OK is whether the main job can run: to see processes and connections and judge them.
	OK        bool           `json:"ok"`
	Version   string         `json:"version"`
	Checks    []Check        `json:"checks"`
	Events    []KindTier     `json:"events"`
	Kernel    kernel.Facts   `json:"kernel"`
	Abilities []kernel.Probe `json:"abilities"`
}

// Host is where a diagnosis takes its facts from.
type Host struct {
	Facts  func() kernel.Facts
	Probes func() []kernel.Probe
	// Tiers returns the tier of every event kind, in the order to print them. Its error says why
	// no kind at all can be served.
	Tiers func() ([]KindTier, error)
	// Held returns the policies that agents put in force and that do not need them; nil where there are none.
	Held func() (*enforce.Held, error)
}

// ThisHost takes the facts from the running kernel.
func ThisHost() Host {
	return Host{Facts: kernel.Gather, Probes: kernel.Probes, Tiers: eventTiers, Held: heldPolicies}
}

// mainKinds are the event kinds without which a reverse shell is not seen.
var mainKinds = []string{"process.exec", "process.fork", "process.exit", "network.connect"}

// Examine makes the report. The version is that of the agent.
func Examine(host Host, version string) Report {
	facts, probes := host.Facts(), host.Probes()
	events, err := host.Tiers()
	events = explained(events, facts, probes)
	checks := slices.Concat(
		kernelChecks(facts),
		rightsChecks(facts),
		mountChecks(facts),
		abilityChecks(facts, probes),
		eventChecks(facts, events, err),
		heldChecks(host.Held()),
	)
	return Report{
		OK:        !slices.ContainsFunc(checks, func(c Check) bool { return c.Status == Failed }),
		Version:   version,
		Checks:    checks,
		Events:    events,
		Kernel:    facts,
		Abilities: probes,
	}
}

// tierAbilities are the abilities that the tiers stand on.
var tierAbilities = map[string]kernel.Ability{
	"lsm": kernel.LSM, "fentry": kernel.Fentry, "kprobe": kernel.Kprobe, "tracepoint": kernel.SyscallTracepoint,
}

// explained puts the cause in place of what the sensor saw of it, where a whole tier cannot serve
// because the ability it stands on is missing. That bpf is not active the sensor says itself.
func explained(events []KindTier, facts kernel.Facts, probes []kernel.Probe) []KindTier {
	causes := map[kernel.Ability]string{}
	for _, probe := range probes {
		causes[probe.Ability] = abilityCheck(facts, probe).Reason
	}
	out := slices.Clone(events)
	for i, event := range out {
		out[i].Rejected = slices.Clone(event.Rejected)
		for j, rejection := range out[i].Rejected {
			cause := causes[tierAbilities[rejection.Tier]]
			if cause != "" && (rejection.Tier != "lsm" || facts.HasLSM("bpf")) {
				out[i].Rejected[j].Reason = cause
			}
		}
	}
	return out
}

func eventChecks(facts kernel.Facts, events []KindTier, err error) []Check {
	const section = "Events"
	if err != nil {
		return []Check{{
			Section: section, Name: "sensor", Status: Failed,
			Reason: "no event can be seen: " + err.Error(), Remedy: rightsRemedy(facts),
		}}
	}
	var checks []Check
	for _, event := range events {
		check := Check{Section: section, Name: event.Kind, Status: OK, Found: event.Tier}
		switch {
		case event.Absent != "":
			check.Status, check.Found, check.Reason = Info, "cannot happen", event.Absent
		case event.Tier == "":
			check.Status, check.Found, check.Reason = Limited, "not seen", event.Reason
			check.Remedy = rightsRemedy(facts)
			if slices.Contains(mainKinds, event.Kind) {
				check.Status = Failed
			}
		}
		checks = append(checks, check)
	}
	for _, kind := range mainKinds {
		if !slices.ContainsFunc(events, func(e KindTier) bool { return e.Kind == kind }) {
			checks = append(checks, Check{
				Section: section, Name: kind, Status: Failed, Found: "not seen",
				Reason: "the sensor did not say how it serves this kind",
			})
		}
	}
	return checks
}
