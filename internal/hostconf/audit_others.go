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
