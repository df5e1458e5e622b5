// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package hostid

import "errors"

// Read says that it cannot be done here.
func Read() (Host, error) { return Host{}, errors.New("the host's identity is read on Linux only") }
