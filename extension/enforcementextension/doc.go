// SPDX-License-Identifier: Apache-2.0

// Package enforcementextension acts on the host in response to alerts.
package enforcementextension
