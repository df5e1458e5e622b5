// SPDX-License-Identifier: Apache-2.0

//go:build linux

package elasticsearchexporter

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/ring"
)

// TestExportersShareADeadLetterFile: on a disk that is nearly full, what one exporter has written stays while another,
// whose letters do not fit, cuts off its own.
func TestExportersShareADeadLetterFile(t *testing.T) {
	ring.Require(t, ring.Native)
	disk := t.TempDir()
	require.NoError(t, unix.Mount("tmpfs", disk, "tmpfs", 0, "size=128k"))
	t.Cleanup(func() { ring.Unmount(t, disk) })
	file := filepath.Join(disk, "dead.jsonl")
	newOne := func() *exporter { return &exporter{cfg: &Config{DeadLetter: DeadLetterConfig{File: file}}} }

	large := refusal{document: strings.Repeat("x", 256<<10)}
	small, smallDone := newOne(), make(chan struct{})
	var refused sync.WaitGroup
	refused.Go(func() {
		for e := newOne(); ; {
			if err := e.buryInFile([]refusal{large}); !errors.Is(err, unix.ENOSPC) {
				assert.ErrorIs(t, err, unix.ENOSPC)
				return
			}
			select {
			case <-smallDone:
				return
			default:
			}
		}
	})
	var buried []string
	for i := range 500 {
		name := fmt.Sprintf("small-%03d", i)
		if small.buryInFile([]refusal{{document: name}}) == nil {
			buried = append(buried, name)
		}
	}
	close(smallDone)
	refused.Wait()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NotEmpty(t, buried)
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	require.Len(t, lines, len(buried))
	for i, name := range buried {
		assert.Contains(t, lines[i], name)
	}
}
