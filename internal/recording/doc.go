// SPDX-License-Identifier: Apache-2.0

// Package recording reads and writes recordings of events, so that rules can be judged by what
// happened before.
//
// A recording is a stream compressed with zstd. It holds OTLP export requests for logs in protobuf,
// each after its length in four bytes, most significant first: what the Collector's file exporter
// writes with `format: proto`, compressed as a whole.
package recording

import "errors"

const (
	// lengthSize is the bytes before each message that tell its length.
	lengthSize = 4

	// maxMessage is the longest message that is believed, in bytes. A batch of the receiver has some
	// kilobytes.
	maxMessage = 64 << 20

	// window is how far back, in bytes, the compression looks for what repeats. It bounds the memory
	// a reader needs.
	window = 64 << 20
)

// ErrBroken is wrapped by errors about content that is no recording, or one that was cut off or
// damaged.
var ErrBroken = errors.New("broken recording")
