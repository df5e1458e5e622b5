// SPDX-License-Identifier: Apache-2.0

// Package securitylogexporter writes log records as ECS JSON lines to a rotated local file, and
// shows them on the terminal when there is one.
package securitylogexporter
