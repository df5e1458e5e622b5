// SPDX-License-Identifier: Apache-2.0

//go:build 386 || amd64

package bpf

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"
)

// EnforceBuild stands for the programs that enforce, as they were compiled: what one build has loaded another one with the same
// name can take over.
var EnforceBuild = sync.OnceValue(func() string {
	sum := sha256.Sum256(_EnforceBytes)
	return hex.EncodeToString(sum[:])
})
