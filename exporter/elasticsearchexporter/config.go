// SPDX-License-Identifier: Apache-2.0

package elasticsearchexporter

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configcompression"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/vedette-sec/vedette/internal/elastic"
)

// The values of MappingConfig.Mode.
const (
	modeECS     = "ecs"
	modeOTel    = "otel"
	modeBodyMap = "bodymap"
)

// The values of Action.
const (
	actionCreate = "create"
	actionIndex  = "index"
)

// The values of ProductCheck.
const (
	productStrict = "strict"
	productWarn   = "warn"
	productOff    = "off"
)

// Config describes the cluster and what is sent to it.
type Config struct {
	// ClientConfig holds tls, timeout (default 90s), headers, proxy_url, auth and compression (default
	// gzip), as every Collector component has them.
	confighttp.ClientConfig `mapstructure:",squash"`

	// Endpoints are the URLs of the nodes, which take turns. This, endpoint or cloud_id is required.
	Endpoints []string `mapstructure:"endpoints"`

	// CloudID names an Elastic Cloud deployment in place of endpoints.
	CloudID string `mapstructure:"cloud_id"`

	// User and Password are for basic authentication.
	User     string              `mapstructure:"user"`
	Password configopaque.String `mapstructure:"password"`

	// APIKey is the encoded form of an API key, in place of a user.
	APIKey configopaque.String `mapstructure:"api_key"`

	// DiscoverNodesInterval asks the cluster for its nodes this often, and sends to those. 0 never does,
	// as suits a cluster behind a proxy or load balancer. Default 0.
	DiscoverNodesInterval time.Duration `mapstructure:"discover_nodes_interval"`

	// ProductCheck says what to do where the server is not Elasticsearch: strict (send nothing, keep
	// everything), warn (say so once), off. Default strict.
	ProductCheck string `mapstructure:"product_check"`

	// Mapping says what documents look like.
	Mapping MappingConfig `mapstructure:"mapping"`

	// DataStream says to which data stream records go.
	DataStream DataStreamConfig `mapstructure:"data_stream"`

	// Index sends all to one index or data stream of this name, in place of data streams by class.
	Index string `mapstructure:"index"`

	// Action is create, which never writes a document twice, or index, which writes over the one with
	// the same identity and is refused by data streams. Default create.
	Action string `mapstructure:"action"`

	// Pipeline names the ingest pipeline in place of the index template's.
	Pipeline string `mapstructure:"pipeline"`

	// Routing is the routing value of every document.
	Routing string `mapstructure:"routing"`

	// Bulk bounds the requests.
	Bulk BulkConfig `mapstructure:"bulk"`

	// DeadLetter says where documents go that the server will never take.
	DeadLetter DeadLetterConfig `mapstructure:"dead_letter"`

	// QueueDisk keeps the queue from filling the disk it is on.
	QueueDisk DiskConfig `mapstructure:"queue_disk"`

	// RetryConfig says when what was not taken is sent again. Default: after 1s, up to 1m, without end.
	RetryConfig configretry.BackOffConfig `mapstructure:"retry_on_failure"`

	// QueueConfig is the queue before the server, and how requests are made of what waits in it.
	// Default: in memory, batches of 2000 to 5000 records or those of half a second, 4 at once.
	QueueConfig configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
}

// MappingConfig says what documents look like.
type MappingConfig struct {
	// Mode is ecs, otel (as the OpenTelemetry data streams of Elasticsearch have them) or bodymap (the
	// record's body, which is a map). Default ecs.
	Mode string `mapstructure:"mode"`
}

// DataStreamConfig says to which data stream a record goes: logs-DATASET-NAMESPACE.
type DataStreamConfig struct {
	// Dataset is the same for all records where it is given. By default it is vedette. and the class of
	// the event: alert, process, file, network, kernel, enforcement, baseline or generic.
	Dataset string `mapstructure:"dataset"`

	// Namespace is an environment, tenant or the like. Default default.
	Namespace string `mapstructure:"namespace"`

	// Require refuses to make an ordinary index where no template makes a data stream: documents wait
	// until there is one. OpenSearch and Elasticsearch before 8.13 do not know it. Default false.
	Require bool `mapstructure:"require"`
}

// BulkConfig bounds the requests.
type BulkConfig struct {
	// MaxSizeMiB is how large a request's body becomes, before compression. A document that is larger
	// has a request to itself. Default 5.
	MaxSizeMiB int `mapstructure:"max_size_mib"`
}

// DeadLetterConfig says where documents go that the server will never take: one of File and DataStream.
// With neither, they are counted, logged and dropped.
type DeadLetterConfig struct {
	// File gets a line of JSON for each: why, and the document. Default none.
	File string `mapstructure:"file"`

	// DataStream gets a document for each: why, and the document as text. Default
	// logs-vedette.dead_letter-default, unless there is a file.
	DataStream string `mapstructure:"data_stream"`
}

// defaultDeadLetter is where dead letters go unless told.
const defaultDeadLetter = "logs-vedette.dead_letter-default"

func createDefaultConfig() component.Config {
	client := confighttp.NewDefaultClientConfig()
	client.Timeout = 90 * time.Second
	client.Compression = configcompression.TypeGzip
	client.CompressionParams.Level = 1 // JSON shrinks tenfold as it is; higher levels cost more than they save
	retry := configretry.NewDefaultBackOffConfig()
	retry.InitialInterval, retry.MaxInterval, retry.MaxElapsedTime = time.Second, time.Minute, 0
	queue := exporterhelper.NewDefaultQueueConfig()
	queue.NumConsumers = 4
	queue.BlockOnOverflow = true
	queue.Batch = configoptional.Some(exporterhelper.BatchConfig{
		FlushTimeout: 500 * time.Millisecond, Sizer: exporterhelper.RequestSizerTypeItems, MinSize: 2000, MaxSize: 5000,
	})
	return &Config{
		ClientConfig: client,
		ProductCheck: productStrict,
		Mapping:      MappingConfig{Mode: modeECS},
		DataStream:   DataStreamConfig{Namespace: "default"},
		Action:       actionCreate,
		Bulk:         BulkConfig{MaxSizeMiB: 5},
		QueueDisk:    DiskConfig{MinFreeMiB: 64},
		RetryConfig:  retry,
		QueueConfig:  configoptional.Some(queue),
	}
}

// Validate checks the configuration without looking at the disk or the network.
func (c *Config) Validate() error {
	_, err := c.urls()
	errs := []error{err, c.validateCredentials()}
	errs = append(errs,
		oneOf("product_check", c.ProductCheck, productStrict, productWarn, productOff),
		oneOf("action", c.Action, actionCreate, actionIndex))
	if c.Index != "" && c.Index != sanitizeIndex(c.Index) {
		errs = append(errs, fmt.Errorf("index: found %q, expected a name that Elasticsearch allows, such as %q", c.Index, sanitizeIndex(c.Index)))
	}
	if c.DiscoverNodesInterval < 0 {
		errs = append(errs, fmt.Errorf("discover_nodes_interval: found %s, expected 0 or more", c.DiscoverNodesInterval))
	}
	return errors.Join(errs...)
}

func (c *Config) validateCredentials() error {
	switch {
	case c.APIKey != "" && (c.User != "" || c.Password != ""):
		return errors.New("api_key: found beside user or password, expected one of the two ways")
	case (c.User == "") != (c.Password == ""):
		return errors.New("user and password: found one of them, expected both or neither")
	}
	return nil
}

// Validate checks the mode.
func (c *MappingConfig) Validate() error {
	return oneOf("mode", c.Mode, modeECS, modeOTel, modeBodyMap)
}

// Validate checks that the names need no change to be allowed.
func (c *DataStreamConfig) Validate() error {
	var errs []error
	if c.Dataset != "" && c.Dataset != sanitizeDataset(c.Dataset) {
		errs = append(errs, fmt.Errorf("dataset: found %q, expected a name that Elasticsearch allows, such as %q", c.Dataset, sanitizeDataset(c.Dataset)))
	}
	if c.Namespace == "" || c.Namespace != sanitizeNamespace(c.Namespace) {
		errs = append(errs, fmt.Errorf("namespace: found %q, expected a name that Elasticsearch allows, such as %q", c.Namespace, sanitizeNamespace(c.Namespace)))
	}
	return errors.Join(errs...)
}

// Validate checks the bound.
func (c *BulkConfig) Validate() error {
	if c.MaxSizeMiB < 1 || c.MaxSizeMiB > 100 {
		return fmt.Errorf("max_size_mib: found %d, expected 1 to 100, as Elasticsearch takes no more", c.MaxSizeMiB)
	}
	return nil
}

// Validate checks that there is one place.
func (c *DeadLetterConfig) Validate() error {
	switch {
	case c.File != "" && c.DataStream != "":
		return errors.New("found file and data_stream, expected one of them")
	case c.File != "" && !filepath.IsAbs(c.File):
		return fmt.Errorf("file: found %q, expected an absolute path", c.File)
	case c.DataStream != sanitizeIndex(c.DataStream):
		return fmt.Errorf("data_stream: found %q, expected a name that Elasticsearch allows", c.DataStream)
	}
	return nil
}

// stream returns the data stream that dead letters go to, or nothing where they go to a file.
func (c *DeadLetterConfig) stream() string {
	if c.File == "" && c.DataStream == "" {
		return defaultDeadLetter
	}
	return c.DataStream
}

func oneOf(key, found string, expected ...string) error {
	for _, e := range expected {
		if found == e {
			return nil
		}
	}
	return fmt.Errorf("%s: found %q, expected one of %q", key, found, expected)
}

// urls returns the addresses of the nodes.
func (c *Config) urls() ([]*url.URL, error) {
	endpoints, key := c.Endpoints, "endpoints"
	if c.Endpoint != "" {
		if len(endpoints) > 0 {
			return nil, errors.New("endpoint: found beside endpoints, expected one of them")
		}
		endpoints, key = []string{c.Endpoint}, "endpoint"
	}
	switch {
	case c.CloudID != "" && len(endpoints) > 0:
		return nil, fmt.Errorf("cloud_id: found beside %s, expected one of them", key)
	case c.CloudID != "":
		u, err := cloudURL(c.CloudID)
		return []*url.URL{u}, err
	case len(endpoints) == 0:
		return nil, errors.New("endpoints: found none, expected URLs such as https://elasticsearch:9200, or a cloud_id")
	}
	urls := make([]*url.URL, len(endpoints))
	for i, endpoint := range endpoints {
		u, err := elastic.ParseURL(endpoint)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		urls[i] = u
	}
	return urls, nil
}
