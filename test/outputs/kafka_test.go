// SPDX-License-Identifier: Apache-2.0

package outputs

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/test/internal/agent"
	"github.com/vedette-sec/vedette/test/internal/server"
)

// eventSource stands in for the sensor where events are sent on too.
const eventSource = `yaml:
service: {pipelines: {logs/events: {receivers: [otlp]}}}
`

// TestKafka: alerts wait until the broker is there and outlive its death, and come out of their topic as they went in;
// events come out of theirs.
func TestKafka(t *testing.T) {
	ring.Require(t, ring.Server)
	broker, err := server.Start(t.Context(), server.Kafka, t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, broker.Kill()) })
	require.NoError(t, broker.Stop())
	_, url := start(t, []string{outputs + "kafka.yaml", outputs + "kafka-events.yaml", eventSource}, "VEDETTE_KAFKA_BROKER="+broker.Address)
	early, late := alert("Early rule"), alert("Late rule")
	program(early)
	send(t, url, early)
	require.NoError(t, broker.Up(t.Context()))
	assert.ElementsMatch(t, texts(t, early), consume(t, broker.Address, "vedette.alerts", 2))
	assert.ElementsMatch(t, texts(t, early), consume(t, broker.Address, "vedette.events", 2))
	require.NoError(t, broker.Kill())
	send(t, url, late)
	require.NoError(t, broker.Up(t.Context()))
	assert.ElementsMatch(t, append(texts(t, early), texts(t, late)...), consume(t, broker.Address, "vedette.alerts", 3))
}

// program adds the start of a program, which has attributes of most types.
func program(logs plog.Logs) {
	lr := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().AppendEmpty()
	lr.SetEventName(event.KindProcessExec)
	lr.SetTimestamp(1)
	lr.Attributes().PutInt(event.AttrProcessPID, 1301)
	lr.Attributes().PutStr(event.AttrProcessExecutablePath, "/usr/bin/dash")
	args := lr.Attributes().PutEmptySlice(event.AttrProcessCommandArgs)
	args.AppendEmpty().SetStr("sh")
	args.AppendEmpty().SetStr("-c\n\xc3\xbc")
}

// consume reads a topic from its beginning until it has that many records.
func consume(t *testing.T, broker, topic string, n int) (found []string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), agent.Patience)
	defer cancel()
	for len(found) < n {
		fetches := client.PollFetches(ctx)
		require.NoError(t, ctx.Err(), "%s never had %d records, only %q", topic, n, found)
		for _, message := range fetches.Records() {
			logs, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(message.Value)
			require.NoError(t, err)
			found = append(found, texts(t, logs)...)
		}
	}
	return found
}

// texts are the records of a batch, whole, one by one.
func texts(t *testing.T, logs plog.Logs) (found []string) {
	t.Helper()
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				one := plog.NewLogs()
				rl := one.ResourceLogs().AppendEmpty()
				resource.Resource().CopyTo(rl.Resource())
				record.CopyTo(rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty())
				text, err := (&plog.JSONMarshaler{}).MarshalLogs(one)
				require.NoError(t, err)
				found = append(found, string(text))
			}
		}
	}
	return found
}
