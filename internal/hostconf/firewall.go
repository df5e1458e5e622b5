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

// Why something that is in no file is not known.
var (
	// ErrOtherRoot means that only the running host could tell, and that another root directory is looked at.
	ErrOtherRoot = errors.New("only the running host can be asked, and this is another root directory")
	// ErrContained means that the kernel tells it to the host only, and that this is a container.
	ErrContained = errors.New("the kernel tells it to the host only, and this is a container")
)
