// SPDX-License-Identifier: Apache-2.0

package elasticsearchexporter

import (
	"crypto/sha256"
	"encoding/base64"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/ecs"
	"github.com/vedette-sec/vedette/internal/jsontext"
)

// position finds a record in its batch.
type position struct{ resource, scope, record int }

// entry is one document of a bulk request.
type entry struct {
	position
	target string
	start  int // where its action begins in the body
	source int // where the document itself begins
	end    int // behind the document's line end
}

// bulk is the body of one request as it grows. It is used for one batch at a time, and keeps its memory.
type bulk struct {
	action  string // `{"create":{"_index":`
	encoder documentEncoder
	router  router
	body    []byte
	record  []byte // all of one record, where its document is not
	entries []entry
}

func newBulk(cfg *Config) *bulk {
	return &bulk{action: `{"` + cfg.Action + `":{"_index":`, encoder: newDocumentEncoder(cfg.Mapping.Mode), router: newRouter(cfg)}
}

// keepBody is the largest body, in bytes, kept from one request to the next.
const keepBody = 16 << 20

func (b *bulk) reset() {
	if cap(b.body) > keepBody {
		b.body = nil
	}
	b.body, b.entries = b.body[:0], b.entries[:0]
}

// documentID is as many bits of a hash as leave no room for accidents, in base64.
const (
	idBytes = 16
	idChars = 22
)

// maxID is how long, in bytes, Elasticsearch allows an identity to be.
const maxID = 512

// add appends one record. Its error says why it can never be a document.
func (b *bulk) add(at position, from source) error {
	var h hints
	h.read(from.record.Attributes())
	h.read(from.resource.Resource().Attributes())
	target, stream := b.router.route(from.record, &h)
	start := len(b.body)
	b.body = jsontext.AppendString(append(b.body, b.action...), target)
	b.body = append(b.body, `,"_id":`...)
	id := identityOf(from.record, &h)
	idAt := len(b.body) + 1
	if id != "" {
		b.body = jsontext.AppendString(b.body, id)
	} else {
		b.body = append(b.body, `"0000000000000000000000"`...)
	}
	if h.pipeline != "" {
		b.body = jsontext.AppendString(append(b.body, `,"pipeline":`...), h.pipeline)
	}
	b.body = append(b.body, "}}\n"...)
	document := len(b.body)
	var err error
	if b.body, err = b.encoder.append(b.body, stream, from); err != nil {
		b.body = b.body[:start]
		return err
	}
	if id == "" {
		putID(b.body[idAt:idAt+idChars], b.whole(b.body[document:], stream, from))
	}
	b.body = append(b.body, '\n')
	b.entries = append(b.entries, entry{position: at, target: target, start: start, source: document, end: len(b.body)})
	return nil
}

// identityOf is what the record says its identity is. An alert's is a hash of its rule and its event.
// Any other record is known by a hash of all that it holds, every attribute and both times: a hash that
// nobody can aim at, so that no event can be hidden behind one that is there already.
func identityOf(record plog.LogRecord, h *hints) string {
	id := h.id
	if id == "" && h.eventID != "" && ecs.Class(record.EventName(), h.eventKind) == "alert" {
		id = h.eventID
	}
	if len(id) > maxID {
		return ""
	}
	return id
}

// whole is a text with all that a record holds: its document, but where that is the record's body alone.
func (b *bulk) whole(document []byte, stream ecs.Stream, from source) []byte {
	if _, bodyAlone := b.encoder.(bodyMapEncoder); !bodyAlone {
		return document
	}
	b.record = appendOTel(b.record[:0], stream, from)
	return b.record
}

// putID writes the identity of a record that has no other.
func putID(dst, whole []byte) {
	hash := sha256.Sum256(whole)
	base64.RawURLEncoding.Encode(dst, hash[:idBytes])
}

// text returns the bytes of a range of entries, which are neighbours in the body.
func (b *bulk) text(entries []entry) []byte {
	return b.body[entries[0].start:entries[len(entries)-1].end]
}

// document returns the text of one.
func (b *bulk) document(e entry) string { return string(b.body[e.source : e.end-1]) }
