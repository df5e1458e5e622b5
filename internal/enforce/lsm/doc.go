// SPDX-License-Identifier: Apache-2.0

// Package lsm keeps policies in force in the kernel's security hooks (BPF LSM): what a rule in mode enforce forbids fails with
// EPERM, for root too.
//
// Policies are compiled to sets of rules for what they name. The kernel finds an object by its names, from the root of its file
// system on, and whoever acts by the programs that led to it; see bpf/enforce*.h.
package lsm
