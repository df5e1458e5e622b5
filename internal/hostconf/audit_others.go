// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package hostconf

import (
	"errors"
	"fmt"
)

// LoadedAuditRules gives the rules that the kernel has, which on this system are none that could be compared.
func (h *Host) LoadedAuditRules() ([]AuditRule, error) {
	return nil, fmt.Errorf("reading the audit rules of the kernel: %w", errors.ErrUnsupported)
}

// AuditLocked reports whether the kernel takes no other audit rules, of which on this system nothing is known.
func (h *Host) AuditLocked() (bool, error) {
	return false, fmt.Errorf("asking for the state of the audit system: %w", errors.ErrUnsupported)
}
