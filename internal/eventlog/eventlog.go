// SPDX-License-Identifier: Apache-2.0

// Package eventlog reads recorded events back: security logs with an ECS document in each line,
// OTLP logs in JSON as the Collector's file exporter writes them, and recordings.
package eventlog

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/ecs"
	"github.com/vedette-sec/vedette/internal/recording"
)

// Record is a log record and the resource it is from.
type Record struct {
	Resource pcommon.Resource
	Log      plog.LogRecord
}

// longestLine bounds the memory that one line takes.
const longestLine = 64 << 20

// Fault is a line that could not be read.
type Fault struct {
	File string
	Line int // or the number of the batch, in a recording
	Err  error
}

func (f *Fault) Error() string { return fmt.Sprintf("%s:%d: %v", f.File, f.Line, f.Err) }

// Unwrap returns what is wrong with the line.
func (f *Fault) Unwrap() error { return f.Err }

// Decoder reads documents of either form.
type Decoder struct {
	ecs  *ecs.Decoder
	otlp plog.JSONUnmarshaler
}

// NewDecoder returns a Decoder, which several goroutines may use.
func NewDecoder() *Decoder { return &Decoder{ecs: ecs.NewDecoder()} }

// Decode reads one document: an ECS document is one record, a payload of OTLP any number.
func (d *Decoder) Decode(document []byte) ([]Record, error) {
	var form struct {
		ResourceLogs json.RawMessage `json:"resourceLogs"`
		Timestamp    json.RawMessage `json:"@timestamp"`
	}
	if err := json.Unmarshal(document, &form); err != nil {
		return nil, fmt.Errorf("found no whole JSON object, expected an ECS document or OTLP logs on one line: %w", err)
	}
	switch {
	case form.ResourceLogs == nil && form.Timestamp == nil:
		return nil, errors.New("found neither @timestamp nor resourceLogs, expected an ECS document or OTLP logs")
	case form.ResourceLogs == nil:
		logs, err := d.ecs.Decode(document)
		if err != nil {
			return nil, err
		}
		return []Record{{logs.Resource(), logs.ScopeLogs().At(0).LogRecords().At(0)}}, nil
	}
	logs, err := d.otlp.UnmarshalLogs(document)
	if err != nil {
		return nil, fmt.Errorf("not OTLP logs: %w", err)
	}
	return records(logs), nil
}

func records(logs plog.Logs) []Record {
	var all []Record
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, log := range scope.LogRecords().All() {
				all = append(all, Record{resource.Resource(), log})
			}
		}
	}
	return all
}

// ReadFile reads a file line by line, or batch by batch where it is a recording; "-" is standard input. Files may be compressed
// by gzip or zstd, whatever their names. Lines that cannot be read are told to broken and passed over; the error is about the file.
func (d *Decoder) ReadFile(name string, stdin io.Reader, take func(Record), broken func(*Fault)) error {
	if name == "-" {
		return d.Read("standard input", stdin, take, broken)
	}
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	return d.Read(name, file, take, broken)
}

// Read is ReadFile for what is open already; the name is for messages.
func (d *Decoder) Read(name string, from io.Reader, take func(Record), broken func(*Fault)) error {
	plain, err := decompressed(from)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer plain.Close()
	content := bufio.NewReader(plain)
	// A recording begins with the four bytes of a length, of which the first is zero; text never is.
	if begin, err := content.Peek(1); err == nil && begin[0] == 0 {
		return readRecording(name, content, take, broken)
	}
	lines := bufio.NewScanner(content)
	lines.Buffer(make([]byte, 0, 64<<10), longestLine)
	number := 0
	for lines.Scan() {
		number++
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		found, err := d.Decode(line)
		if err != nil {
			broken(&Fault{name, number, err})
			continue
		}
		for _, record := range found {
			take(record)
		}
	}
	if err := lines.Err(); err != nil {
		// A log that is being written, or was cut off, ends somewhere; what came before counts.
		broken(&Fault{name, number + 1, cause(err)})
	}
	return nil
}

// readRecording tells of a batch that cannot be read as of a line; what comes after it cannot be found.
func readRecording(name string, from io.Reader, take func(Record), broken func(*Fault)) error {
	reader, err := recording.NewReader(from)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer reader.Close()
	number := 0
	for logs, err := range reader.All() {
		number++
		if err != nil {
			broken(&Fault{name, number, err})
			break
		}
		for _, record := range records(logs) {
			take(record)
		}
	}
	return nil
}

func cause(err error) error {
	if errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("found a line of more than %d MiB, expected a document", longestLine>>20)
	}
	return err
}

var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// decompressed looks at the first bytes to tell how a stream is compressed.
func decompressed(from io.Reader) (io.ReadCloser, error) {
	buffered := bufio.NewReader(from)
	begin, err := buffered.Peek(len(zstdMagic))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(begin, gzipMagic):
		return gzip.NewReader(buffered)
	case bytes.HasPrefix(begin, zstdMagic):
		decoder, err := zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		return decoder.IOReadCloser(), nil
	}
	return io.NopCloser(buffered), nil
}
