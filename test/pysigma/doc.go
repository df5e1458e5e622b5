// SPDX-License-Identifier: Apache-2.0

// Package pysigma compares the Sigma parser and evaluator with pySigma, the reference implementation: both must take the
// same rules, read the same out of them and match the same events. Where they differ for a reason, the reason is in a table.
package pysigma
