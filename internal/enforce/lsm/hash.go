// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import "github.com/dchest/siphash"

// hash is that of a name, as the kernel computes it.
func (n *numbers) hash(text string) uint64 { return siphash.Hash(n.key[0], n.key[1], []byte(text)) }
