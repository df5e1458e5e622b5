// SPDX-License-Identifier: Apache-2.0

// Package server starts real nodes of Elasticsearch and OpenSearch and a real broker of Kafka for tests, from what
// `make servers` has installed.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/test/internal/port"
)

// Kind tells the servers apart. It is the name of the directory the server is installed in.
type Kind string

// The servers.
const (
	Elasticsearch Kind = "elasticsearch"
	Secured       Kind = "elasticsearch-secured" // with users, API keys and lifecycle policies
	OpenSearch    Kind = "opensearch"
	Kafka         Kind = "kafka"
)

// Who may do everything on a secured server.
const (
	User     = "elastic"
	Password = "only-for-tests"
)

// Packages of the node's that its security uses and that are not for everybody.
var forSecurity = []string{
	"org.elasticsearch.base/org.elasticsearch.core.internal.provider",
	"org.elasticsearch.server/org.elasticsearch.cluster.routing.allocation.shards",
	"org.elasticsearch.server/org.elasticsearch.internal",
	"org.elasticsearch.server/org.elasticsearch.node.internal",
	"org.elasticsearch.server/org.elasticsearch.plugins.interceptor",
	"org.elasticsearch.server/org.elasticsearch.plugins.internal",
	"org.elasticsearch.server/org.elasticsearch.plugins.internal.rewriter",
}

// Ample for a machine that is busy with other things.
const (
	startTimeout = 10 * time.Minute
	stopTimeout  = 10 * time.Minute
)

// Server is one node on this machine, without any security of its own unless it is a secured one.
type Server struct {
	URL     string // http://127.0.0.1:PORT, the same for the server's life; not of Kafka
	Address string // 127.0.0.1:PORT

	kind Kind
	dir  string // of its data and log
	port int
	// controller is the port at which a broker of Kafka is its own controller.
	controller int

	cmd   *exec.Cmd // nil while it is down
	stdin io.Closer // the node ends when this is closed, also by the end of this process
	done  chan error
}

// Start starts a node that keeps its data in dir, and waits until it is healthy.
func Start(ctx context.Context, kind Kind, dir string) (*Server, error) {
	own, err := port.Free()
	if err != nil {
		return nil, err
	}
	address := "127.0.0.1:" + strconv.Itoa(own)
	s := &Server{URL: "http://" + address, Address: address, kind: kind, dir: dir, port: own}
	for kind == Kafka && (s.controller == 0 || s.controller == own) {
		if s.controller, err = port.Free(); err != nil {
			return nil, err
		}
	}
	return s, s.Up(ctx)
}

// Up starts the node again, on its port and with its data, and waits until it is healthy.
func (s *Server) Up(ctx context.Context) error {
	if err := s.run(); err != nil {
		return fmt.Errorf("start %s: %w", s.kind, err)
	}
	if err := s.awaitHealth(ctx); err != nil {
		log, _ := os.ReadFile(s.logPath())
		return errors.Join(fmt.Errorf("start %s: %w; it said:\n%s", s.kind, err, log[max(0, len(log)-4000):]), s.Kill())
	}
	return nil
}

func (s *Server) run() error {
	root, err := ring.ModuleRoot()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	log, err := os.OpenFile(s.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command("java", s.arguments(filepath.Join(root, ring.Servers, string(s.kind)))...)
	cmd.Stdout, cmd.Stderr = log, log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd, s.stdin, s.done = cmd, stdin, make(chan error, 1)
	go func(done chan<- error) { done <- cmd.Wait() }(s.done)
	return nil
}

func (s *Server) arguments(installed string) []string {
	args := []string{"-Xms256m", "-Xmx768m", "-XX:+UseSerialGC"}
	lib, out := filepath.Join(installed, "lib"), filepath.Join(installed, "out")
	classes := filepath.Join(lib, "*") + string(os.PathListSeparator) + out
	switch s.kind {
	case Elasticsearch, Secured:
		for _, name := range forSecurity {
			args = append(args, "--add-exports", name+"=ALL-UNNAMED")
		}
		args = append(args, "--module-path", lib, "--add-modules", "jdk.net,ALL-MODULE-PATH", "-cp", out, "Elasticsearch")
	case OpenSearch:
		args = append(args, "-cp", classes, "OpenSearch")
	case Kafka:
		args = append(args, "-cp", classes, "Kafka")
	}
	args = append(args, filepath.Join(installed, "home"), s.dir, strconv.Itoa(s.port))
	switch s.kind {
	case Secured:
		args = append(args, Password)
	case Kafka:
		args = append(args, strconv.Itoa(s.controller))
	}
	return args
}

func (s *Server) logPath() string { return filepath.Join(s.dir, "output.log") }

// awaitHealth asks until the node answers that all its primary shards are there, or the broker takes connections.
func (s *Server) awaitHealth(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := s.health(ctx)
		if err == nil {
			return nil
		}
		select {
		case ended := <-s.done:
			s.done <- ended
			return fmt.Errorf("the process ended: %w", errors.Join(errors.New("before it was healthy"), ended))
		case <-ctx.Done():
			return fmt.Errorf("%w; last answer: %w", ctx.Err(), err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (s *Server) health(ctx context.Context) error {
	if s.kind == Kafka {
		return s.listens(ctx)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/_cluster/health?wait_for_status=yellow&timeout=60s", nil)
	if err != nil {
		return err
	}
	req.Close = true
	if s.kind == Secured {
		req.SetBasicAuth(User, Password)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("health answered %s", res.Status)
	}
	return nil
}

func (s *Server) listens(ctx context.Context) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", s.Address)
	if err != nil {
		return err
	}
	return c.Close()
}

// Stop ends the node in order and waits for it.
func (s *Server) Stop() error {
	if s.cmd == nil {
		return nil
	}
	if err := s.stdin.Close(); err != nil {
		return errors.Join(err, s.Kill())
	}
	select {
	case err := <-s.done:
		s.cmd = nil
		return err
	case <-time.After(stopTimeout):
		return errors.Join(fmt.Errorf("%s did not end within %s", s.kind, stopTimeout), s.Kill())
	}
}

// Kill ends the node as a power failure would.
func (s *Server) Kill() error {
	if s.cmd == nil {
		return nil
	}
	err := s.cmd.Process.Kill()
	<-s.done
	s.cmd = nil
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}
