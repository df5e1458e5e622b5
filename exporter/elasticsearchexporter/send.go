// SPDX-License-Identifier: Apache-2.0

package elasticsearchexporter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
)

// replyFilter keeps the answers short.
var replyFilter = []string{"errors", "items.*.status", "items.*.error.type", "items.*.error.reason", "items.*.error.caused_by.reason", "items.*.failure_store"}

// maxReply bounds what is read of an answer, in bytes: far more than one about the largest request.
const maxReply = 256 << 20

// answer is what came back for one request: a status and text.
type answer struct {
	status int
	header http.Header
	text   []byte
}

// refusal is a document that the server will never take.
type refusal struct {
	position
	target, kind, reason, document string
}

// delivery is one batch on its way. The records that are to be sent again, and those that are refused, add up.
type delivery struct {
	e       *exporter
	bulk    *bulk
	again   []position
	refused []refusal
	err     error         // why the first of again is to be sent again
	delay   time.Duration // the server asks for
	down    bool          // a whole request failed, so that the next would too
}

// flush sends what the bulk holds and empties it.
func (d *delivery) flush(ctx context.Context) {
	if len(d.bulk.entries) > 0 {
		d.send(ctx, d.bulk.entries)
	}
	d.bulk.reset()
}

func (d *delivery) send(ctx context.Context, entries []entry) {
	if d.down {
		d.retryAll(ctx, entries, nil, reasonNotSent)
		return
	}
	a, err := d.e.post(ctx, d.e.documents(d.bulk.text(entries)))
	if err != nil {
		d.down = true
		d.retryAll(ctx, entries, err, "connection")
		return
	}
	switch fateOfRequest(a.status) {
	case taken:
		d.read(ctx, entries, a)
	case halved:
		d.halve(ctx, entries, a)
	case never:
		d.refuseAll(entries, a)
	default:
		d.down = true
		d.delay = max(d.delay, retryAfter(a.header, time.Now()))
		d.retryAll(ctx, entries, a.problem(), strconv.Itoa(a.status))
	}
}

// problem is an answer as an error.
func (a answer) problem() error {
	return fmt.Errorf("the server answered %d %s: %s", a.status, http.StatusText(a.status), excerpt(a.text))
}

// excerpt keeps error messages readable.
func excerpt(text []byte) []byte {
	const limit = 500
	return bytes.ToValidUTF8(bytes.TrimSpace(text[:min(limit, len(text))]), nil)
}

func (d *delivery) retryAll(ctx context.Context, entries []entry, err error, reason string) {
	for _, e := range entries {
		d.again = append(d.again, e.position)
	}
	if d.err == nil {
		d.err = err
	}
	d.e.count(ctx, int64(len(entries)), "retried", reason)
}

func (d *delivery) refuseAll(entries []entry, a answer) {
	kind := strconv.Itoa(a.status)
	for _, e := range entries {
		d.refuse(e, kind, a.problem().Error())
	}
}

func (d *delivery) refuse(e entry, kind, reason string) {
	d.refused = append(d.refused, refusal{position: e.position, target: e.target, kind: kind, reason: reason, document: d.bulk.document(e)})
}

// halve sends in two requests what was too large for one. One document that is too large alone is refused.
func (d *delivery) halve(ctx context.Context, entries []entry, a answer) {
	if len(entries) == 1 {
		d.refuseAll(entries, a)
		return
	}
	d.send(ctx, entries[:len(entries)/2])
	d.send(ctx, entries[len(entries)/2:])
}

// read goes through an answer document by document.
func (d *delivery) read(ctx context.Context, entries []entry, a answer) {
	r, err := parseReply(a.text, len(entries))
	if err != nil {
		d.down = true
		d.retryAll(ctx, entries, err, "answer")
		return
	}
	counts := map[[2]string]int64{}
	for i, e := range entries {
		result := r.Items[i].result()
		switch result.fate() {
		case again:
			d.again = append(d.again, e.position)
			if d.err == nil {
				d.err = fmt.Errorf("a document for %s was not taken: %s", e.target, result.why())
			}
		case never:
			d.refuse(e, result.errorType(), result.why())
			continue // It is counted when it has got to the dead letters.
		}
		outcome, reason := result.outcome()
		counts[[2]string{outcome, reason}]++
	}
	for key, n := range counts {
		d.e.count(ctx, n, key[0], key[1])
		if key[0] == "failure_store" {
			d.e.logger.Warn("Documents went to the failure store of their data stream, because the server could not index them",
				zap.Int64("documents", n), zap.String("reason", key[1]))
		}
	}
}

func (e *exporter) count(ctx context.Context, n int64, outcome, reason string) {
	e.telemetry.ExporterElasticsearchDocuments.Add(ctx, n,
		metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", outcome), attribute.String("reason", reason))))
}

// documents is the request for a body of ordinary documents.
func (e *exporter) documents(body []byte) esapi.BulkRequest {
	request := bulkRequest(body)
	request.Pipeline, request.Routing = e.cfg.Pipeline, e.cfg.Routing
	if e.cfg.DataStream.Require {
		request.RequireDataStream = &e.cfg.DataStream.Require
	}
	return request
}

func bulkRequest(body []byte) esapi.BulkRequest {
	return esapi.BulkRequest{
		Body: bytes.NewReader(body), FilterPath: replyFilter, Header: http.Header{"Content-Type": {"application/x-ndjson"}},
	}
}

// post sends one request and reads the whole answer: half an answer is none.
func (e *exporter) post(ctx context.Context, request esapi.BulkRequest) (answer, error) {
	if e.cfg.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, e.cfg.Timeout)
		defer cancel()
	}
	size := request.Body.(*bytes.Reader).Size()
	a, err := perform(ctx, request, e.client)
	status := "none"
	if err == nil {
		status = strconv.Itoa(a.status)
	}
	e.telemetry.ExporterElasticsearchRequests.Add(ctx, 1, metric.WithAttributeSet(attribute.NewSet(attribute.String("status", status))))
	e.telemetry.ExporterElasticsearchSent.Add(ctx, size)
	return a, err
}

func perform(ctx context.Context, request esapi.Request, transport esapi.Transport) (answer, error) {
	response, err := request.Do(ctx, transport)
	if err != nil {
		return answer{}, fmt.Errorf("talk to Elasticsearch: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxReply+1))
	switch {
	case err != nil:
		return answer{}, fmt.Errorf("read the answer of Elasticsearch: %w", err)
	case len(text) > maxReply:
		return answer{}, errors.New("read the answer of Elasticsearch: it is longer than any could be")
	}
	return answer{status: response.StatusCode, header: response.Header, text: text}, nil
}
