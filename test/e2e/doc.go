// SPDX-License-Identifier: Apache-2.0

// Package e2e runs the whole program as a user would: the agent with the shipped configuration on
// one side, real attacks and everyday work on the other, the security log in between.
package e2e
