// SPDX-License-Identifier: Apache-2.0

package elastic

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/test/internal/agent"
	"github.com/vedette-sec/vedette/test/internal/server"
)

// post sends a batch by OTLP as often as it takes: what was not acknowledged is sent again, as any sender does.
func post(ctx context.Context, url string, first, n int) error {
	ctx, cancel := context.WithTimeout(ctx, agent.Patience)
	defer cancel()
	body, err := plogotlp.NewExportRequestFromLogs(files(first, n)).MarshalProto()
	if err != nil {
		return err
	}
	for {
		if postOnce(ctx, url, body) == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func postOnce(ctx context.Context, url string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the agent answered %s", res.Status)
	}
	return nil
}

const agentConfig = `
receivers:
  otlp:
    protocols:
      http:
        endpoint: 127.0.0.1:%[1]d
extensions:
  file_storage:
    directory: %[2]s
    create_directory: true
exporters:
  elasticsearch:
    endpoint: %[3]s
    tls: {ca_file: %[4]s}
    data_stream: {dataset: %[5]s}
    retry_on_failure: {initial_interval: 100ms, max_interval: 1s}
    sending_queue:
      storage: file_storage
      sizer: items
      queue_size: 10000000
      batch: {sizer: items, min_size: 1000, max_size: 2000, flush_timeout: 200ms}
service:
  extensions: [file_storage]
  pipelines:
    logs: {receivers: [otlp], exporters: [elasticsearch]}
  telemetry:
    metrics: {level: none}
    logs: {level: info, encoding: console, output_paths: [stderr]}
`

// eventsEnv is how many events TestNothingIsLostAndNothingDoubled and TestFullDiskAtTheAgent send. 1000000 takes minutes.
const eventsEnv = "VEDETTE_ELASTIC_EVENTS"

// patienceFor is how long so many events may take to arrive after the last was taken in.
func patienceFor(events int) time.Duration {
	return agent.Patience + time.Duration(events/1000)*time.Second
}

func eventCount(t *testing.T) int {
	t.Helper()
	text := os.Getenv(eventsEnv)
	if text == "" {
		return 20_000
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, eventsEnv)
	return n
}

// TestNothingIsLostAndNothingDoubled: while events are sent, the server answers 429 and 503, breaks connections before
// and within an answer, and is killed; the agent is killed, too. In the end each event is one document.
func TestNothingIsLostAndNothingDoubled(t *testing.T) {
	backend := node(t, server.Elasticsearch)
	template(t, backend.URL, "logs-endurance", `,"process":{"properties":{"pid":{"type":"long"}}}`)
	proxy := server.NewProxy(t, func() string { return backend.URL })
	port := agent.FreePort(t)
	a := agent.Start(t, []string{"yaml:" + fmt.Sprintf(agentConfig, port, filepath.Join(t.TempDir(), "queue"), proxy.URL, proxy.CAFile, "endurance")}, nil)
	url := fmt.Sprintf("http://127.0.0.1:%d/v1/logs", port)

	const perBatch = 500
	batches := eventCount(t) / perBatch
	r := rand.New(rand.NewPCG(1, 2))
	peak := 0
	for i := range batches {
		if i%3 == 0 {
			proxy.Fail(server.Fault(r.IntN(5)))
		}
		switch i {
		case batches / 4:
			require.NoError(t, backend.Kill())
		case batches / 3, batches * 2 / 3:
			a.Kill()
			a.Up()
		case batches / 2:
			require.NoError(t, backend.Up(t.Context()))
		}
		require.NoError(t, post(t.Context(), url, i*perBatch, perBatch))
		peak = max(peak, a.Resident())
	}
	a.Kill()
	a.Up()
	sent := batches * perBatch
	require.Eventually(t, func() bool { return stored(t.Context(), backend.URL, "logs-endurance-default") >= sent }, patienceFor(sent), time.Second)
	assert.Equal(t, sent, count(t, backend.URL, "logs-endurance-default"))
	assert.Equal(t, sent, distinct(t, backend.URL, "logs-endurance-default"))
	assert.Less(t, peak, 400, "MiB of memory")
	t.Logf("%d events, %d requests, at most %d MiB", sent, proxy.Seen(), peak)
	a.Stop()
}

// TestFullDiskAtTheAgent: while the server is away the queue fills its disk, as far as it may, and then something else
// fills the rest. What does not fit is not acknowledged, so its sender keeps it; and everything arrives in the end.
func TestFullDiskAtTheAgent(t *testing.T) {
	backend := node(t, server.Elasticsearch)
	template(t, backend.URL, "logs-fulldisk", `,"process":{"properties":{"pid":{"type":"long"}}}`)
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=4m"); err != nil {
		ring.Cannot(t, "it cannot mount a small file system: "+err.Error())
	}
	t.Cleanup(func() { ring.Unmount(t, disk) })
	var away atomic.Bool
	away.Store(true)
	proxy := server.NewProxy(t, func() string {
		if away.Load() {
			return "http://127.0.0.1:1"
		}
		return backend.URL
	})
	port := agent.FreePort(t)
	config := fmt.Sprintf(agentConfig, port, disk, proxy.URL, proxy.CAFile, "fulldisk")
	config = strings.Replace(config, "    sending_queue:", "    queue_disk: {directory: "+disk+", min_free_mib: 1}\n    sending_queue:", 1)
	// The storage gives room back to the disk, once it has been large and is small again.
	config = strings.Replace(config, "create_directory: true", "compaction: {on_rebound: true, directory: "+t.TempDir()+
		", rebound_needed_threshold_mib: 2, rebound_trigger_threshold_mib: 1, check_interval: 1s}", 1)
	a := agent.Start(t, []string{"yaml:" + config}, nil)
	url := fmt.Sprintf("http://127.0.0.1:%d/v1/logs", port)

	const perBatch = 500
	full := fillQueue(t, url, perBatch)
	rest := filepath.Join(disk, "somebody-elses")
	require.Error(t, os.WriteFile(rest, make([]byte, 4<<20), 0o600), "there is no room for all of it")
	away.Store(false)
	// On a disk without any room the queue either sends from what it has, or waits.
	require.Eventually(t, func() bool {
		return stored(t.Context(), backend.URL, "logs-fulldisk-default") > 0 || strings.Contains(a.Said(), "The storage of the queue does not work")
	}, agent.Patience, 50*time.Millisecond)
	require.NoError(t, os.Remove(rest))
	batches := max(full+10, eventCount(t)/perBatch)
	for i := full; i < batches; i++ {
		require.NoError(t, post(t.Context(), url, i*perBatch, perBatch))
	}
	sent := batches * perBatch
	require.Eventually(t, func() bool { return stored(t.Context(), backend.URL, "logs-fulldisk-default") >= sent }, patienceFor(sent), time.Second)
	assert.Equal(t, sent, count(t, backend.URL, "logs-fulldisk-default"))
	assert.Equal(t, sent, distinct(t, backend.URL, "logs-fulldisk-default"))
	t.Logf("%d events, and the disk was full after %d", sent, full*perBatch)
	a.Stop()
}

// fillQueue sends batches until one is refused, and returns how many were not.
func fillQueue(t *testing.T, url string, perBatch int) int {
	t.Helper()
	for i := range 1000 {
		body, err := plogotlp.NewExportRequestFromLogs(files(i*perBatch, perBatch)).MarshalProto()
		require.NoError(t, err)
		if postOnce(t.Context(), url, body) != nil {
			return i
		}
	}
	require.Fail(t, "the disk never became full")
	return 0
}

// distinct counts the process ids that the documents name, by asking for all of them. Each event names another.
func distinct(t *testing.T, url, index string) int {
	t.Helper()
	const page = 5000
	seen, after := map[int64]bool{}, ""
	for {
		answer := must(t, http.MethodPost, url+"/"+index+"/_search",
			fmt.Sprintf(`{"size":%d,"_source":false,"sort":["process.pid"]%s}`, page, after))
		hits := answer["hits"].(map[string]any)["hits"].([]any)
		for _, hit := range hits {
			pid := int64(hit.(map[string]any)["sort"].([]any)[0].(float64))
			seen[pid] = true
			after = fmt.Sprintf(`,"search_after":[%d]`, pid)
		}
		if len(hits) < page {
			return len(seen)
		}
	}
}
