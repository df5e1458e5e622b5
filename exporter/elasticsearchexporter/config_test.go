// SPDX-License-Identifier: Apache-2.0

package elasticsearchexporter

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configcompression"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/confmap/xconfmap"

	"github.com/vedette-sec/vedette/exporter/elasticsearchexporter/internal/metadata"
)

func loadConfig(t *testing.T, id component.ID) *Config {
	conf, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	sub, err := conf.Sub(id.String())
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, sub.Unmarshal(cfg))
	require.NoError(t, xconfmap.Validate(cfg))
	return cfg
}

func TestLoadConfigKeepsTheDefaults(t *testing.T) {
	want := createDefaultConfig().(*Config)
	want.Endpoints = []string{"https://es-1:9200", "https://es-2:9200"}
	want.APIKey = "a2V5OnNlY3JldA=="
	assert.Equal(t, want, loadConfig(t, component.NewID(metadata.Type)))
	assert.Zero(t, want.RetryConfig.MaxElapsedTime, "no document is given up for the server's absence")
	assert.True(t, want.QueueConfig.Get().BlockOnOverflow)
	assert.LessOrEqual(t, want.QueueConfig.Get().Batch.Get().FlushTimeout, time.Second, "alerts are sent within a second")
}

func TestLoadConfigAll(t *testing.T) {
	storage := component.MustNewID("file_storage")
	want := createDefaultConfig().(*Config)
	want.CloudID, want.User, want.Password = "prod:ZXUuZXhhbXBsZS5jb206OTI0MyRhYmMkZGVm", "vedette", "secret"
	want.Headers.Set("X-Tenant", configopaque.String("blue"))
	want.TLS.CAFile = "/etc/vedette/ca.pem"
	want.Timeout, want.DiscoverNodesInterval = 30*time.Second, 5*time.Minute
	want.Compression = configcompression.Type("none")
	want.ProductCheck, want.Action, want.Pipeline, want.Routing = productWarn, actionIndex, "ours", "r1"
	want.Mapping.Mode = modeOTel
	want.DataStream = DataStreamConfig{Dataset: "hosts", Namespace: "prod", Require: true}
	want.Bulk.MaxSizeMiB = 8
	want.DeadLetter.File = "/var/lib/vedette/dead-letters.jsonl"
	want.QueueDisk = DiskConfig{Directory: "/var/lib/vedette/queue", MinFreeMiB: 128}
	want.RetryConfig.MaxInterval = 5 * time.Minute
	want.QueueConfig.Get().NumConsumers = 2
	want.QueueConfig.Get().StorageID = &storage
	assert.Equal(t, want, loadConfig(t, component.MustNewIDWithName("elasticsearch", "all")))
}

func TestValidateSaysWhatIsWrong(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"endpoints: found none, expected URLs such as https://elasticsearch:9200, or a cloud_id":             func(c *Config) { c.Endpoints = nil },
		`endpoints: found "es:9200", expected a URL such as https://elasticsearch:9200`:                      func(c *Config) { c.Endpoints = []string{"es:9200"} },
		`endpoints: found a user before "@es:9200", expected an address without, since addresses are logged`: func(c *Config) { c.Endpoints = []string{"https://elastic:secret@es:9200"} },
		"endpoint: found beside endpoints, expected one of them":                                             func(c *Config) { c.Endpoint = "http://b:9200" },
		"cloud_id: found beside endpoints, expected one of them":                                             func(c *Config) { c.CloudID = "a:b" },
		`cloud_id: found "a:###", expected NAME:BASE64 as Elastic Cloud shows it`:                            func(c *Config) { c.Endpoints, c.CloudID = nil, "a:###" },
		"api_key: found beside user or password, expected one of the two ways":                               func(c *Config) { c.APIKey, c.User = "k", "u" },
		"user and password: found one of them, expected both or neither":                                     func(c *Config) { c.User = "u" },
		`product_check: found "maybe", expected one of ["strict" "warn" "off"]`:                              func(c *Config) { c.ProductCheck = "maybe" },
		`action: found "update", expected one of ["create" "index"]`:                                         func(c *Config) { c.Action = "update" },
		`mapping: mode: found "raw", expected one of ["ecs" "otel" "bodymap"]`:                               func(c *Config) { c.Mapping.Mode = "raw" },
		`data_stream: dataset: found "My-Set", expected a name that Elasticsearch allows, such as "my_set"`:  func(c *Config) { c.DataStream.Dataset = "My-Set" },
		`data_stream: namespace: found "", expected a name that Elasticsearch allows, such as ""`:            func(c *Config) { c.DataStream.Namespace = "" },
		`index: found "_Alerts", expected a name that Elasticsearch allows, such as "alerts"`:                func(c *Config) { c.Index = "_Alerts" },
		"bulk: max_size_mib: found 0, expected 1 to 100, as Elasticsearch takes no more":                     func(c *Config) { c.Bulk.MaxSizeMiB = 0 },
		"dead_letter: found file and data_stream, expected one of them":                                      func(c *Config) { c.DeadLetter = DeadLetterConfig{"/a", "b"} },
		`dead_letter: file: found "letters.jsonl", expected an absolute path`:                                func(c *Config) { c.DeadLetter.File = "letters.jsonl" },
		`dead_letter: data_stream: found "A", expected a name that Elasticsearch allows`:                     func(c *Config) { c.DeadLetter.DataStream = "A" },
		"discover_nodes_interval: found -1s, expected 0 or more":                                             func(c *Config) { c.DiscoverNodesInterval = -time.Second },
	} {
		t.Run(want, func(t *testing.T) {
			cfg := createDefaultConfig().(*Config)
			cfg.Endpoints = []string{"http://a:9200"}
			change(cfg)
			assert.EqualError(t, xconfmap.Validate(cfg), want)
		})
	}
}

func TestCloudID(t *testing.T) {
	for id, want := range map[string]string{
		"prod:ZXUuZXhhbXBsZS5jb206OTI0MyRhYmMkZGVm": "https://abc.eu.example.com:9243",
		"prod:ZXUuZXhhbXBsZS5jb20kYWJjJA==":         "https://abc.eu.example.com:443",
	} {
		u, err := cloudURL(id)
		require.NoError(t, err)
		assert.Equal(t, want, u.String())
	}
	for _, id := range []string{"", "prod", "prod:", "prod:ZXU=", "prod:ZXUk"} {
		_, err := cloudURL(id)
		assert.Error(t, err, id)
	}
}
