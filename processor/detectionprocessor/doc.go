// SPDX-License-Identifier: Apache-2.0

// Package detectionprocessor judges log records by Sigma rules and makes alerts of those that match.
package detectionprocessor
