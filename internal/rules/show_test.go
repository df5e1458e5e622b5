// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ruleset"
)

func TestList(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, WriteList(&out, false, List(load(t, good, bad))))
	golden(t, "list.txt", out.Bytes())
	out.Reset()
	require.NoError(t, WriteJSON(&out, List(load(t, good))))
	golden(t, "list.json", out.Bytes())
}

func TestShow(t *testing.T) {
	set := loadWith(t, ruleset.Config{Directories: []string{good, bad}, Exceptions: []string{exceptions}})
	for name, text := range map[string]string{"rule": "scanner", "correlation": "many scans", "lines": "refused", "audit": "shell in", "degraded": "seven"} {
		t.Run(name, func(t *testing.T) {
			r, c, err := Find(set, text)
			require.NoError(t, err)
			var out bytes.Buffer
			require.NoError(t, Show(set, r, c).WriteText(&out, false))
			golden(t, "show_"+name+".txt", out.Bytes())
			out.Reset()
			require.NoError(t, WriteJSON(&out, Show(set, r, c)))
			golden(t, "show_"+name+".json", out.Bytes())
		})
	}
}

func TestColoursAreForTerminals(t *testing.T) {
	set := load(t, good)
	r, c, err := Find(set, "scanner")
	require.NoError(t, err)
	var plain, coloured bytes.Buffer
	require.NoError(t, Show(set, r, c).WriteText(&plain, false))
	require.NoError(t, Show(set, r, c).WriteText(&coloured, true))
	assert.NotContains(t, plain.String(), "\x1b")
	assert.Contains(t, coloured.String(), bold+"Port scanner"+reset)
}

func TestCoverage(t *testing.T) {
	c := Coverage(load(t, good))
	covered, _ := c.Totals()
	assert.Equal(t, 3, covered)
	list := Techniques(c, false)
	require.Len(t, list, 3)
	assert.Equal(t, CoveredTechnique{"T1059.004", "Unix Shell", "Execution", []string{"Shell in a container of the build"}}, list[0])
	assert.Equal(t, []string{"Many scans"}, list[2].Rules, "the rule itself is silent")
	assert.Greater(t, len(Techniques(c, true)), 100)
}
