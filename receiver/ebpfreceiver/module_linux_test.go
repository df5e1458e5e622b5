// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package ebpfreceiver

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/ring"
)

func TestTaintNames(t *testing.T) {
	assert.Equal(t, []string{"out_of_tree", "unsigned"}, taintNames(1<<12|1<<13|1<<9))
	assert.Empty(t, taintNames(0))
}

// TestModuleEvents loads a module in a guest, from its file and from memory.
func TestModuleEvents(t *testing.T) {
	ring.Require(t, ring.VM)
	files, err := filepath.Glob("/lib/modules/*/dummy.ko")
	require.NoError(t, err)
	require.Len(t, files, 1)
	content, err := os.ReadFile(files[0])
	require.NoError(t, err)
	f, err := os.Open(files[0])
	require.NoError(t, err)
	defer f.Close()
	sink := &consumertest.LogsSink{}
	r := create(t, nil, sink, event.KindKernelModuleLoad, event.KindKernelModuleUnload)
	start(t, r)
	require.NoError(t, unix.FinitModule(int(f.Fd()), "", 0))
	require.NoError(t, unix.DeleteModule("dummy", 0))
	require.NoError(t, unix.InitModule(append(content, 0), ""))
	require.NoError(t, unix.DeleteModule("dummy", 0))
	shutdown(t, r)

	var have []string
	for _, r := range recordsOf(sink) {
		assertVocabulary(t, r)
		assert.Equal(t, "dummy", r.text(event.AttrDllName))
		have = append(have, r.EventName()+" "+r.text(event.AttrKernelModuleOrigin)+" "+r.text(event.AttrDllPath))
	}
	assert.Equal(t, []string{
		"kernel.module_load file " + files[0], "kernel.module_unload  ",
		"kernel.module_load memory ", "kernel.module_unload  ",
	}, have)
}
