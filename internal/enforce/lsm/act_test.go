// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

// actVariable makes the test binary a program that does one thing and ends.
const actVariable = "VEDETTE_TEST_ACT"

func perform(string) int { return 0 }
