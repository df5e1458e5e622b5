// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"

	"github.com/vedette-sec/vedette/internal/event"
)

// An event may have attributes that alerts have too: what the alert says counts, and what it does not say stays.
func TestAlertOfAnEventThatSaysTheSame(t *testing.T) {
	sink := new(consumertest.LogsSink)
	in := batch(t, exec("/opt/tool", map[string]any{
		event.AttrEventKind: "event", event.AttrSecurityRuleName: "of another", event.AttrSecurityRuleLicense: "MIT", event.AttrVedetteSuppressedCount: 3,
	}))
	log := in.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	log.SetTraceID([16]byte{1})
	log.SetSpanID([8]byte{2})
	log.SetFlags(1)
	log.SetDroppedAttributesCount(4)
	require.NoError(t, start(t, testRules(OutputAlerts), sink).ConsumeLogs(context.Background(), in))
	alert := given(sink)[0]
	assert.Equal(t, "alert", attr(alert, event.AttrEventKind))
	assert.Equal(t, "Tool run", attr(alert, event.AttrSecurityRuleName))
	assert.Equal(t, "MIT", attr(alert, event.AttrSecurityRuleLicense), "the rule has none")
	assert.Equal(t, int64(3), attr(alert, event.AttrVedetteSuppressedCount), "the alert folds none")
	assert.Equal(t, log.TraceID(), alert.TraceID())
	assert.Equal(t, log.SpanID(), alert.SpanID())
	assert.Equal(t, log.Flags(), alert.Flags())
	assert.Equal(t, log.DroppedAttributesCount(), alert.DroppedAttributesCount())
	assert.Equal(t, log.Timestamp(), alert.Timestamp())
	seen := map[string]bool{}
	for name := range alert.Attributes().All() {
		assert.False(t, seen[name], "%s is there twice", name)
		seen[name] = true
		_, ofEvent := log.Attributes().Get(name)
		assert.True(t, ofEvent || has(namesOfAlert, name), "%s may be one of the event too", name)
	}
}

func has(names map[string]struct{}, name string) bool {
	_, ok := names[name]
	return ok
}
