// SPDX-License-Identifier: Apache-2.0

package elastic

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// Connection says how to reach Elasticsearch or Kibana.
type Connection struct {
	URL            string // such as https://elasticsearch:9200
	User, Password string
	APIKey         string // encoded, in place of a user
	CAFile         string // PEM, of what signed the server's certificate; empty for the system's
}

// Client talks to one server.
type Client struct {
	connection Connection
	http       *http.Client
}

const requestTimeout = 60 * time.Second

// NewClient checks the connection without using it.
func NewClient(c Connection) (*Client, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	c.URL = strings.TrimRight(c.URL, "/")
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if c.CAFile != "" {
		text, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read the certificate authority: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s: found no certificate, expected PEM", c.CAFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &Client{connection: c, http: &http.Client{Transport: transport, Timeout: requestTimeout}}, nil
}

// Close lets go of the connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// refusedError is an answer that says no.
type refusedError struct {
	status int
	text   string
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("the server answered %d %s: %s", e.status, http.StatusText(e.status), e.text)
}

// HasStatus tells whether an error is an answer of that status.
func HasStatus(err error, status int) bool {
	var refused *refusedError
	return errors.As(err, &refused) && refused.status == status
}

// isRefusal tells an answer that says no to what was asked from one that says who may ask, and from none.
func isRefusal(err error) bool {
	return HasStatus(err, http.StatusBadRequest) || HasStatus(err, http.StatusNotFound) || HasStatus(err, http.StatusMethodNotAllowed)
}

// isUnknownPath tells the answer of a server that has no such API from that of one that has no such thing.
func isUnknownPath(err error) bool { return strings.Contains(err.Error(), "no handler found") }

// Call sends JSON and reads JSON into out, which may be nil.
func (c *Client) Call(ctx context.Context, method, path string, body, out any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return fmt.Errorf("write the request: %w", err)
		}
	}
	return c.Send(ctx, method, path, "application/json", text, out)
}

// Send sends any body and reads JSON into out, which may be nil.
func (c *Client) Send(ctx context.Context, method, path, contentType string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.connection.URL+"/"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", contentType)
	}
	req.Header.Set("kbn-xsrf", "vedette") // Kibana wants it, Elasticsearch does not mind.
	switch {
	case c.connection.APIKey != "":
		req.Header.Set("Authorization", "ApiKey "+c.connection.APIKey)
	case c.connection.User != "":
		req.SetBasicAuth(c.connection.User, c.connection.Password)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("read the answer to %s %s: %w", method, path, err)
	}
	if res.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %w", method, path, &refusedError{res.StatusCode, reason(text)})
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("read the answer to %s %s: %w", method, path, err)
	}
	return nil
}

// reason finds the innermost reason in an error of Elasticsearch, or the message in one of Kibana.
func reason(text []byte) string {
	type failure struct {
		Reason string          `json:"reason"`
		Cause  json.RawMessage `json:"caused_by"`
	}
	var answer struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
	}
	if json.Unmarshal(text, &answer) != nil {
		return strings.TrimSpace(string(text[:min(len(text), 300)]))
	}
	if answer.Message != "" {
		return answer.Message
	}
	last := string(answer.Error)
	for inner := answer.Error; len(inner) > 0; {
		var f failure
		if json.Unmarshal(inner, &f) != nil || f.Reason == "" {
			break
		}
		last, inner = f.Reason, f.Cause
	}
	return last
}
