// SPDX-License-Identifier: Apache-2.0

package engine

// Literals gives folded texts of which every text that a regular expression matches has at least one; none where no such
// texts are known, so that the expression has to be tried on every value.
func Literals(source string) []string { return requiredLiterals(source).texts.list }
