// SPDX-License-Identifier: Apache-2.0

// Package sensor loads the kernel programs, chooses for each event kind the best way to hook the
// kernel that works here, and reads what the programs report. It exists on Linux on x86-64, for
// which the programs are compiled.
package sensor
