// SPDX-License-Identifier: Apache-2.0

package recording

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/pdata/plog"
)

// magic begins every zstd frame.
var magic = []byte{0x28, 0xb5, 0x2f, 0xfd}

// Reader gives the batches of a recording in the order in which they were written. It is for one
// goroutine.
type Reader struct {
	in      io.Reader
	release func()
	file    *os.File // nil where the stream is the caller's
	path    string
	message int // number of the last message, from 1
	buffer  []byte
}

// Open opens the recording at path, compressed or not. The caller closes it.
func Open(path string) (*Reader, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the recording: %w", err)
	}
	r, err := newReader(file, path)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	r.file = file
	return r, nil
}

// NewReader reads a recording from a stream, compressed or not. The caller closes the reader, and the
// stream after it.
func NewReader(stream io.Reader) (*Reader, error) {
	return newReader(stream, "recording")
}

func newReader(stream io.Reader, path string) (*Reader, error) {
	buffered := bufio.NewReaderSize(stream, 64<<10)
	r := &Reader{in: buffered, release: func() {}, path: path}
	head, err := buffered.Peek(len(magic))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if !bytes.Equal(head, magic) {
		return r, nil
	}
	decoder, err := zstd.NewReader(buffered, zstd.WithDecoderMaxWindow(window), zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderLowmem(false)) // otherwise the whole window is moved for each block
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	r.in, r.release = bufio.NewReaderSize(decoder, 64<<10), decoder.Close
	return r, nil
}

// Next returns the next batch. At the end of the recording the error is io.EOF; where the recording
// is no good it wraps ErrBroken and names the message.
func (r *Reader) Next() (plog.Logs, error) {
	r.message++
	message, err := r.read()
	if err != nil {
		return plog.Logs{}, err
	}
	unmarshaler := plog.ProtoUnmarshaler{}
	logs, err := unmarshaler.UnmarshalLogs(message)
	if err != nil {
		return plog.Logs{}, r.broken("%v", err)
	}
	return logs, nil
}

// All gives every batch up to the end, or up to the first error, which is the last it gives.
func (r *Reader) All() iter.Seq2[plog.Logs, error] {
	return func(yield func(plog.Logs, error) bool) {
		for {
			logs, err := r.Next()
			if errors.Is(err, io.EOF) || !yield(logs, err) || err != nil {
				return
			}
		}
	}
}

// Close lets go of what the reader holds, the file that Open opened included.
func (r *Reader) Close() error {
	r.release()
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// read returns the bytes of the next message. They are valid until the next call.
func (r *Reader) read() ([]byte, error) {
	var prefix [lengthSize]byte
	switch n, err := io.ReadFull(r.in, prefix[:]); {
	case n == 0 && errors.Is(err, io.EOF):
		return nil, io.EOF
	case err != nil:
		return nil, r.broken("its length has %d of %d bytes: %v", n, lengthSize, err)
	}
	length := int(binary.BigEndian.Uint32(prefix[:]))
	if length > maxMessage {
		return nil, r.broken("its length is said to be %d bytes, expected at most %d", length, maxMessage)
	}
	if n, err := r.fill(length); err != nil {
		return nil, r.broken("it has %d of %d bytes: %v", n, length, err)
	}
	return r.buffer, nil
}

// fill reads in pieces, so that a length that is a lie costs no memory.
func (r *Reader) fill(length int) (int, error) {
	const piece = 1 << 20
	r.buffer = r.buffer[:0]
	for len(r.buffer) < length {
		begin := len(r.buffer)
		more := min(piece, length-begin)
		r.buffer = append(r.buffer, make([]byte, more)...)
		if n, err := io.ReadFull(r.in, r.buffer[begin:]); err != nil {
			return begin + n, err
		}
	}
	return length, nil
}

func (r *Reader) broken(format string, args ...any) error {
	return fmt.Errorf("%s: message %d: %w: %s", r.path, r.message, ErrBroken, fmt.Sprintf(format, args...))
}
