// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"crypto/subtle"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Fault is what the proxy does to one bulk request.
type Fault int

// The faults.
const (
	None        Fault = iota
	Refuse429         // it answers 429 and the server does not see the request
	Refuse503         // it answers 503, the same way
	CutRequest        // it closes the connection, and the server does not see the request
	CutResponse       // the server takes the request, and the client gets half of the answer
)

// Proxy stands before a server as one in production does: it ends TLS, checks who asks, and at times
// answers for the server or breaks connections.
type Proxy struct {
	URL    string // https://127.0.0.1:PORT
	CAFile string // the certificate to trust

	backend func() string

	mu          sync.Mutex
	credentials []string // accepted values of the header Authorization; none lets everybody in
	faults      []Fault  // of the next bulk requests
	seen        int      // bulk requests
	headers     http.Header
}

// NewProxy starts a proxy for the test's life. backend is asked for the server's URL at each request.
func NewProxy(t testing.TB, backend func() string) *Proxy {
	t.Helper()
	p := &Proxy{backend: backend, CAFile: filepath.Join(t.TempDir(), "ca.pem")}
	s := httptest.NewTLSServer(p)
	t.Cleanup(s.Close)
	p.URL = s.URL
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	require.NoError(t, os.WriteFile(p.CAFile, ca, 0o600))
	return p
}

// Accept lets in only who sends one of these as Authorization.
func (p *Proxy) Accept(credentials ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.credentials = credentials
}

// Fail does these to the next bulk requests, one each.
func (p *Proxy) Fail(faults ...Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, faults...)
}

// Left counts the faults that are still to come.
func (p *Proxy) Left() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.faults)
}

// Headers are those of the latest bulk request.
func (p *Proxy) Headers() http.Header {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.headers.Clone()
}

// Seen counts the bulk requests.
func (p *Proxy) Seen() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen
}

// ServeHTTP handles one request.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !p.admits(r.Header.Get("Authorization")) {
		http.Error(w, `{"error":{"type":"security_exception","reason":"missing authentication credentials"},"status":401}`, http.StatusUnauthorized)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	fault := None
	if strings.HasSuffix(r.URL.Path, "/_bulk") {
		fault = p.next(r.Header)
	}
	switch fault {
	case Refuse429:
		w.Header().Set("Retry-After", "1")
		http.Error(w, `{"error":{"type":"es_rejected_execution_exception","reason":"busy"},"status":429}`, http.StatusTooManyRequests)
	case Refuse503:
		http.Error(w, `{"error":{"type":"unavailable","reason":"no node"},"status":503}`, http.StatusServiceUnavailable)
	case CutRequest:
		panic(http.ErrAbortHandler)
	default:
		p.forward(w, r, body, fault)
	}
}

func (p *Proxy) admits(credential string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, accepted := range p.credentials {
		if subtle.ConstantTimeCompare([]byte(accepted), []byte(credential)) == 1 {
			return true
		}
	}
	return len(p.credentials) == 0
}

func (p *Proxy) next(header http.Header) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen++
	p.headers = header.Clone()
	if len(p.faults) == 0 {
		return None
	}
	fault := p.faults[0]
	p.faults = p.faults[1:]
	return fault
}

func (p *Proxy) forward(w http.ResponseWriter, r *http.Request, body []byte, fault Fault) {
	out, err := http.NewRequestWithContext(r.Context(), r.Method, p.backend()+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	out.Header = r.Header.Clone()
	res, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		http.Error(w, `{"error":{"type":"bad_gateway","reason":"the server does not answer"},"status":502}`, http.StatusBadGateway)
		return
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	for name, values := range res.Header {
		if name != "Transfer-Encoding" {
			w.Header()[name] = values
		}
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(res.StatusCode)
	if fault == CutResponse {
		_, _ = w.Write(text[:len(text)/2])
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(text)
}
