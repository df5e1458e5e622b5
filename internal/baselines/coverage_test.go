// SPDX-License-Identifier: Apache-2.0

package baselines

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGeneratedCoverageIsCurrent(t *testing.T) {
	var want bytes.Buffer
	require.NoError(t, WriteCoverage(&want))
	have, err := os.ReadFile(filepath.Join("..", "..", "docs", "baselines.md"))
	require.NoError(t, err)
	assert.Equal(t, want.String(), string(have), "docs/baselines.md is stale: run make docs")
}

func TestEveryClauseHasARule(t *testing.T) {
	set, err := Load(nil)
	require.NoError(t, err)
	for _, p := range standards {
		c, err := coverageOf(set, p)
		require.NoError(t, err)
		assert.Equal(t, c.Clauses, len(c.rules), p.Standard)
	}
}
