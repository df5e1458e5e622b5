// SPDX-License-Identifier: Apache-2.0

package elastic

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/test/internal/server"
)

// patience is how long a test waits for what has to come; it is no measure of speed.
const patience = 2 * time.Minute

var built = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("VEDETTE_BIN"); path != "" {
		return filepath.Abs(path)
	}
	path := filepath.Join(shared.dir, "vedette")
	cmd := exec.Command("go", "build", "-o", path, "../../cmd/vedette")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return path, err
})

// lockedBuffer takes what a process says while the test looks at it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// agent is the program itself with a configuration, which may be killed and started again.
type agent struct {
	t      *testing.T
	config string
	cmd    *exec.Cmd
	said   *lockedBuffer
}

func startAgent(t *testing.T, config string) *agent {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vedette.yaml")
	require.NoError(t, os.WriteFile(path, []byte(config), 0o600))
	a := &agent{t: t, config: path, said: &lockedBuffer{}}
	t.Cleanup(func() {
		a.kill()
		if t.Failed() {
			said := a.said.String()
			t.Logf("the agent said:\n%s", said[max(0, len(said)-6000):])
		}
	})
	a.up()
	return a
}

func (a *agent) up() {
	a.t.Helper()
	program, err := built()
	require.NoError(a.t, err)
	ready := strings.Count(a.said.String(), "Everything is ready")
	a.cmd = exec.Command(program, "--config", a.config)
	a.cmd.Stdout, a.cmd.Stderr = io.Discard, a.said
	require.NoError(a.t, a.cmd.Start())
	require.Eventually(a.t, func() bool { return strings.Count(a.said.String(), "Everything is ready") > ready },
		patience, 20*time.Millisecond, "the agent did not become ready")
}

// kill ends the agent as a power failure would.
func (a *agent) kill() {
	if a.cmd != nil && a.cmd.ProcessState == nil {
		_ = a.cmd.Process.Kill()
		_ = a.cmd.Wait()
	}
}

// stop ends the agent in order.
func (a *agent) stop() {
	a.t.Helper()
	require.NoError(a.t, a.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(a.t, a.cmd.Wait())
}

// resident is the memory of the agent, in MiB.
func (a *agent) resident() int {
	a.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", a.cmd.Process.Pid))
	require.NoError(a.t, err)
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	require.NoError(a.t, err)
	return pages * os.Getpagesize() >> 20
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// post sends a batch by OTLP as often as it takes: what was not acknowledged is sent again, as any sender does.
func post(ctx context.Context, url string, first, n int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
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

// eventsEnv is how many events TestNothingIsLostAndNothingDoubled sends. 1000000 takes minutes.
const eventsEnv = "VEDETTE_ELASTIC_EVENTS"

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
	port := freePort(t)
	a := startAgent(t, fmt.Sprintf(agentConfig, port, filepath.Join(t.TempDir(), "queue"), proxy.URL, proxy.CAFile, "endurance"))
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
			a.kill()
			a.up()
		case batches / 2:
			require.NoError(t, backend.Up(t.Context()))
		}
		require.NoError(t, post(t.Context(), url, i*perBatch, perBatch))
		peak = max(peak, a.resident())
	}
	a.kill()
	a.up()
	sent := batches * perBatch
	require.Eventually(t, func() bool { return stored(t, backend.URL, "logs-endurance-default") >= sent }, patience+time.Duration(sent/1000)*time.Second, time.Second)
	assert.Equal(t, sent, count(t, backend.URL, "logs-endurance-default"))
	assert.Equal(t, sent, distinct(t, backend.URL, "logs-endurance-default"))
	assert.Less(t, peak, 400, "MiB of memory")
	t.Logf("%d events, %d requests, at most %d MiB", sent, proxy.Seen(), peak)
	a.stop()
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
	t.Cleanup(func() { assert.NoError(t, syscall.Unmount(disk, 0)) })
	var away atomic.Bool
	away.Store(true)
	proxy := server.NewProxy(t, func() string {
		if away.Load() {
			return "http://127.0.0.1:1"
		}
		return backend.URL
	})
	port := freePort(t)
	config := fmt.Sprintf(agentConfig, port, disk, proxy.URL, proxy.CAFile, "fulldisk")
	config = strings.Replace(config, "    sending_queue:", "    queue_disk: {directory: "+disk+", min_free_mib: 1}\n    sending_queue:", 1)
	// The storage gives room back to the disk, once it has been large and is small again.
	config = strings.Replace(config, "create_directory: true", "compaction: {on_rebound: true, directory: "+t.TempDir()+
		", rebound_needed_threshold_mib: 2, rebound_trigger_threshold_mib: 1, check_interval: 1s}", 1)
	a := startAgent(t, config)
	url := fmt.Sprintf("http://127.0.0.1:%d/v1/logs", port)

	const perBatch = 500
	full := fillQueue(t, url, perBatch)
	rest := filepath.Join(disk, "somebody-elses")
	require.Error(t, os.WriteFile(rest, make([]byte, 4<<20), 0o600), "there is no room for all of it")
	away.Store(false)
	// On a disk without any room the queue either sends from what it has, or waits.
	require.Eventually(t, func() bool {
		return stored(t, backend.URL, "logs-fulldisk-default") > 0 || strings.Contains(a.said.String(), "The storage of the queue does not work")
	}, patience, 50*time.Millisecond)
	require.NoError(t, os.Remove(rest))
	for i := full; i < full+10; i++ {
		require.NoError(t, post(t.Context(), url, i*perBatch, perBatch))
	}
	sent := (full + 10) * perBatch
	require.Eventually(t, func() bool { return stored(t, backend.URL, "logs-fulldisk-default") >= sent }, patience, time.Second)
	assert.Equal(t, sent, distinct(t, backend.URL, "logs-fulldisk-default"))
	t.Logf("the disk was full after %d events", full*perBatch)
	a.stop()
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
