// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package tiny_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/tiny"
)

func TestProgramEndsWell(t *testing.T) {
	name := filepath.Join(t.TempDir(), "tiny")
	require.NoError(t, os.WriteFile(name, tiny.Program(), 0o755))
	require.NoError(t, exec.Command(name).Run())
}
