// SPDX-License-Identifier: Apache-2.0

package correlation

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
)

// Event is how a correlator reads the fields of an event. Every sigma.Event is one.
type Event interface {
	// Lookup returns the values of a field (string, int64, float64, bool or nil), of which the first counts.
	Lookup(field string) (values []any, ok bool)
}

// EventID names an event for whoever gave it. It is not interpreted. The zero value names none.
type EventID [16]byte

// valueID stands for a value: short text itself, or a hash. A cryptographic one, because whoever chooses the values must not
// be able to make two of them look alike.
type valueID [16]byte

const hashed = 0xff // in the last byte, where otherwise the length is

func identify(text []byte) valueID {
	var id valueID
	if len(text) < len(id) {
		copy(id[:], text)
		id[len(id)-1] = byte(len(text))
		return id
	}
	sum := sha256.Sum256(text)
	copy(id[:], sum[:])
	id[len(id)-1] = hashed
	return id
}

// first gives the value of a field that counts, nil where there is none.
func first(ev Event, field string) any {
	values, ok := ev.Lookup(field)
	if !ok || len(values) == 0 {
		return nil
	}
	return values[0]
}

// appendText appends the text of a value that is not nil. A number has the text of its decimal form, as in the rest of Sigma.
func appendText(b []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return append(b, v...)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		return strconv.AppendFloat(b, v, 'f', -1, 64)
	case bool:
		return strconv.AppendBool(b, v)
	}
	return fmt.Append(b, v)
}

// appendKey appends the values of the fields, each with its length before it, so that no two lists look alike. ok is false
// where a field has no value.
func appendKey(b []byte, ev Event, fields []string) (key []byte, ok bool) {
	for _, field := range fields {
		v := first(ev, field)
		if v == nil {
			return b, false
		}
		at := len(b)
		b = append(b, 0, 0, 0, 0)
		b = appendText(b, v)
		binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	}
	return b, true
}

// splitKey gives the values that a key was made of.
func splitKey(key string) []string {
	var values []string
	for len(key) >= 4 {
		size := int(binary.BigEndian.Uint32([]byte(key[:4])))
		if size > len(key)-4 {
			return values
		}
		values = append(values, key[4:4+size])
		key = key[4+size:]
	}
	return values
}

// greatest bounds numbers, so that no sum of them is beyond what a float64 can be.
const greatest = 1e200

// greatestSum bounds sums that are kept, which those of events do not come near.
const greatestSum = 1e300

// number reads a value as a number. Text counts when it is a decimal number.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, math.Abs(v) <= greatest
	case string:
		for i := range len(v) {
			if c := v[i]; (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
				return 0, false
			}
		}
		f, err := strconv.ParseFloat(v, 64)
		return f, err == nil && math.Abs(f) <= greatest
	}
	return 0, false
}
