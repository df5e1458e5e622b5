// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/reload"
	"github.com/vedette-sec/vedette/internal/ruleset"
	"github.com/vedette-sec/vedette/internal/rulestatus"
	"github.com/vedette-sec/vedette/processor/detectionprocessor/internal/metadata"
)

const toolRule = `title: Tool
id: 6c7f5b0e-0000-4000-8000-000000000009
logsource: {product: linux, category: process_creation}
detection:
  selection: {Image|endswith: /tool}
  condition: selection
`

func TestChangedFilesAreReadAnew(t *testing.T) {
	cfg, file := correlating(t, OutputAlerts, toolRule)
	cfg.Rules.ReloadInterval = time.Second
	sink := new(consumertest.LogsSink)
	p := start(t, cfg, sink)
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(toolRule, "/tool", "/other", 1)), 0o600))
	require.Eventually(t, func() bool {
		require.NoError(t, p.ConsumeLogs(context.Background(), batch(t, exec("/bin/other", nil))))
		return sink.LogRecordCount() > 0
	}, 30*time.Second, 50*time.Millisecond)
	assert.Equal(t, int64(2), attr(given(sink)[0], event.AttrVedetteRulesGeneration))
}

func TestHubReadsAnew(t *testing.T) {
	cfg, file := correlating(t, OutputAlerts, toolRule)
	hub := &reload.Hub{}
	ctx := reload.NewContext(context.Background(), hub)
	p, err := NewFactory().CreateLogs(ctx, processortest.NewNopSettings(metadata.Type), cfg, consumertest.NewNop())
	require.NoError(t, err)
	require.NoError(t, p.Start(ctx, componenttest.NewNopHost()))
	d := p.(*detection)
	hub.Reload(ctx)
	assert.Equal(t, int64(2), d.generation(), "who starts can be asked at once")
	hub.ReloadChanged(ctx)
	assert.Equal(t, int64(2), d.generation(), "nothing has changed")
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(toolRule, "/tool", "/another", 1)), 0o600))
	hub.ReloadChanged(ctx)
	assert.Equal(t, int64(3), d.generation())
	require.NoError(t, os.WriteFile(file, []byte("title: Broken\n"), 0o600))
	before := d.generation()
	hub.Reload(ctx)
	assert.Equal(t, before, d.generation())
	require.NoError(t, p.Shutdown(ctx))
	hub.Reload(ctx) // nobody is asked any more
}

func (d *detection) generation() int64 {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.current.number
}

// No event may be lost or judged twice while rules are replaced.
func TestReloadUnderLoad(t *testing.T) {
	cfg, _ := correlating(t, OutputAlerts, toolRule)
	sink := new(consumertest.LogsSink)
	p := start(t, cfg, sink)
	const workers, rounds = 4, 200
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range rounds {
				assert.NoError(t, p.ConsumeLogs(context.Background(), batch(t, exec("/opt/tool", nil), exec("/bin/true", nil))))
			}
		})
	}
	for range 20 {
		require.NoError(t, p.reload(context.Background()))
	}
	wg.Wait()
	assert.Equal(t, workers*rounds, sink.LogRecordCount())
}

func TestStatusFile(t *testing.T) {
	cfg, file := correlating(t, OutputAlerts, toolRule+"---\n"+strings.NewReplacer("09", "0a", "/tool", "/never").Replace(toolRule))
	cfg.Rules.OnError = OnErrorReport
	cfg.StatusFile = filepath.Join(t.TempDir(), "run", "rules.json")
	p := start(t, cfg, consumertest.NewNop())
	require.NoError(t, p.ConsumeLogs(context.Background(), batch(t, exec("/opt/tool", nil), exec("/opt/tool", nil))))
	p.writeStatus()
	s, err := rulestatus.Read(cfg.StatusFile)
	require.NoError(t, err)
	assert.Equal(t, int64(1), s.Generation)
	assert.Equal(t, os.Getpid(), s.PID)
	assert.Equal(t, 2, s.Counts[ruleset.Loaded])
	assert.Equal(t, []rulestatus.Matches{{ID: "6c7f5b0e-0000-4000-8000-000000000009", Title: "Tool", Level: "medium", Count: 2}}, s.Matches)
	assert.Nil(t, s.Failure)

	require.NoError(t, os.RemoveAll(filepath.Dir(file)))
	require.Error(t, p.reload(context.Background()))
	s, err = rulestatus.Read(cfg.StatusFile)
	require.NoError(t, err)
	require.NotNil(t, s.Failure)
	assert.Contains(t, s.Failure.Error, "does not exist")
	assert.Equal(t, int64(1), s.Generation)

	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, []byte(toolRule), 0o600))
	require.NoError(t, p.reload(context.Background()))
	s, err = rulestatus.Read(cfg.StatusFile)
	require.NoError(t, err)
	assert.Nil(t, s.Failure, "the reload after it went well")
	assert.Equal(t, int64(2), s.Generation)
	_, err = rulestatus.Read(cfg.StatusFile + "x")
	assert.ErrorContains(t, err, "no agent with a detection processor is running")
}
