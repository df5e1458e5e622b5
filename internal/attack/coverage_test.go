// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func covered() *Coverage {
	c := &Coverage{}
	c.Add("Shell <one>", []string{"attack.execution", "attack.t1059.004"})
	c.Add("Shell two", []string{"attack.t1059.004", "attack.t1059", "attack.t1070.002"})
	c.Add("Windows only", []string{"attack.t1218.011"})
	c.Add("No technique", []string{"attack.impact", "cve.2024-1"})
	return c
}

func TestCoverageCounts(t *testing.T) {
	c := covered()
	n, all := c.Totals()
	assert.Equal(t, 2, n, "T1059.004 and the heir of T1070.002")
	assert.Equal(t, len(techniques), all)
	assert.Equal(t, []string{"T1218.011"}, c.Unknown())
	assert.Equal(t, []string{"Shell <one>", "Shell two"}, c.rules["T1059.004"])
	assert.Empty(t, c.rules["T1059"], "the sub-technique stands for it")
}

func TestMatrixHasEveryTechniqueUnderItsTactics(t *testing.T) {
	c := &Coverage{}
	seen := map[string]int{}
	for _, column := range c.Matrix() {
		require.NotEmpty(t, column.Tactic.ID)
		for i, cell := range column.Cells {
			seen[cell.ID]++
			if cell.Sub() && i > 0 {
				before := column.Cells[i-1].ID
				_, parentHere := techniques[parentOf(cell.ID)]
				assert.True(t, parentOf(before) == parentOf(cell.ID) || !parentHere || !contains(column, parentOf(cell.ID)), cell.ID)
			}
		}
	}
	for id, row := range techniques {
		assert.Equal(t, len(row.tactics), seen[id], id)
	}
}

func contains(column Column, id string) bool {
	for _, cell := range column.Cells {
		if cell.ID == id {
			return true
		}
	}
	return false
}

func TestWriteTable(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, covered().WriteTable(&b, false))
	text := b.String()
	assert.Contains(t, text, "4 rules name 2 of the ")
	assert.Contains(t, text, "; 1 rules name none")
	assert.Contains(t, text, "  T1059.004 Unix Shell                                       2\n")
	assert.Contains(t, text, "Not among the techniques for Linux: T1218.011\n")
	assert.NotContains(t, text, "Data Obfuscation")
	b.Reset()
	require.NoError(t, covered().WriteTable(&b, true))
	assert.Contains(t, b.String(), "T1001     Data Obfuscation                                 –\n")
}

func TestWriteNavigator(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, covered().WriteNavigator(&b, "Ours"))
	var l layer
	dec := json.NewDecoder(&b)
	dec.DisallowUnknownFields()
	require.NoError(t, dec.Decode(&l))
	assert.Equal(t, "enterprise-attack", l.Domain)
	assert.Equal(t, 2, l.Gradient.Max)
	assert.Contains(t, l.Techniques, layerTechnique{"T1059.004", "execution", 2, "Shell <one>\nShell two", true})
	b.Reset()
	require.NoError(t, (&Coverage{}).WriteNavigator(&b, ""))
	assert.Contains(t, b.String(), `"techniques": []`)
}

func TestWriteSVGIsWellFormed(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, covered().WriteSVG(&b, "Rules <of> mine"))
	text := b.String()
	assert.Contains(t, text, "Shell &lt;one&gt;")
	assert.Contains(t, text, "Rules &lt;of&gt; mine")
	dec := xml.NewDecoder(&b)
	for {
		_, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
}
