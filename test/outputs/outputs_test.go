// SPDX-License-Identifier: Apache-2.0

package outputs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/test/internal/agent"
)

const (
	shipped = "../../config/vedette.yaml"
	outputs = "../../config/outputs/"
)

// source stands in for the sensor, so that the alerts are known and no rights are needed.
const source = `yaml:
receivers: {otlp: {protocols: {http: {endpoint: "127.0.0.1:%d"}}}}
service: {pipelines: {logs/alerts: {receivers: [otlp], processors: []}}}
`

// start runs the program with the shipped configuration and others laid over it, and returns its directory and
// where it takes alerts.
func start(t *testing.T, over []string, env ...string) (dir, url string) {
	t.Helper()
	dir = t.TempDir()
	port := agent.FreePort(t)
	env = append(env, "VEDETTE_LOG_DIR="+dir, "VEDETTE_RUN_DIR="+dir, "VEDETTE_STATE_DIR="+dir)
	agent.Start(t, slices.Concat([]string{shipped}, over, []string{fmt.Sprintf(source, port)}), env)
	return dir, fmt.Sprintf("http://127.0.0.1:%d/v1/logs", port)
}

func sendAlert(t *testing.T, url, rule string) {
	t.Helper()
	send(t, url, alert(rule))
}

func alert(rule string) plog.Logs {
	logs := plog.NewLogs()
	lr := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	lr.SetEventName(event.KindSecurityAlert)
	lr.SetObservedTimestamp(1)
	lr.Body().SetStr(rule + " of a test")
	lr.Attributes().PutStr(event.AttrSecurityRuleName, rule)
	lr.Attributes().PutStr(event.AttrSecurityRuleLevel, "high")
	return logs
}

func send(t *testing.T, url string, logs plog.Logs) {
	t.Helper()
	body, err := plogotlp.NewExportRequestFromLogs(logs).MarshalProto()
	require.NoError(t, err)
	res, err := http.Post(url, "application/x-protobuf", bytes.NewReader(body))
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, http.StatusOK, res.StatusCode)
}

// awaitText waits until a file has the text.
func awaitText(t *testing.T, path, text string) {
	t.Helper()
	assert.Eventually(t, func() bool {
		have, err := os.ReadFile(path)
		return err == nil && strings.Contains(string(have), text)
	}, agent.Patience, 50*time.Millisecond, "%s never had %q", path, text)
}

func TestFile(t *testing.T) {
	dir, url := start(t, []string{outputs + "file.yaml"})
	sendAlert(t, url, "Written rule")
	awaitText(t, filepath.Join(dir, "alerts.otlp.json"), "Written rule of a test")
	awaitText(t, filepath.Join(dir, "alerts.jsonl"), "Written rule of a test")
}

func TestPrometheus(t *testing.T) {
	port := agent.FreePort(t)
	_, url := start(t, []string{outputs + "prometheus.yaml"}, fmt.Sprintf("VEDETTE_PROMETHEUS_PORT=%d", port))
	for range 3 {
		sendAlert(t, url, "Counted rule")
	}
	assert.Eventually(t, func() bool {
		res, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", port))
		if err != nil {
			return false
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		return err == nil && counted.Match(text)
	}, agent.Patience, 100*time.Millisecond)
}

// counted is the line that says that three alerts were written.
var counted = regexp.MustCompile(`(?m)^otelcol_exporter_securitylog_lines(\{.*\})? 3$`)

// collector is a second program that takes OTLP from those whose certificate the authority has signed.
const collector = `yaml:
receivers:
  otlp:
    protocols:
      %[1]s:
        endpoint: %[2]s
        tls: {cert_file: %[3]s/server.pem, key_file: %[3]s/server-key.pem, client_ca_file: %[3]s/ca.pem}
exporters: {file: {path: %[4]s, flush_interval: 100ms}}
service:
  pipelines: {logs: {receivers: [otlp], exporters: [file]}}
  telemetry: {metrics: {level: none}, logs: {level: info, encoding: console, output_paths: [stderr]}}
`

// TestOTLP: alerts wait until the other Collector is there, and reach it; who has another authority's certificate
// does not.
func TestOTLP(t *testing.T) {
	tls, strange := t.TempDir(), t.TempDir()
	writeCertificates(t, tls)
	writeCertificates(t, strange)
	authority, err := os.ReadFile(filepath.Join(tls, "ca.pem"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(strange, "ca.pem"), authority, 0o600))
	for protocol, output := range map[string]string{"grpc": "otlp-grpc.yaml", "http": "otlp-http.yaml"} {
		t.Run(protocol, func(t *testing.T) {
			endpoint := fmt.Sprintf("127.0.0.1:%d", agent.FreePort(t))
			target := endpoint
			if protocol == "http" {
				target = "https://" + endpoint
			}
			_, url := start(t, []string{outputs + output}, "VEDETTE_OTLP_ENDPOINT="+target, "VEDETTE_TLS_DIR="+tls)
			_, other := start(t, []string{outputs + output}, "VEDETTE_OTLP_ENDPOINT="+target, "VEDETTE_TLS_DIR="+strange)
			sendAlert(t, other, "Strange rule")
			sendAlert(t, url, "Early rule")
			received := filepath.Join(t.TempDir(), "received.json")
			agent.Start(t, []string{fmt.Sprintf(collector, protocol, endpoint, tls, received)}, nil)
			awaitText(t, received, "Early rule of a test")
			sendAlert(t, url, "Late rule")
			awaitText(t, received, "Late rule of a test")
			have, err := os.ReadFile(received)
			require.NoError(t, err)
			assert.NotContains(t, string(have), "Strange rule")
		})
	}
}

// writeCertificates makes an authority and what it has signed for a server and a client.
func writeCertificates(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	signed := sign(t, filepath.Join(dir, "ca.pem"), authority, authority, key, key)
	for i, name := range []string{"server", "client"} {
		own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		sign(t, filepath.Join(dir, name+".pem"), &x509.Certificate{
			SerialNumber: big.NewInt(int64(2 + i)), Subject: pkix.Name{CommonName: name}, NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}, signed, own, key)
		text, err := x509.MarshalPKCS8PrivateKey(own)
		require.NoError(t, err)
		writePEM(t, filepath.Join(dir, name+"-key.pem"), "PRIVATE KEY", text)
	}
}

func sign(t *testing.T, path string, template, parent *x509.Certificate, own, signer *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	text, err := x509.CreateCertificate(rand.Reader, template, parent, &own.PublicKey, signer)
	require.NoError(t, err)
	writePEM(t, path, "CERTIFICATE", text)
	signed, err := x509.ParseCertificate(text)
	require.NoError(t, err)
	return signed
}

func writePEM(t *testing.T, path, kind string, text []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: text}), 0o600))
}
