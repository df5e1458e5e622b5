// SPDX-License-Identifier: Apache-2.0

package recording

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/pdata/plog"
)

// Writer writes a recording. It is for one goroutine.
type Writer struct {
	encoder *zstd.Encoder
	buffer  []byte
}

// NewWriter writes a recording to a stream, compressed as far as it goes. The recording is whole when
// Close has returned; the stream stays open.
func NewWriter(stream io.Writer) (*Writer, error) {
	encoder, err := zstd.NewWriter(stream, zstd.WithEncoderLevel(zstd.SpeedBestCompression),
		zstd.WithWindowSize(window), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("write a recording: %w", err)
	}
	return &Writer{encoder: encoder}, nil
}

// Write adds a batch.
func (w *Writer) Write(logs plog.Logs) error {
	marshaler := plog.ProtoMarshaler{}
	message, err := marshaler.MarshalLogs(logs)
	if err != nil {
		return fmt.Errorf("write a recording: %w", err)
	}
	if len(message) > maxMessage {
		return fmt.Errorf("write a recording: a batch has %d bytes, expected at most %d", len(message), maxMessage)
	}
	w.buffer = binary.BigEndian.AppendUint32(w.buffer[:0], uint32(len(message)))
	_, errLength := w.encoder.Write(w.buffer)
	_, errMessage := w.encoder.Write(message)
	if err := errors.Join(errLength, errMessage); err != nil {
		return fmt.Errorf("write a recording: %w", err)
	}
	return nil
}

// Close ends the recording.
func (w *Writer) Close() error {
	if err := w.encoder.Close(); err != nil {
		return fmt.Errorf("write a recording: %w", err)
	}
	return nil
}
