// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package hostconf

// ActiveUnits needs systemd.
func (h *Host) ActiveUnits() (map[string]bool, error) { return nil, nil }
