// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package hostconf

import "fmt"

// Firewall needs the netlink of Linux.
func (h *Host) Firewall() ([]Chain, error) {
	return nil, fmt.Errorf("reading the packet filter: %w", ErrOtherRoot)
}
