// SPDX-License-Identifier: Apache-2.0

// Package baselinereceiver judges again and again how the host is configured, and tells what it found as logs and metrics.
package baselinereceiver
