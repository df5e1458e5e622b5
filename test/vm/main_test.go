// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
)

func TestParseOptions(t *testing.T) {
	o, err := parseOptions(nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"5.10", "6.1", "6.12"}, o.kernels)
	assert.Equal(t, "newest", o.brief)
	o, err = parseOptions([]string{"-shell", "-kernels", "6.12, 6.1", "-pkg", "./a,./b/..."})
	require.NoError(t, err)
	assert.Equal(t, []string{"6.1"}, o.kernels, "one guest has the terminal")
	assert.Equal(t, []string{"./a", "./b/..."}, o.packages)
	o, err = parseOptions([]string{"-counted"})
	require.NoError(t, err)
	assert.True(t, o.counted)

	for _, args := range [][]string{{"-run", "TestX"}, {"-pkg", "./a"}, {"-shell"}, {"-kernels", "newest"}, {"-brief", ""}} {
		o, err := parseOptions(args)
		require.NoError(t, err)
		assert.Empty(t, o.brief, args)
	}

	for want, args := range map[string][]string{
		`-brief: found "4.19", expected one of 5.10,6.1,6.12,newest`:                             {"-brief", "4.19"},
		`-kernels: found "4.19", expected some of 5.10,6.1,6.12,newest`:                          {"-kernels", "6.1,4.19"},
		"-kernels: found an empty list, expected some of 5.10,6.1,6.12,newest":                   {"-kernels", ","},
		`found argument "./internal/ring", expected flags only`:                                  {"./internal/ring"},
		"-counted: found -kvm too, expected emulation, which alone can count instructions":       {"-kvm", "-counted"},
		"-multi: found -kvm or -counted too, expected emulation whose clocks go with the host's": {"-multi", "-counted"},
		`invalid value "soon" for flag -timeout: parse error`:                                    {"-timeout", "soon"},
	} {
		_, err := parseOptions(args)
		assert.EqualError(t, err, want)
	}
}

func TestDiscover(t *testing.T) {
	root := t.TempDir()
	writeFile(t, filepath.Join(root, "plain", "a_test.go"), "package plain\nfunc TestA(t *testing.T) { ring.Require(t, ring.Plain) }\nfunc TestB(t *testing.T) { ring.RequireOnHost(t) }\n")
	writeFile(t, filepath.Join(root, "testdata", "a_test.go"), "package x\nfunc TestA(t *testing.T) { ring.Require(t, ring.VM) }\n")
	writeFile(t, filepath.Join(root, ".git", "a_test.go"), "not go")
	writeFile(t, filepath.Join(root, "in", "sensor", "a_test.go"), `package sensor
func TestDirect(t *testing.T) { ring.Require(t, ring.Native) }
func TestHelped(t *testing.T) { start(t) }
func TestMethod(t *testing.T) { var s suite; s.open(t) }
func TestPlain(t *testing.T) { other.Start(t) }
func TestMain(m *testing.M) { start(nil) }
`)
	writeFile(t, filepath.Join(root, "in", "sensor", "b_test.go"), `package sensor
func start(t *testing.T) { begin(t) }
func begin(t *testing.T) { ring.Require(t, ring.VM) }
func (s suite) open(t *testing.T) { start(t) }
func TestSubtest(t *testing.T) { t.Run("x", func(t *testing.T) { ring.Require(t, ring.VM) }) }
`)
	all, err := discover(root)
	require.NoError(t, err)
	sensor := testPackage{rel: "in/sensor", tests: []string{"TestDirect", "TestHelped", "TestMethod", "TestSubtest"}}
	assert.Equal(t, []testPackage{sensor}, all)

	for _, patterns := range [][]string{nil, {"./in/sensor"}, {"in/sensor/"}, {"./in/..."}} {
		got, err := selectPackages(root, all, patterns)
		require.NoError(t, err)
		assert.Equal(t, all, got, patterns)
	}
	got, err := selectPackages(root, all, []string{"./plain"})
	require.NoError(t, err)
	assert.Equal(t, []testPackage{{rel: "plain"}}, got, "all of its tests")
	for _, pattern := range []string{"./none", "./plain/..."} {
		_, err = selectPackages(root, all, []string{pattern})
		assert.EqualError(t, err, "-pkg "+pattern+": found no tests for the guests there")
	}

	writeFile(t, filepath.Join(root, "broken", "a_test.go"), "package broken\nfunc (\n")
	_, err = discover(root)
	assert.ErrorContains(t, err, filepath.Join("broken", "a_test.go")+":2:8: expected")
}

func TestKernelPackage(t *testing.T) {
	const depends = "linux-image-cloud-amd64\n  Depends: linux-image-6.12.117+deb13-cloud-amd64\n"
	name, err := kernelPackage(depends, "6.12")
	require.NoError(t, err)
	assert.Equal(t, "linux-image-6.12.117+deb13-cloud-amd64", name)
	_, err = kernelPackage(depends, "6.1")
	assert.ErrorContains(t, err, "linux-image-cloud-amd64 depends on no kernel 6.1")
	name, err = kernelPackage(depends, newest)
	require.NoError(t, err)
	assert.Equal(t, "linux-image-6.12.117+deb13-cloud-amd64", name)
	parts := kernelParts("linux-image-7.2.13-cloud-amd64\n  Depends: linux-base-7.2.13-cloud-amd64\n  Depends: linux-binary-7.2.13-cloud-amd64\n" +
		"  Depends: linux-modules-7.2.13-cloud-amd64\n")
	assert.Equal(t, []string{"linux-binary-7.2.13-cloud-amd64", "linux-modules-7.2.13-cloud-amd64"}, parts)
}

func TestCachedKernel(t *testing.T) {
	cache := t.TempDir()
	_, err := cachedKernel(cache, "6.1")
	assert.ErrorIs(t, err, fs.ErrNotExist)

	store := func(k kernel) {
		content, err := json.Marshal(k)
		require.NoError(t, err)
		writeFile(t, filepath.Join(cache, "6.1", "kernel.json"), string(content))
	}
	store(kernel{Line: "6.1", Release: "6.1.0", Modules: modules})
	k, err := cachedKernel(cache, "6.1")
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(cache, "6.1", "vmlinuz"), k.vmlinuz())

	store(kernel{Line: "6.1", Release: "6.1.0", Modules: []string{"overlay"}})
	_, err = cachedKernel(cache, "6.1")
	assert.ErrorIs(t, err, fs.ErrNotExist, "it lacks modules")

	writeFile(t, filepath.Join(cache, "6.1", "kernel.json"), "{")
	_, err = cachedKernel(cache, "6.1")
	assert.ErrorContains(t, err, "kernel.json: unexpected end of JSON input")
}

func TestMissingTools(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := prepare(t.Context(), options{})
	assert.ErrorIs(t, err, errCannotRun)
	assert.EqualError(t, err, "the vm ring cannot run here: qemu-system-x86_64 not found; install the package qemu-system-x86")
}

func TestInBrief(t *testing.T) {
	s := &session{options: options{brief: newest}, out: &lockedWriter{w: io.Discard}}
	module, err := findModule(t.Context())
	require.NoError(t, err)
	s.packages, err = discover(module.dir)
	require.NoError(t, err)
	s.bin.tests = map[string]string{"test/e2e": "e2e.test", "internal/cgroup": "cgroup.test"}
	packages, bin, err := s.testsOn(kernel{Line: newest})
	require.NoError(t, err)
	assert.Len(t, packages, len(briefTests))
	for _, p := range packages {
		if p.rel == "internal/enforce/lsm" {
			assert.Subset(t, p.tests, []string{"TestLoads", "TestBypass23Flood"})
			assert.NotContains(t, p.tests, "TestStorm")
		}
	}
	assert.Equal(t, "e2e.test", bin.tests["test/e2e"])
	assert.NotContains(t, bin.tests, "internal/cgroup")
	packages, bin, err = s.testsOn(kernel{Line: "6.1"})
	require.NoError(t, err)
	assert.Equal(t, s.packages, packages)
	assert.Equal(t, s.bin, bin)

	_, err = inBrief([]testPackage{{rel: "test/e2e", tests: []string{"TestX"}}})
	assert.EqualError(t, err, "tests in brief: found no TestPolicyKeepsAnIntruderOut for the guests in test/e2e")
	_, err = inBrief(nil)
	assert.EqualError(t, err, "tests in brief: found 0 packages, expected 2")
}

// Without the newest kernel the others are booted, but where the ring must run.
func TestNewestKernelThatCannotBeHad(t *testing.T) {
	cache := t.TempDir()
	writeFile(t, filepath.Join(cache, newest, "kernel.json"), "{")
	var out strings.Builder
	s := &session{options: options{brief: newest}, kernels: []kernel{{Line: "6.1"}}, out: &lockedWriter{w: &out}}
	t.Setenv(ring.RequireEnv, "plain")
	require.NoError(t, s.addBrief(t.Context(), cache))
	assert.Len(t, s.kernels, 1)
	assert.Contains(t, out.String(), "newest is not booted: ")
	t.Setenv(ring.RequireEnv, "plain,vm")
	require.ErrorIs(t, s.addBrief(t.Context(), cache), errCannotRun)
}

func TestPattern(t *testing.T) {
	p := testPackage{rel: "a", tests: []string{"TestA", "TestB"}}
	assert.Equal(t, "^(TestA|TestB)$", (&session{}).pattern(p))
	assert.Equal(t, "TestX/y", (&session{options: options{run: "TestX/y"}}).pattern(p))
	assert.Empty(t, (&session{}).pattern(testPackage{rel: "a"}))
}

func TestPrefixWriter(t *testing.T) {
	var out strings.Builder
	n, err := (&prefixWriter{w: &out, prefix: "6.1 | "}).Write([]byte("one\r\ntwo"))
	require.NoError(t, err)
	assert.Equal(t, len("one\r\ntwo"), n)
	assert.Equal(t, "6.1 | one\n6.1 | two\n", out.String())
}

func TestTellIdle(t *testing.T) {
	var order []string
	jobs := make([]func() error, 3)
	for i := range jobs {
		jobs[i] = func() error {
			order = append(order, fmt.Sprintf("job %d", i))
			return nil
		}
	}
	idle := func() { order = append(order, "idle") }
	require.NoError(t, inParallel(1, tellIdle(jobs, idle)))
	assert.Equal(t, []string{"job 0", "job 1", "job 2", "idle"}, order)

	// With room for two, the third begins when one ends; the next to end leaves room. The first ends when the second has begun,
	// as else the third may begin and end before that, and leaves no room.
	begun, second, told := make(chan struct{}), make(chan struct{}), make(chan struct{})
	ended := make(chan error)
	go func() {
		ended <- inParallel(2, tellIdle([]func() error{
			func() error { <-begun; return nil },
			func() error { close(begun); <-second; return nil },
			func() error { return nil },
		}, func() { close(told) }))
	}()
	<-told
	close(second)
	require.NoError(t, <-ended)
}
