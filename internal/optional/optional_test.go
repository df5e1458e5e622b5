// SPDX-License-Identifier: Apache-2.0

package optional

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

func TestWhatIsEmptyIsLeftOut(t *testing.T) {
	attrs := pcommon.NewMap()
	PutStr(attrs, "none", "")
	PutStrs(attrs, "none", nil)
	PutStrs(attrs, "none", []string{})
	assert.Empty(t, attrs.AsRaw())
	PutStr(attrs, "one", "a")
	PutStrs(attrs, "more", []string{"a", "", "b"})
	assert.Equal(t, map[string]any{"one": "a", "more": []any{"a", "", "b"}}, attrs.AsRaw())
}
