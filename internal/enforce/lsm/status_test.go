// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"bytes"
	"testing"

	"github.com/cilium/ebpf/btf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// kernelWith is the type information of a kernel that has these hooks, with so many parameters.
func kernelWith(t *testing.T, hooks map[string]int) *btf.Spec {
	t.Helper()
	b, err := btf.NewBuilder(nil, nil)
	require.NoError(t, err)
	for hook, parameters := range hooks {
		f := &btf.Func{Name: "bpf_lsm_" + hook, Type: &btf.FuncProto{Return: &btf.Int{Name: "int", Size: 4, Encoding: btf.Signed}, Params: make([]btf.FuncParam, parameters)}}
		for i := range parameters {
			f.Type.(*btf.FuncProto).Params[i].Type = &btf.Int{Name: "int", Size: 4, Encoding: btf.Signed}
		}
		_, err := b.Add(f)
		require.NoError(t, err)
	}
	raw, err := b.Marshal(nil, nil)
	require.NoError(t, err)
	spec, err := btf.LoadSpecFromReader(bytes.NewReader(raw))
	require.NoError(t, err)
	return spec
}

func TestMissingHooksWeakenRules(t *testing.T) {
	hooks := map[string]int{}
	for _, g := range guards {
		hooks[g.hook] = max(g.parameters, 2)
	}
	delete(hooks, "file_receive")
	delete(hooks, "task_setioprio")
	delete(hooks, "inode_set_acl") // without it access lists are extended attributes
	there, lacking, err := present(kernelWith(t, hooks))
	require.NoError(t, err)
	assert.NotEmpty(t, there)
	var names []string
	for _, g := range lacking {
		names = append(names, g.hook)
	}
	assert.Equal(t, []string{"file_receive", "task_setioprio"}, names)
	assert.Equal(t, lacking, named(names))

	assert.Empty(t, weaknesses(policy.Delete, lacking))
	weak := weaknesses(policy.Tamper, lacking)
	require.Len(t, weak, 1)
	assert.Equal(t, enforce.Weak{Operation: policy.Write, Strength: enforce.Unseen, Reason: "This way is not seen, as the kernel has no hook file_receive: taking over open files from other processes is not held. Use a kernel that has it."}, weak[0])
	weak = weaknesses(policy.Accept|policy.Priority|policy.Connect, lacking)
	require.Len(t, weak, 1)
	assert.Equal(t, policy.Priority, weak[0].Operation)
}

// Every operation hangs on some hook, so that a kernel without it is told of.
func TestHooksServeAllOperations(t *testing.T) {
	var served policy.Operation
	for _, g := range guards {
		if g.operations != everyOperation {
			served |= g.operations
		}
		assert.Equal(t, g.lost == "", g.operations == 0, g.hook)
	}
	assert.Equal(t, everyOperation, served)
}
