// SPDX-License-Identifier: Apache-2.0

// Package outputs tests the shipped configurations that send alerts elsewhere, with the program itself at both ends.
package outputs
