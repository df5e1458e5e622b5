// SPDX-License-Identifier: Apache-2.0

package elastic

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/test/internal/server"
)

var update = flag.Bool("update", false, "write the golden files")

// shared are the nodes that have been started, and where what they and the tests share is kept.
var shared struct {
	dir   string
	mu    sync.Mutex
	nodes map[server.Kind]*server.Server
	errs  map[server.Kind]error
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "vedette-elastic")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	shared.dir, shared.nodes, shared.errs = dir, map[server.Kind]*server.Server{}, map[server.Kind]error{}
	code := m.Run()
	for _, node := range shared.nodes {
		if err := node.Kill(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}

// node returns the shared node of a kind. A test that stops it starts it again.
func node(t *testing.T, kind server.Kind) *server.Server {
	t.Helper()
	ring.Require(t, ring.Server)
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if _, tried := shared.nodes[kind]; !tried {
		// The node outlives the test that asks for it first.
		shared.nodes[kind], shared.errs[kind] = server.Start(context.Background(), kind, filepath.Join(shared.dir, string(kind)))
	}
	require.NoError(t, shared.errs[kind])
	return shared.nodes[kind]
}
