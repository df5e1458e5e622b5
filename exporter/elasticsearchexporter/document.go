// SPDX-License-Identifier: Apache-2.0

package elasticsearchexporter

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/ecs"
	"github.com/vedette-sec/vedette/internal/jsontext"
)

// source is one record with what it belongs to.
type source struct {
	resource plog.ResourceLogs
	scope    plog.ScopeLogs
	record   plog.LogRecord
}

// documentEncoder appends records as documents of one line.
type documentEncoder interface {
	// append's error says why the record can never be a document.
	append(dst []byte, stream ecs.Stream, from source) ([]byte, error)
}

func newDocumentEncoder(mode string) documentEncoder {
	switch mode {
	case modeOTel:
		return otelEncoder{}
	case modeBodyMap:
		return bodyMapEncoder{}
	default:
		return ecsEncoder{ecs.NewEncoder()}
	}
}

type ecsEncoder struct{ encoder *ecs.Encoder }

func (e ecsEncoder) append(dst []byte, stream ecs.Stream, from source) ([]byte, error) {
	return e.encoder.AppendDocumentOf(dst, stream, from.resource.Resource(), from.record), nil
}

// otelEncoder writes documents as Elasticsearch's own templates for OpenTelemetry data streams expect them.
type otelEncoder struct{}

func (otelEncoder) append(dst []byte, stream ecs.Stream, from source) ([]byte, error) {
	return appendOTel(dst, stream, from), nil
}

func appendOTel(dst []byte, stream ecs.Stream, from source) []byte {
	lr := from.record
	dst = appendTime(append(dst, '{'), "@timestamp", timeOf(lr))
	if at := lr.ObservedTimestamp(); at != 0 {
		dst = appendTime(dst, "observed_timestamp", at)
	}
	if n := lr.SeverityNumber(); n != plog.SeverityNumberUnspecified {
		dst = strconv.AppendInt(appendKey(dst, "severity_number"), int64(n), 10)
	}
	dst = appendText(dst, "severity_text", lr.SeverityText())
	dst = appendText(dst, "event_name", lr.EventName())
	if id := lr.TraceID(); !id.IsEmpty() {
		dst = appendText(dst, "trace_id", hex.EncodeToString(id[:]))
	}
	if id := lr.SpanID(); !id.IsEmpty() {
		dst = appendText(dst, "span_id", hex.EncodeToString(id[:]))
	}
	dst = appendStream(dst, stream)
	dst = appendBody(dst, lr.Body())
	dst = appendAttributes(dst, lr.Attributes())
	dst = appendAttributes(append(appendKey(dst, "resource"), '{'), from.resource.Resource().Attributes())
	scope := from.scope.Scope()
	dst = append(appendKey(append(dst, '}'), "scope"), '{')
	dst = appendText(dst, "name", scope.Name())
	dst = appendText(dst, "version", scope.Version())
	return append(appendAttributes(dst, scope.Attributes()), '}', '}')
}

func appendStream(dst []byte, stream ecs.Stream) []byte {
	if stream == (ecs.Stream{}) {
		return dst
	}
	dst = appendText(append(appendKey(dst, "data_stream"), '{'), "type", "logs")
	dst = appendText(dst, "dataset", stream.Dataset)
	return append(appendText(dst, "namespace", stream.Namespace), '}')
}

// appendBody keeps text apart from what has parts, since a field cannot be both.
func appendBody(dst []byte, body pcommon.Value) []byte {
	switch body.Type() {
	case pcommon.ValueTypeEmpty:
		return dst
	case pcommon.ValueTypeMap:
		dst = append(appendKey(dst, "body"), `{"structured":`...)
		return append(jsontext.AppendValue(dst, body), '}')
	default:
		dst = append(appendKey(dst, "body"), `{"text":`...)
		return append(jsontext.AppendString(dst, body.AsString()), '}')
	}
}

func appendAttributes(dst []byte, attributes pcommon.Map) []byte {
	if attributes.Len() == 0 {
		return dst
	}
	return jsontext.AppendMap(appendKey(dst, "attributes"), attributes)
}

// bodyMapEncoder writes the body as it is; whoever filled it knows what the index expects.
type bodyMapEncoder struct{}

var errNoMap = errors.New("body is no map")

func (bodyMapEncoder) append(dst []byte, _ ecs.Stream, from source) ([]byte, error) {
	body := from.record.Body()
	if body.Type() != pcommon.ValueTypeMap {
		return dst, fmt.Errorf("%w: found %s, which mapping mode bodymap cannot send", errNoMap, body.Type())
	}
	dst = jsontext.AppendMap(dst, body.Map())
	if _, ok := body.Map().Get("@timestamp"); !ok { // a data stream takes no document without
		dst = appendTime(dst[:len(dst)-1], "@timestamp", timeOf(from.record))
		dst = append(dst, '}')
	}
	return dst, nil
}

// timeOf is when the event happened, or was observed where that is unknown.
func timeOf(record plog.LogRecord) pcommon.Timestamp {
	if at := record.Timestamp(); at != 0 {
		return at
	}
	return record.ObservedTimestamp()
}

func appendKey(dst []byte, key string) []byte {
	return append(jsontext.AppendString(jsontext.Comma(dst), key), ':')
}

// appendText adds a member unless it is empty.
func appendText(dst []byte, key, value string) []byte {
	if value == "" {
		return dst
	}
	return jsontext.AppendString(appendKey(dst, key), value)
}

func appendTime(dst []byte, key string, at pcommon.Timestamp) []byte {
	return jsontext.AppendTime(appendKey(dst, key), at)
}
