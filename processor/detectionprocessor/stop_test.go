// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/vedette-sec/vedette/extension/enforcementextension/enforcement"
	"github.com/vedette-sec/vedette/processor/detectionprocessor/internal/metadata"
)

func TestAlertsThatNobodyTookBeforeTheStopAreCounted(t *testing.T) {
	cfg, _ := correlating(t, OutputAlerts, scans)
	cfg.Correlation.AllowedLateness = time.Second
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	set := processortest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = tel.NewTelemetrySettings()
	refused := make(chan struct{}, 1)
	next, err := consumer.NewLogs(func(context.Context, plog.Logs) error {
		select {
		case refused <- struct{}{}:
		default:
		}
		return errors.New("full")
	})
	require.NoError(t, err)
	ctx := context.Background()
	p, err := NewFactory().CreateLogs(ctx, set, cfg, next)
	require.NoError(t, err)
	require.NoError(t, p.Start(ctx, componenttest.NewNopHost()))
	begin := time.Since(testTime)
	require.NoError(t, p.ConsumeLogs(ctx, batch(t, scan(begin-3*time.Second, "ann"), scan(begin-2*time.Second, "ann"), scan(begin, "ann"))))
	<-refused
	require.NoError(t, p.Shutdown(ctx))
	got, err := tel.GetMetric("otelcol_processor_detection_alerts_lost")
	require.NoError(t, err)
	assert.Equal(t, int64(1), got.Data.(metricdata.Sum[int64]).DataPoints[0].Value)
}

func TestOutcomesThatAreThereAtTheStopAreTold(t *testing.T) {
	const outcomes = 16
	sink := new(consumertest.LogsSink)
	cfg, _ := correlating(t, OutputAlerts, scans)
	d, err := newDetection(processortest.NewNopSettings(metadata.Type), cfg, sink)
	require.NoError(t, err)
	results := make(chan enforcement.Result, outcomes)
	for range outcomes {
		results <- enforcement.Result{Request: enforcement.Request{Action: enforcement.KillProcess}, Outcome: enforcement.Done, Time: testTime}
	}
	d.responses = &responses{results: results, leave: func() {}, resource: pcommon.NewResource()}
	stopped, stop := context.WithCancel(context.Background())
	stop()
	d.tell(stopped)
	assert.Equal(t, outcomes, sink.LogRecordCount())
}
