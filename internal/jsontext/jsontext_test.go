// SPDX-License-Identifier: Apache-2.0

package jsontext

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

func TestAppendTimeIsThatOfTheLibrary(t *testing.T) {
	for _, at := range []pcommon.Timestamp{0, 1, 999_999_999, 1_772_600_767_000_000_089, 951_782_400_000_000_000, math.MaxInt64} {
		assert.Equal(t, at.AsTime().Format(`"`+"2006-01-02T15:04:05.000000000Z07:00"+`"`), string(AppendTime(nil, at)))
	}
}

func TestPlainFindsEveryByteThatIsNot(t *testing.T) {
	for b := range 256 {
		special := b < ' ' || b == '"' || b == '\\' || b >= 0x7f
		for at := range 20 {
			text := []byte(strings.Repeat("a", 20))
			text[at] = byte(b)
			want := 20
			if special {
				want = at
			}
			assert.Equal(t, want, plain(string(text)), "byte %#x at %d", b, at)
		}
	}
}

func FuzzAppendString(f *testing.F) {
	f.Add("plain text that is long enough \"\\\n\x00\x7f\u0085\u2028 ü 漢 😀 \xff\xe2\x82")
	f.Fuzz(func(t *testing.T, s string) {
		text := AppendString(nil, s)
		assert.Equal(t, string(text), string(AppendBytes(nil, []byte(s))))
		var back string
		require.NoError(t, json.Unmarshal(text, &back), "%q", text)
		assert.Equal(t, string([]rune(s)), back)
		for _, r := range string(text) {
			assert.False(t, unicode.IsControl(r) || r == '\u2028' || r == '\u2029', "%q", text)
		}
	})
}
