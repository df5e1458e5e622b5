// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/exporter/elasticsearchexporter"
	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/test/internal/server"
)

const (
	elasticBatches = 10
	elasticBatch   = 2000 // records
)

// bareIndex and oursIndex are as long as each other, so that bodies for the one are bodies for the other.
const (
	bareIndex = "bench-bare-%03d"
	oursIndex = "bench-ours-%03d"
)

// elastic compares the exporter with a loop that posts the same bodies, made before, to the same server.
func elastic(ctx context.Context, b *bench) (found results, err error) {
	if reason := ring.ServersReason(); reason != "" {
		return nil, cannot("%s", reason)
	}
	everyday, err := b.everyday()
	if err != nil {
		return nil, err
	}
	logs := distinctBatches(everyday)
	bodies, err := recordBodies(ctx, logs)
	if err != nil {
		return nil, err
	}
	s, err := server.Start(ctx, server.Elasticsearch, filepath.Join(b.dir, "elasticsearch"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Kill(), os.RemoveAll(filepath.Join(b.dir, "elasticsearch"))) }()
	found = results{}
	for round := range b.rounds + 1 {
		bare, err := postBodies(ctx, s.URL, bodies, fmt.Sprintf(bareIndex, round))
		if err != nil {
			return nil, err
		}
		ours, err := exportBatches(ctx, s.URL, logs, fmt.Sprintf(oursIndex, round))
		if err != nil {
			return nil, err
		}
		if round > 0 { // The first one warms the server up.
			found.add("elastic_rate", bare.Seconds()/ours.Seconds())
		}
	}
	found.note("elastic_rate", "%d documents a round, in requests of %d", elasticBatches*elasticBatch, elasticBatch)
	return found, nil
}

// distinctBatches makes batches of one size of what was recorded, in which no two records are the same.
func distinctBatches(everyday []plog.Logs) []plog.Logs {
	batches := make([]plog.Logs, 0, elasticBatches)
	var records plog.LogRecordSlice
	n := 0
	for len(batches) < elasticBatches || records.Len() < elasticBatch {
		for _, logs := range everyday {
			forEach(logs, func(resource plog.ResourceLogs, record plog.LogRecord) {
				if n == elasticBatches*elasticBatch {
					return
				}
				if n%elasticBatch == 0 {
					batch := plog.NewLogs()
					rl := batch.ResourceLogs().AppendEmpty()
					resource.Resource().CopyTo(rl.Resource())
					records = rl.ScopeLogs().AppendEmpty().LogRecords()
					batches = append(batches, batch)
				}
				copied := records.AppendEmpty()
				record.CopyTo(copied)
				copied.SetObservedTimestamp(pcommon.Timestamp(n))
				n++
			})
		}
	}
	return batches
}

func startElastic(ctx context.Context, url, index string) (exporter.Logs, error) {
	factory := elasticsearchexporter.NewFactory()
	cfg := factory.CreateDefaultConfig()
	err := confmap.NewFromStringMap(map[string]any{
		"endpoint": url, "index": index, "compression": "none", "product_check": "off", "bulk": map[string]any{"max_size_mib": 50},
		"sending_queue": map[string]any{"enabled": false}, "retry_on_failure": map[string]any{"enabled": false},
	}).Unmarshal(cfg)
	if err != nil {
		return nil, err
	}
	e, err := factory.CreateLogs(ctx, exportertest.NewNopSettings(factory.Type()), cfg)
	if err != nil {
		return nil, err
	}
	return e, e.Start(ctx, componenttest.NewNopHost())
}

// recordBodies has the exporter make the bodies, for a server that only keeps them.
func recordBodies(ctx context.Context, logs []plog.Logs) (bodies [][]byte, err error) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		bodies = append(bodies, body)
		items := strings.Repeat(`,{"create":{"status":201}}`, bytes.Count(body, []byte("\n"))/2)
		_, _ = fmt.Fprintf(w, `{"errors":false,"items":[%s]}`, items[1:])
	}))
	defer s.Close()
	_, err = exportBatches(ctx, s.URL, logs, fmt.Sprintf(bareIndex, 0))
	return bodies, err
}

func exportBatches(ctx context.Context, url string, logs []plog.Logs, index string) (took time.Duration, err error) {
	e, err := startElastic(ctx, url, index)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, e.Shutdown(ctx)) }()
	begin := time.Now()
	for _, batch := range logs {
		if err := e.ConsumeLogs(ctx, batch); err != nil {
			return 0, err
		}
	}
	return time.Since(begin), nil
}

// postBodies is the loop to compare with: it does nothing but post.
func postBodies(ctx context.Context, url string, bodies [][]byte, index string) (time.Duration, error) {
	renamed := make([][]byte, len(bodies))
	for i, body := range bodies {
		renamed[i] = bytes.ReplaceAll(body, []byte(fmt.Sprintf(bareIndex, 0)), []byte(index))
	}
	begin := time.Now()
	for _, body := range renamed {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/_bulk?filter_path=errors", bytes.NewReader(body))
		if err != nil {
			return 0, err
		}
		req.Header.Set("Content-Type", "application/x-ndjson")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err
		}
		text, err := io.ReadAll(res.Body)
		if err = errors.Join(err, res.Body.Close()); err != nil {
			return 0, err
		}
		if string(text) != `{"errors":false}` {
			return 0, fmt.Errorf("the server answered %s to a bare request", text[:min(len(text), 200)])
		}
	}
	return time.Since(begin), nil
}
