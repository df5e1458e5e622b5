// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"unicode/utf8"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// wildcard is a pattern that is no single literal: segments of literals and "?" with "*" between them. It is compared with
// bytes, so its literals must be valid UTF-8, and folded when the text is.
type wildcard struct {
	segments []segment
	first    bool // "*" stands before the first segment
	last     bool // "*" stands after the last segment
}

// segment is a run of literals and "?", which is nil.
type segment [][]byte

// newWildcard makes a wildcard of the parts of a pattern, with f applied to literals.
func newWildcard(parts []sigma.Part, f func(string) string) wildcard {
	w := wildcard{
		first: len(parts) > 0 && parts[0].Kind == sigma.AnyRun,
		last:  len(parts) > 0 && parts[len(parts)-1].Kind == sigma.AnyRun,
	}
	var current segment
	for _, part := range parts {
		switch part.Kind {
		case sigma.Literal:
			current = append(current, []byte(f(part.Text)))
		case sigma.AnyChar:
			current = append(current, nil)
		default:
			w.close(current)
			current = nil
		}
	}
	w.close(current)
	return w
}

func (w *wildcard) close(s segment) {
	if len(s) > 0 {
		w.segments = append(w.segments, s)
	}
}

// match reports whether the wildcard covers the whole text. Each segment is taken where it fits first, which leaves the
// most for those after it; the last one must fit at the end.
func (w *wildcard) match(text []byte) bool {
	segments := w.segments
	if len(segments) == 0 {
		return w.first || len(text) == 0
	}
	if !w.first {
		rest, ok := segments[0].cut(text)
		if !ok {
			return false
		}
		text, segments = rest, segments[1:]
		if len(segments) == 0 {
			return w.last || len(text) == 0
		}
	}
	if !w.last {
		last := len(segments) - 1
		rest, ok := segments[last].cutEnd(text)
		if !ok {
			return false
		}
		text, segments = rest, segments[:last]
	}
	for _, s := range segments {
		rest, ok := s.find(text)
		if !ok {
			return false
		}
		text = rest
	}
	return true
}

// cut takes the segment off the beginning of a text.
func (s segment) cut(text []byte) (rest []byte, ok bool) {
	for _, piece := range s {
		if piece == nil {
			if len(text) == 0 {
				return nil, false
			}
			_, size := utf8.DecodeRune(text)
			text = text[size:]
			continue
		}
		if text, ok = bytes.CutPrefix(text, piece); !ok {
			return nil, false
		}
	}
	return text, true
}

// cutEnd takes the segment off the end of a text.
func (s segment) cutEnd(text []byte) (rest []byte, ok bool) {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == nil {
			if len(text) == 0 {
				return nil, false
			}
			_, size := utf8.DecodeLastRune(text)
			text = text[:len(text)-size]
			continue
		}
		if text, ok = bytes.CutSuffix(text, s[i]); !ok {
			return nil, false
		}
	}
	return text, true
}

// find gives what follows the first place in a text where the segment fits.
func (s segment) find(text []byte) (rest []byte, ok bool) {
	for {
		if s[0] != nil {
			at := bytes.Index(text, s[0])
			if at < 0 {
				return nil, false
			}
			text = text[at:]
		}
		if rest, ok = s.cut(text); ok {
			return rest, true
		}
		if len(text) == 0 {
			return nil, false
		}
		_, size := utf8.DecodeRune(text)
		text = text[size:]
	}
}
