// SPDX-License-Identifier: Apache-2.0

package elasticsearchexporter

import (
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/ecs"
	"github.com/vedette-sec/vedette/internal/event"
)

// Attributes of a record, else of its resource, that say where and how it is stored.
const (
	attrDataset   = "data_stream.dataset"
	attrNamespace = "data_stream.namespace"
	attrIndex     = "elasticsearch.index"
	attrID        = "elasticsearch.document_id"
	attrPipeline  = "elasticsearch.ingest_pipeline"
)

// maxName is how long, in bytes, Elastic allows each part of a data stream's name to be.
const maxName = 100

// hints are what the attributes of one record say of where and how it is stored.
type hints struct {
	dataset, namespace, index, id, pipeline string
	eventID, eventKind                      string
}

func (h *hints) read(attributes pcommon.Map) {
	for name, value := range attributes.All() {
		place := h.place(name)
		if place != nil && *place == "" && value.Type() == pcommon.ValueTypeStr {
			*place = value.Str()
		}
	}
}

func (h *hints) place(attribute string) *string {
	switch attribute {
	case attrDataset:
		return &h.dataset
	case attrNamespace:
		return &h.namespace
	case attrIndex:
		return &h.index
	case attrID:
		return &h.id
	case attrPipeline:
		return &h.pipeline
	case event.AttrEventID:
		return &h.eventID
	case event.AttrEventKind:
		return &h.eventKind
	}
	return nil
}

// router finds the data stream or index of each record. It remembers the name of the one before,
// because that of the next is mostly the same.
type router struct {
	cfg    *Config
	suffix string // of the dataset, as the templates for OTel documents expect it

	stream ecs.Stream
	target string
}

func newRouter(cfg *Config) router {
	r := router{cfg: cfg}
	if cfg.Mapping.Mode == modeOTel {
		r.suffix = ".otel"
	}
	return r
}

// route returns the name, and the parts of it where it is a data stream's.
func (r *router) route(record plog.LogRecord, h *hints) (target string, stream ecs.Stream) {
	if index := sanitizeIndex(h.index); index != "" {
		return index, ecs.Stream{}
	}
	if r.cfg.Index != "" {
		return r.cfg.Index, ecs.Stream{}
	}
	stream = ecs.Stream{Dataset: r.cfg.DataStream.Dataset, Namespace: r.cfg.DataStream.Namespace}
	if h.dataset != "" {
		stream.Dataset = sanitizeDataset(h.dataset)
	}
	if h.namespace != "" {
		stream.Namespace = sanitizeNamespace(h.namespace)
	}
	if stream.Dataset == "" {
		stream.Dataset = datasetOf(ecs.Class(record.EventName(), h.eventKind))
	}
	if r.suffix != "" && !strings.HasSuffix(stream.Dataset, r.suffix) {
		stream.Dataset += r.suffix
	}
	if stream != r.stream {
		r.stream, r.target = stream, "logs-"+stream.Dataset+"-"+stream.Namespace
	}
	return r.target, r.stream
}

// datasetOf spares the joining of what is known.
func datasetOf(class string) string {
	switch class {
	case "process":
		return "vedette.process"
	case "file":
		return "vedette.file"
	case "network":
		return "vedette.network"
	case "alert":
		return "vedette.alert"
	}
	return "vedette." + class
}

// sanitizeDataset makes a name that Elastic allows for a dataset: lower case, none of the characters
// that an index must not have, no hyphen, since that separates the parts, and at most 100 bytes.
func sanitizeDataset(name string) string { return sanitize(name, maxName) }

// sanitizeNamespace makes a name that Elastic allows for a namespace, by the same rules.
func sanitizeNamespace(name string) string { return sanitize(name, maxName) }

// maxIndex is how long, in bytes, Elasticsearch allows the name of an index to be.
const maxIndex = 255

// sanitizeIndex makes a name that Elasticsearch allows for an index; nothing where nothing is left.
func sanitizeIndex(name string) string {
	name = cut(strings.TrimLeft(replace(name, false), "-_+"), maxIndex)
	if name == "." || name == ".." {
		return ""
	}
	return name
}

func sanitize(name string, limit int) string { return cut(replace(name, true), limit) }

func replace(name string, hyphen bool) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(`\/*?"<>| ,#:`, r) || r < ' ' || r == 0x7f || r == utf8.RuneError || (hyphen && r == '-') {
			return '_'
		}
		return r
	}, strings.ToLower(name))
}

func cut(name string, limit int) string {
	if len(name) <= limit {
		return name
	}
	return strings.ToValidUTF8(name[:limit], "")
}
