// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
)

func TestCountChildren(t *testing.T) {
	ring.RequireOnHost(t)
	for script, want := range map[string]int{
		":":                                    0,
		"/bin/true; /bin/true; exit 1":         2,
		"(/bin/true; :) & /bin/true; wait":     3,
		"kill -URG $$; x=$(/bin/echo a); :":    1,
		"exec sh -c '/bin/true; exec sh -c :'": 1,
	} {
		children, _, err := countChildren("sh", "-c", script)
		require.NoError(t, err, script)
		assert.Equal(t, want, children, script)
	}
	_, output, err := countChildren("sh", "-c", "/bin/echo a; /bin/echo b")
	require.NoError(t, err)
	assert.Equal(t, "a\nb\n", string(output))
	_, _, err = countChildren("sh", "-c", "exit 2")
	assert.ErrorContains(t, err, "expected that it exits with 0 or 1")
	_, _, err = countChildren("/not/there")
	assert.ErrorContains(t, err, "/not/there")
}

// threadsOnly has the test program make threads in place of the tests.
const threadsOnly = "VEDETTE_TEST_THREADS_ONLY"

func TestThreadsAreNoChildren(t *testing.T) {
	ring.RequireOnHost(t)
	if os.Getenv(threadsOnly) != "" {
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { _, _ = os.ReadFile("/proc/self/status") })
		}
		all.Wait()
		return
	}
	t.Setenv(threadsOnly, "1")
	children, output, err := countChildren(os.Args[0], "-test.run", "^TestThreadsAreNoChildren$")
	require.NoError(t, err, string(output))
	assert.Zero(t, children)
}
