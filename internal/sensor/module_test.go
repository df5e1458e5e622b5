// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package sensor

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/ring"
)

// aModule is the file of a module without dependencies, in a guest.
func aModule(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("/lib/modules/*/dummy.ko")
	require.NoError(t, err)
	require.Len(t, files, 1)
	return files[0]
}

func TestModules(t *testing.T) {
	ring.Require(t, ring.VM)
	eachTier(t, KindModuleLoad, func(t *testing.T, tier Tier) {
		s := watch(t, tier, Options{Kinds: []Kind{KindModuleLoad, KindModuleUnload}})
		name := aModule(t)
		f, err := os.Open(name)
		require.NoError(t, err)
		defer f.Close()
		content, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NoError(t, unix.FinitModule(int(f.Fd()), "", 0))
		require.NoError(t, unix.DeleteModule("dummy", 0))
		require.NoError(t, unix.InitModule(content, ""))
		require.NoError(t, unix.DeleteModule("dummy", 0))

		type told struct {
			kind   Kind
			origin uint32
			path   string
		}
		var have []told
		var batch Batch
		_, err = s.Drain(&batch)
		require.NoError(t, err)
		for _, r := range batch.Records {
			e, path, err := r.Module()
			require.NoError(t, err)
			assert.EqualValues(t, os.Getpid(), e.Head.Tgid)
			assert.Equal(t, "dummy", unix.ByteSliceToString(asBytes(e.Name[:])))
			have = append(have, told{r.Kind(), e.Origin, string(path)})
		}
		assert.Equal(t, []told{
			{KindModuleLoad, uint32(bpf.SensorModuleOriginMODULE_FROM_FILE), name},
			{KindModuleUnload, 0, ""},
			{KindModuleLoad, uint32(bpf.SensorModuleOriginMODULE_FROM_MEMORY), ""},
			{KindModuleUnload, 0, ""},
		}, have)
	})
}

func asBytes(chars []int8) []byte {
	bytes := make([]byte, len(chars))
	for i, c := range chars {
		bytes[i] = byte(c)
	}
	return bytes
}

// A kernel without modules is no failure: there is nothing to see.
func TestKernelWithoutModules(t *testing.T) {
	ring.Require(t, ring.Native)
	s := watch(t, Tracepoint, Options{Kinds: []Kind{KindExit, KindModuleLoad}})
	_, err := os.Stat("/proc/modules")
	for _, tier := range s.Tiers() {
		assert.Equal(t, tier.Kind == KindModuleLoad && os.IsNotExist(err), tier.Absent != "", tier.Absent)
	}
}
