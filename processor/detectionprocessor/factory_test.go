// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/vedette-sec/vedette/processor/detectionprocessor/internal/metadata"
)

func TestFactory(t *testing.T) {
	factory := NewFactory()
	assert.Equal(t, metadata.Type, factory.Type())
	assert.Equal(t, metadata.LogsStability, factory.LogsStability())
	assert.NoError(t, componenttest.CheckConfigStruct(factory.CreateDefaultConfig()))
}

func TestLifecycle(t *testing.T) {
	ctx := context.Background()
	create := func(t *testing.T) *detection {
		p, err := NewFactory().CreateLogs(ctx, processortest.NewNopSettings(metadata.Type), builtinRules(OutputAlerts), consumertest.NewNop())
		require.NoError(t, err)
		return p.(*detection)
	}
	t.Run("shutdown without start", func(t *testing.T) {
		require.NoError(t, create(t).Shutdown(ctx))
	})
	t.Run("two lives", func(t *testing.T) {
		for range 2 {
			p := create(t)
			require.NoError(t, p.Start(ctx, componenttest.NewNopHost()))
			require.NoError(t, p.ConsumeLogs(ctx, plog.NewLogs()))
			require.NoError(t, p.Shutdown(ctx))
		}
	})
}

func TestCapabilities(t *testing.T) {
	for output, mutates := range map[Output]bool{OutputAlerts: false, OutputAnnotate: true, OutputAppend: true} {
		cfg := createDefaultConfig().(*Config)
		cfg.Output = output
		p, err := NewFactory().CreateLogs(context.Background(), processortest.NewNopSettings(metadata.Type), cfg, consumertest.NewNop())
		require.NoError(t, err)
		assert.Equal(t, mutates, p.Capabilities().MutatesData, output)
	}
}
