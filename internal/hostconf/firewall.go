// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"errors"
)

// Chain is a chain of the kernel's packet filter that packets come to by themselves.
type Chain struct {
	Family, Table, Name string
	Hook, Type          string
	Policy              string // accept or drop: what happens to packets that no rule decides about
	Rules               int
}

// ErrOtherRoot means that a fact is the kernel's, and that the host is not the one this runs on.
var ErrOtherRoot = errors.New("it is in the kernel, which of another root directory is not known")
