// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// kernelRule lays out a rule of two fields as the kernel does.
func kernelRule(filter, action, count uint32, texts string, fields ...uint32) []byte {
	data := make([]byte, auditTextsAt)
	put := func(at int, value uint32) { binary.NativeEndian.PutUint32(data[4*at:], value) }
	put(auditFilterAt, filter)
	put(auditActionAt, action)
	put(auditCountAt, count)
	for i := range auditCalls {
		put(auditCallsAt+i, ^uint32(0))
	}
	for i := 0; i+2 < len(fields); i += 3 {
		put(auditFieldsAt+i/3, fields[i])
		put(auditFlagsAt+i/3, fields[i+1])
		put(auditValuesAt+i/3, fields[i+2])
	}
	return append(data, texts...)
}

func TestRulesOfTheKernelThatAreBroken(t *testing.T) {
	const equal = 0x40000000
	good, err := decodeAuditRule(kernelRule(4, 2, 3, "/ak", 105, equal, 2, 106, equal, 10, 210, equal, 1))
	require.NoError(t, err)
	wanted, _ := ParseAuditRule("-w /a -p wa -k k")
	assert.Equal(t, wanted, good)
	for name, tt := range map[string]struct {
		data []byte
		want string
	}{
		"too short":       {make([]byte, 9), "found a rule of 9 bytes, expected 1040 at least"},
		"no such list":    {kernelRule(3, 2, 0, ""), "found the list 3 and the action 2"},
		"too many fields": {kernelRule(4, 2, 65, ""), "found 65 fields, expected at most 64"},
		"a long text":     {kernelRule(4, 2, 1, "/a", 105, equal, 3), "found a text of 3 bytes, expected at most 2"},
	} {
		_, err := decodeAuditRule(tt.data)
		assert.ErrorContains(t, err, tt.want, name)
	}
}

func TestWaysToWriteAnAuditRule(t *testing.T) {
	for _, pair := range [][2]string{
		{"-a exit,always -F arch=x86_64 -S open -F auid!=-1", "-a always,exit -F arch=b64 -F auid!=4294967295 -S open -F key=x"},
		{"-a always,exit -F arch=i686 -S open -F exit=-EPERM", "-a always,exit -F arch=b32 -S open -F exit=-1"},
		{"-a always,exit -S all -F a0=0x10 -F success=0x1", "-a always,exit -F a0=16 -F success=1"},
		{"-a always,exit -C uid!=euid -F path=/a", "-a always,exit -C euid!=uid -F dir=/a"},
	} {
		a, ok := ParseAuditRule(pair[0])
		require.True(t, ok)
		b, ok := ParseAuditRule(pair[1])
		require.True(t, ok)
		assert.Equal(t, a, b)
	}
	for _, text := range []string{"-a always,exit -S open -F auid>=1000", "-a always,exit -S open -F auid!=unset", "-a always,exit -S open -F exit=-13"} {
		rule, _ := ParseAuditRule(text)
		other, _ := ParseAuditRule("-a always,exit -S open -F exit=-1")
		assert.NotEqual(t, rule, other)
	}
}

// FuzzAuditRuleOfTheKernel reads any bytes in the place of a rule.
func FuzzAuditRuleOfTheKernel(f *testing.F) {
	f.Add(kernelRule(4, 2, 2, "/ak", 105, 0x40000000, 2, 210, 0x40000000, 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		if rule, err := decodeAuditRule(data); err == nil {
			_, covered := AuditCovered([]AuditRule{rule}, rule)
			assert.True(t, covered, "a rule does what it does: %v", rule)
		}
	})
}
