// SPDX-License-Identifier: Apache-2.0

package elasticsearchexporter

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/elastic/elastic-transport-go/v8/elastictransport"
	"go.opentelemetry.io/collector/component"
)

// newClient makes the transport to the nodes. It never tries again by itself: the retries of the
// exporter helper are the only ones.
func newClient(ctx context.Context, cfg *Config, host component.Host, set component.TelemetrySettings) (*elastictransport.Client, error) {
	urls, err := cfg.urls()
	if err != nil {
		return nil, err
	}
	client, err := cfg.ToClient(ctx, host.GetExtensions(), set)
	if err != nil {
		return nil, fmt.Errorf("make the client of Elasticsearch: %w", err)
	}
	options := []elastictransport.Option{
		elastictransport.WithURLs(urls...),
		elastictransport.WithTransport(client.Transport),
		elastictransport.WithDisableRetry(),
	}
	if cfg.DiscoverNodesInterval > 0 {
		options = append(options, elastictransport.WithDiscoverNodesInterval(cfg.DiscoverNodesInterval))
	}
	switch {
	case cfg.APIKey != "":
		options = append(options, elastictransport.WithAPIKey(string(cfg.APIKey)))
	case cfg.User != "":
		options = append(options, elastictransport.WithBasicAuth(cfg.User, string(cfg.Password)))
	}
	return elastictransport.NewClient(options...)
}

// cloudURL reads the address of Elasticsearch from an Elastic Cloud id: a name, a colon, and in base64
// the domain and the ids of Elasticsearch and Kibana, separated by dollar signs.
func cloudURL(id string) (*url.URL, error) {
	refused := fmt.Errorf("cloud_id: found %q, expected NAME:BASE64 as Elastic Cloud shows it", id)
	_, encoded, ok := strings.Cut(id, ":")
	if !ok {
		return nil, refused
	}
	text, err := base64.StdEncoding.DecodeString(encoded)
	parts := strings.Split(string(text), "$")
	if err != nil || len(parts) < 2 || parts[0] == "" || parts[1] == "" {
		return nil, refused
	}
	host, port, err := net.SplitHostPort(parts[0])
	if err != nil {
		host, port = parts[0], "443"
	}
	u, err := url.Parse("https://" + net.JoinHostPort(parts[1]+"."+host, port))
	if err != nil {
		return nil, refused
	}
	return u, nil
}
