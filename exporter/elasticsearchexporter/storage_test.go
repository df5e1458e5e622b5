// SPDX-License-Identifier: Apache-2.0

package elasticsearchexporter

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"

	"github.com/vedette-sec/vedette/exporter/elasticsearchexporter/internal/metadata"
)

var errFull = errors.New("no space left on device")

// fullDisk is a storage that fails as one on a full disk does, as often as it is told.
type fullDisk struct {
	storage.Client
	failures int
}

func (*fullDisk) Start(context.Context, component.Host) error { return nil }
func (*fullDisk) Shutdown(context.Context) error              { return nil }

func (d *fullDisk) GetClient(context.Context, component.Kind, component.ID, string) (storage.Client, error) {
	return d, nil
}

func (d *fullDisk) Batch(context.Context, ...*storage.Operation) error {
	if d.failures == 0 {
		return nil
	}
	d.failures--
	return errFull
}

func patient(t *testing.T, d *fullDisk) (storage.Client, *waiting) {
	id := component.MustNewID("file_storage")
	w := &waiting{logger: zap.NewNop(), stop: make(chan struct{})}
	host := patientHost{extensions{componenttest.NewNopHost(), map[component.ID]component.Component{id: d}}, id, w}
	client, err := host.GetExtensions()[id].(storage.Extension).GetClient(t.Context(), component.KindExporter, component.NewID(metadata.Type), "logs")
	require.NoError(t, err)
	return client, w
}

type extensions struct {
	component.Host
	all map[component.ID]component.Component
}

func (e extensions) GetExtensions() map[component.ID]component.Component { return e.all }

func TestQueueWaitsForItsStorage(t *testing.T) {
	d := &fullDisk{failures: 1}
	client, w := patient(t, d)
	require.ErrorIs(t, client.Batch(t.Context(), storage.SetOperation("a", nil)), errFull, "the sender keeps what cannot be put in")
	d.failures = 2
	require.NoError(t, client.Batch(t.Context(), storage.SetOperation("a", nil), storage.GetOperation("b")))
	assert.Zero(t, d.failures)
	d.failures = 1_000_000
	w.end()
	w.end() // as Shutdown may be called again
	require.ErrorIs(t, client.Batch(t.Context(), storage.DeleteOperation("a")), errFull)
}

func TestDiskCheck(t *testing.T) {
	assert.NoError(t, (&DiskConfig{}).check())
	d := &DiskConfig{Directory: t.TempDir(), MinFreeMiB: 1}
	require.NoError(t, d.check())
	d.MinFreeMiB = 1 << 40
	assert.ErrorContains(t, d.check(), "are to stay free")
	d.Directory = filepath.Join(t.TempDir(), "none")
	assert.ErrorContains(t, d.check(), "look at the disk of the queue")
}

func TestNothingIsTakenInOnAFullDisk(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.Endpoints = []string{"http://127.0.0.1:1"}
	cfg.QueueDisk = DiskConfig{Directory: t.TempDir(), MinFreeMiB: 1 << 40}
	e, err := NewFactory().CreateLogs(t.Context(), exportertest.NewNopSettings(metadata.Type), cfg)
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	assert.ErrorContains(t, e.ConsumeLogs(t.Context(), batch(t, 1)), "are to stay free")
	require.NoError(t, e.Shutdown(t.Context()))
}

func TestShutdownWithoutStart(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.Endpoints = []string{"http://127.0.0.1:1"}
	e, err := NewFactory().CreateLogs(t.Context(), exportertest.NewNopSettings(metadata.Type), cfg)
	require.NoError(t, err)
	require.NoError(t, e.Shutdown(t.Context()))
}
