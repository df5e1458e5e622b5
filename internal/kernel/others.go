// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package kernel

func uname() (release, version, machine string) { return "", "", "" }

// Probes reports that no ability can be tried: this is not Linux.
func Probes() []Probe {
	var probes []Probe
	for _, ability := range Abilities {
		probes = append(probes, Probe{Ability: ability, Reason: "this system is not Linux"})
	}
	return probes
}
