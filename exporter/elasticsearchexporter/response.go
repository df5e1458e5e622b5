// SPDX-License-Identifier: Apache-2.0

package elasticsearchexporter

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// reply is the answer to a bulk request.
type reply struct {
	Errors bool        `json:"errors"`
	Items  []replyItem `json:"items"`
}

// replyItem is what became of one document. One of the two is filled.
type replyItem struct {
	Create result `json:"create"`
	Index  result `json:"index"`
}

type result struct {
	Status       int       `json:"status"`
	FailureStore string    `json:"failure_store"`
	Error        *whyError `json:"error"`
}

// whyError is the server's word for what is wrong.
type whyError struct {
	Type   string    `json:"type"`
	Reason string    `json:"reason"`
	Cause  *whyError `json:"caused_by"`
}

func (e *whyError) String() string {
	if e.Cause != nil && e.Cause.Reason != "" {
		return e.Type + ": " + e.Reason + ": " + e.Cause.Reason
	}
	return e.Type + ": " + e.Reason
}

// canBeMended tells whether a bad request is about the cluster, not about the document: it has no room for
// another shard, has closed the index, or lacks the pipeline.
func (e *whyError) canBeMended() bool {
	return e.Type == "validation_exception" || e.Type == "index_closed_exception" || (e.Type == "illegal_argument_exception" && strings.HasPrefix(e.Reason, "pipeline with id ["))
}

// isVerdict tells whether a failure of the server is one by intent: an ingest pipeline's processor `fail`, which
// refuses a document with 500, and would however often it came.
func (e *whyError) isVerdict() bool { return e.Type == "fail_processor_exception" }

func (i *replyItem) result() result {
	if i.Create.Status != 0 {
		return i.Create
	}
	return i.Index
}

// parseReply reads an answer about want documents. An answer about another number of them says nothing
// that can be relied upon.
func parseReply(text []byte, want int) (*reply, error) {
	var r reply
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("read the answer to a bulk request: %w", err)
	}
	if len(r.Items) != want {
		return nil, fmt.Errorf("read the answer to a bulk request: found %d items, expected %d", len(r.Items), want)
	}
	for i := range r.Items {
		if status := r.Items[i].result().Status; status < 200 || status > 599 {
			return nil, fmt.Errorf("read the answer to a bulk request: item %d: found status %d, expected 200 to 599", i, status)
		}
	}
	return &r, nil
}

// fate is what is done about a document or request.
type fate int

const (
	taken  fate = iota
	again       // send it again, later
	never       // the server will not take it, however often
	halved      // send it in smaller requests
)

// fateOf tells what an answer means for one document. Whatever an operator can put right, such as
// rights, blocks and missing data streams, is waited for: no data is thrown away over it.
func (r result) fate() fate {
	switch {
	case r.Status < 300:
		return taken
	case r.Status == http.StatusConflict:
		return taken // It is there: an earlier try had got through.
	case r.Status == http.StatusBadRequest && r.Error != nil && r.Error.canBeMended():
		return again
	case r.Status == http.StatusBadRequest, r.Error != nil && r.Error.isVerdict():
		return never
	default:
		return again
	}
}

// fateOfRequest tells what the status of a whole answer means for all its documents.
func fateOfRequest(status int) fate {
	switch status {
	case http.StatusOK, http.StatusCreated:
		return taken
	case http.StatusRequestEntityTooLarge:
		return halved
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusUnsupportedMediaType:
		return never
	default:
		return again
	}
}

// outcome and reason count a document; an empty reason says there is nothing to say.
func (r result) outcome() (outcome, reason string) {
	switch f := r.fate(); {
	case r.Status == http.StatusConflict:
		return "duplicate", ""
	case r.FailureStore == "used":
		return "failure_store", r.errorType()
	case f == taken:
		return "indexed", ""
	case f == again:
		return "retried", r.errorType()
	default:
		return "refused", r.errorType()
	}
}

func (r result) errorType() string {
	if r.Error == nil {
		return strconv.Itoa(r.Status)
	}
	return r.Error.Type
}

func (r result) why() string {
	if r.Error == nil {
		return "status " + strconv.Itoa(r.Status)
	}
	return strconv.Itoa(r.Status) + " " + r.Error.String()
}

// retryAfter reads the header of that name: seconds or a time. Zero says nothing.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil && seconds >= 0 {
		return min(time.Duration(seconds), time.Duration(maxRetryAfter/time.Second)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(0, at.Sub(now)), maxRetryAfter)
	}
	return 0
}

// maxRetryAfter bounds how long a server may silence the exporter.
const maxRetryAfter = 10 * time.Minute
