// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// handed is a handover as it is in its map.
func handed(length uint32, text string) []byte {
	return append(binary.NativeEndian.AppendUint32(nil, length), text...)
}

func TestParseHandover(t *testing.T) {
	for want, raw := range map[string][]byte{
		"found 3 bytes, expected a length first":                           make([]byte, 3),
		"found a text of 9 bytes, expected at most 2":                      handed(9, "{}"),
		"found 2 programs of which 3 are told, expected at most 256":       handed(36, `{"programs":[{},{}],"told":3}       `),
		"found bit 256 of rule r, expected one below 256":                  handed(51, `{"sets":[{"rules":[{"rule":"r","bit":256}]}]}      `),
		"found unexpected end of JSON input, expected what an agent wrote": handed(1, `{}`),
	} {
		_, err := parseHandover(raw)
		require.EqualError(t, err, want)
	}
	h, err := parseHandover(handed(0, "x"))
	require.NoError(t, err)
	assert.Nil(t, h, "nothing was left")
	h, err = parseHandover(handed(20, `{"told":0,"key":[1]}`))
	require.NoError(t, err)
	assert.Equal(t, [2]uint64{1, 0}, h.Key)
	h, err = parseHandover(handed(12|secondText, strings.Repeat(" ", 12)+`{"told":0}  `))
	require.NoError(t, err)
	assert.NotNil(t, h, "the second text")
}

// Who ends while it writes leaves what counted before.
func TestHandoverIsWrittenBesideTheOneBefore(t *testing.T) {
	raw := handed(0, strings.Repeat("x", 1024))
	for i := range 3 {
		written := &handover{Since: time.Unix(int64(i), 0).UTC(), Sets: []handedSet{{Generation: uint64(i)}}}
		before := slices.Clone(raw)
		require.NoError(t, written.write(raw))
		copy(raw, before[:lengthBytes]) // as if the length were not written
		again, err := handedText(raw)
		require.NoError(t, err)
		was, err := handedText(before)
		require.NoError(t, err)
		assert.Equal(t, was, again)
		require.NoError(t, written.write(raw))
		h, err := parseHandover(raw)
		require.NoError(t, err)
		assert.Equal(t, written.Sets, h.Sets)
		same := slices.Clone(raw)
		require.NoError(t, written.write(raw))
		assert.Equal(t, same, raw, "it is not written again")
	}
	assert.EqualError(t, (&handover{Lock: strings.Repeat("x", 600)}).write(raw),
		"write what the next agent is to know: found 743 bytes, expected at most 512")
}

func FuzzHandover(f *testing.F) {
	f.Add(handed(2, "{}"))
	f.Add(handed(51, `{"sets":[{"rules":[{"rule":"r","bit":256}]}]}      `))
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, err := parseHandover(raw)
		if err == nil && h != nil {
			assert.LessOrEqual(t, h.Told, len(h.Programs))
		}
	})
}

func TestObjectsOfDescriptors(t *testing.T) {
	all := map[ownKey]bool{}
	addObject(all, []byte("pos:\t0\nflags:\t02\nmap_type:\t2\nmap_id:\t17\nfrozen:\t0\n"))
	addObject(all, []byte("link_type:\ttracing\nlink_id:\t4\nprog_tag:\t00\nprog_id:\t9\n"))
	addObject(all, []byte("map_id:\tx\nprog_id:\t0\nmap_id:\n"))
	assert.Equal(t, map[ownKey]bool{{Kind: ownMap, Id: 17}: true, {Kind: ownProgram, Id: 9}: true}, all)
}
