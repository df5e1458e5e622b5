// SPDX-License-Identifier: Apache-2.0

package keeper

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/vedette-sec/vedette/pkg/policy"
)

func TestProtectionIsAPolicy(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	config := filepath.Join(dir, "vedette.yaml")
	require.NoError(t, os.WriteFile(config, nil, 0o600))
	own, err := Protection{
		Executable: "/usr/bin/vedette", Settings: []string{config, dir}, State: []string{filepath.Join(dir, "to be")},
	}.policy(policy.NewHost("/"))
	require.NoError(t, err)
	assert.Equal(t, ProtectionPolicy, own.Name)
	_, err = policy.Parse("p.yaml", []byte("policy: "+ProtectionPolicy+"\nrules: [{name: r, kernel: [time]}]\n"))
	require.Error(t, err, "no file can have the name")
	set := &policy.Set{Policies: []*policy.Policy{own}}
	root := policy.Actor{User: "root", Lineage: []policy.Program{{Executable: "/bin/sh", Trusted: true}}}
	agent := policy.Actor{User: "root", Lineage: []policy.Program{{Executable: "/usr/bin/vedette", Trusted: true}}}
	dpkg := policy.Actor{User: "root", Lineage: []policy.Program{{Executable: "/usr/bin/dpkg", Trusted: true}}}
	for _, one := range []struct {
		path     string
		who      policy.Actor
		expected policy.Verdict
	}{
		{"/usr/bin/vedette", root, policy.Denied}, {"/usr/bin/vedette", dpkg, policy.Allowed}, {"/usr/bin/vedette.dpkg-new", root, policy.Denied},
		{config, root, policy.Denied}, {config, agent, policy.Denied}, {config, dpkg, policy.Allowed},
		{filepath.Join(dir, "policies", "a.yaml"), root, policy.Denied},
		{filepath.Join(dir, "to be", "state"), agent, policy.Allowed}, {filepath.Join(dir, "to be", "state"), root, policy.Denied},
		{ftraceSwitch, agent, policy.Denied},
		{"/usr/bin/other", root, policy.Allowed},
	} {
		r := policy.Request{Operation: policy.Write, Subject: one.who, File: &policy.File{Paths: []string{one.path}}}
		assert.Equal(t, one.expected == policy.Denied, set.Evaluate(r).Verdict == policy.Denied, "%s by %s", one.path, one.who.Lineage[0].Executable)
	}
}

// Where init and a package manager are busybox, so is every shell.
func TestProtectionTrustsNoShell(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"bin", "sbin", "usr/bin"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	require.NoError(t, os.WriteFile(filepath.Join(root, "bin/busybox"), nil, 0o755))
	for _, link := range []string{"sbin/init", "usr/bin/dpkg"} {
		require.NoError(t, os.Symlink("/bin/busybox", filepath.Join(root, link)))
	}
	host := policy.NewHost(root)
	own, err := Protection{Executable: "/usr/bin/vedette", Settings: []string{"/etc/vedette"}, State: []string{"/var/lib/vedette"}}.policy(host)
	require.NoError(t, err)
	set := (&policy.Set{Policies: []*policy.Policy{own}}).Resolve(host)
	busybox := policy.Actor{User: "root", Init: true, Lineage: []policy.Program{{Executable: "/bin/busybox", Trusted: true}}}
	for _, r := range []policy.Request{
		{Operation: policy.Write, File: &policy.File{Paths: []string{"/usr/bin/vedette"}}},
		{Operation: policy.Write, File: &policy.File{Paths: []string{"/etc/vedette/vedette.yaml"}}},
		{Operation: policy.Signal, Target: &policy.Target{Executable: "/usr/bin/vedette"}},
	} {
		r.Subject = busybox
		assert.Equal(t, policy.Denied, set.Evaluate(r).Verdict, r.Operation)
	}
}

func TestLockWantsItsToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policies.json")
	k := New(Config{StateFile: file, Logger: zap.NewNop()})
	require.NoError(t, k.admits(Command{}), "nobody has locked it")
	token, err := k.setLock()
	require.NoError(t, err)
	_, err = k.setLock()
	require.ErrorContains(t, err, "locked already")

	later := New(Config{StateFile: file, Logger: zap.NewNop()})
	require.NoError(t, later.state.read(file))
	require.NoError(t, later.admits(Command{Token: token}))
	for _, other := range []string{"", token[1:], token + "A"} {
		require.Error(t, later.admits(Command{Token: other}))
	}
	_, err = later.unlock(Command{Token: token, For: 25 * time.Hour})
	require.EqualError(t, err, "found 25h0m0s, expected at most 24h0m0s")
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.NotContains(t, string(content), token)
}
