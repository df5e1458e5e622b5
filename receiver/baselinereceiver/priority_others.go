// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package baselinereceiver

// yield does nothing: priorities are per thread on Linux only.
func yield() {}
