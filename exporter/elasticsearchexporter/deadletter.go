// SPDX-License-Identifier: Apache-2.0

package elasticsearchexporter

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/vedette-sec/vedette/internal/filelock"
	"github.com/vedette-sec/vedette/internal/jsontext"
)

// appendDeadLetter writes one line that says why a document was refused, with the document as text, so
// that nothing in it can be refused again.
func appendDeadLetter(dst []byte, r refusal, at time.Time) []byte {
	dst = appendTime(append(dst, '{'), "@timestamp", pcommon.NewTimestampFromTime(at))
	dst = append(dst, `,"event":{"kind":"pipeline_error","dataset":"vedette.dead_letter","module":"vedette"},"error":{`...)
	dst = appendText(dst, "type", r.kind)
	dst = appendText(dst, "message", r.reason)
	dst = append(dst, `},"vedette":{"dead_letter":{`...)
	dst = appendText(dst, "target", r.target)
	dst = appendText(dst, "document", r.document)
	return append(dst, "}}}\n"...)
}

// bury puts what was refused among the dead letters. Where that fails, the records stay with the living:
// they are sent, and refused, again.
func (e *exporter) bury(ctx context.Context, refused []refusal) error {
	if e.cfg.DeadLetter.File != "" {
		return e.buryInFile(refused)
	}
	return e.buryInStream(ctx, refused)
}

const (
	deadLetterMode          = 0o600
	deadLetterDirectoryMode = 0o700
)

// buryInFile opens the file each time, so that another program may rotate it. What was written in part
// is cut off again. The lock is the file's own, because exporters share a file, and none may cut off what
// another has written meanwhile.
func (e *exporter) buryInFile(refused []refusal) (err error) {
	path := e.cfg.DeadLetter.File
	defer func() {
		if err != nil {
			err = fmt.Errorf("write dead letters to %s: %w", path, err)
		}
	}()
	if err := os.MkdirAll(filepath.Dir(path), deadLetterDirectoryMode); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, deadLetterMode)
	if err != nil {
		return err
	}
	defer file.Close() // This lets go of the lock, too.
	if err := filelock.Lock(file); err != nil {
		return err
	}
	before, err := file.Stat()
	if err != nil {
		return err
	}
	var lines []byte
	for _, r := range refused {
		lines = appendDeadLetter(lines, r, time.Now())
	}
	if _, err = file.Write(lines); err == nil {
		err = file.Sync()
	}
	if err != nil {
		_ = file.Truncate(before.Size()) // On a full disk this is all that can be done.
	}
	return err
}

// buryInStream sends the dead letters. Identities are those of the documents' texts, so that one that is
// refused again after a failure is not there twice.
func (e *exporter) buryInStream(ctx context.Context, refused []refusal) error {
	var body []byte
	for _, r := range refused {
		body = jsontext.AppendString(append(body, `{"create":{"_index":`...), e.cfg.DeadLetter.stream())
		var id [idChars]byte
		putID(id[:], []byte(r.document))
		body = jsontext.AppendBytes(append(body, `,"_id":`...), id[:])
		body = appendDeadLetter(append(body, "}}\n"...), r, time.Now())
	}
	a, err := e.post(ctx, bulkRequest(body))
	if err != nil {
		return fmt.Errorf("send dead letters: %w", err)
	}
	if fateOfRequest(a.status) != taken {
		return fmt.Errorf("send dead letters: %w", a.problem())
	}
	r, err := parseReply(a.text, len(refused))
	if err != nil {
		return fmt.Errorf("send dead letters: %w", err)
	}
	for i := range r.Items {
		if result := r.Items[i].result(); result.fate() != taken {
			return fmt.Errorf("send dead letters: number %d was refused too: %s", i, result.why())
		}
	}
	return nil
}
