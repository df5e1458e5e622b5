// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/pkg/policy"
)

func TestKernelOperations(t *testing.T) {
	ring.Require(t, ring.VM)
	e := shared(t)
	for name, does := range map[string]string{
		"15 raw devices": "raw_devices", "27 bpf": "bpf", "29 modules": "modules", "29 kexec": "kexec",
		"mount": "mount", "ptrace": "ptrace", "time": "time",
	} {
		t.Run(name, func(t *testing.T) {
			load(t, e, "policy: kernel\nmode: enforce\nrules:\n  - name: all\n    kernel: ["+does+"]\n    who: [{executable: "+stranger+"}]\n")
			require.ErrorIs(t, runs(stranger, "call", does), unix.EPERM)
			v := next(t, e, func(v enforce.Verdict) bool { return v.Policy == "kernel" })
			assert.Equal(t, policy.ParseOperation(does, policy.KernelOperations), v.Operation)
			assert.NotErrorIs(t, runs(trusted, "call", does), unix.EPERM, "whom the rule does not concern")
		})
	}
}
