// SPDX-License-Identifier: Apache-2.0

package configerror

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/debugexporter"
	"go.opentelemetry.io/collector/exporter/otlpexporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/batchprocessor"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
)

func factories() (otelcol.Factories, error) {
	receivers, err := otelcol.MakeFactoryMap[receiver.Factory](otlpreceiver.NewFactory())
	if err != nil {
		return otelcol.Factories{}, err
	}
	processors, err := otelcol.MakeFactoryMap[processor.Factory](batchprocessor.NewFactory(), newPickyFactory())
	if err != nil {
		return otelcol.Factories{}, err
	}
	exporters, err := otelcol.MakeFactoryMap[exporter.Factory](debugexporter.NewFactory(), otlpexporter.NewFactory())
	return otelcol.Factories{
		Receivers: receivers, Processors: processors, Exporters: exporters,
		Telemetry: otelconftelemetry.NewFactory(),
	}, err
}

// pickyConfig refuses what it is given for several reasons at once.
type pickyConfig struct {
	Colour string `mapstructure:"colour"`
	Size   int    `mapstructure:"size"`
	Shape  string `mapstructure:"shape"`
}

func (c *pickyConfig) Validate() error {
	return errors.Join(
		fmt.Errorf("colour: found %q, expected blue", c.Colour),
		fmt.Errorf("size: found %d, expected 0 or more", c.Size),
		errors.New("shape: found nothing, expected round"),
	)
}

func newPickyFactory() processor.Factory {
	return processor.NewFactory(component.MustNewType("picky"), func() component.Config { return &pickyConfig{} })
}

// validate has the real Collector check the files, and explains its error.
func validate(t *testing.T, uris ...string) error {
	t.Helper()
	files := &Files{}
	collector, err := otelcol.NewCollector(otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{Command: "vedette"},
		Factories: factories,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			URIs: uris, DefaultScheme: "env",
			ProviderFactories: files.Watch([]confmap.ProviderFactory{
				fileprovider.NewFactory(), yamlprovider.NewFactory(), envprovider.NewFactory(),
			}),
		}},
	})
	require.NoError(t, err)
	known, err := factories()
	require.NoError(t, err)
	return Explain(collector.DryRun(context.Background()), files, known)
}

func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

const pipeline = `
service:
  pipelines:
    logs:
      receivers: [otlp]
      exporters: [debug]
`

const components = `receivers:
  otlp:
    protocols:
      grpc:
        endpoint: localhost:4317
exporters:
  debug:
`

func TestExplain(t *testing.T) {
	for _, tt := range []struct {
		name, config string
		want         []string
	}{
		{"unknown key", "receivers:\n  otlp:\n    protocols:\n      grpc:\n    port: 1\n    colour: red\nexporters:\n  debug:" + pipeline, []string{
			`c.yaml:5: receivers::otlp has no key "port"; expected one of: protocols`,
			`c.yaml:6: receivers::otlp has no key "colour"; expected one of: protocols`,
		}},
		{"unknown key far down", "exporters:\n  debug:\nreceivers:\n  otlp:\n    protocols:\n      grpc:\n        keepalive: {pause: 1}" + pipeline, []string{
			`c.yaml:7: receivers::otlp::protocols::grpc::keepalive has no key "pause"; expected one of: enforcement_policy, server_parameters`,
		}},
		{"unknown section", components + "outputs:\n" + pipeline, []string{
			`c.yaml:8: the configuration has no key "outputs"; expected one of: connectors, exporters, extensions, processors, receivers, service`,
		}},
		{"unknown key of the service", components + "service:\n  pipeline:\n", []string{
			`c.yaml:9: service has no key "pipeline"; expected one of: extensions, pipelines, telemetry`,
		}},
		{"telemetry", components + pipeline + "  telemetry:\n    metrics:\n      detail: 1\n      level: loud\n", []string{
			`c.yaml:16: service::telemetry::metrics has no key "detail"; expected one of: level, readers, views`,
			`c.yaml:17: service::telemetry::metrics::level: unknown metrics level "loud"`,
		}},
		{"unknown components", "receivers:\n  otlq:\nprocessors:\n  batch/2:\n  patch/2:\nexporters:\n  debug:" + pipeline, []string{
			`c.yaml:2: there is no receiver "otlq"; expected one of: otlp`,
			`c.yaml:5: there is no processor "patch/2"; expected one of: batch, picky`,
		}},
		{"wrong values", "receivers:\n  otlp:\nprocessors:\n  batch:\n    timeout: soon\n    send_batch_size: many\n    metadata_keys: {a: 1}\n", []string{
			`c.yaml:5: processors::batch::timeout: time: invalid duration, found "soon"`,
			`c.yaml:6: processors::batch::send_batch_size: expected type 'uint32', got unconvertible type 'string', found "many"`,
			`c.yaml:7: processors::batch::metadata_keys: source data must be an array or slice, got map`,
		}},
		{"validation", "receivers:\n  otlp:\nprocessors:\n  batch:\n    send_batch_size: 10\n    send_batch_max_size: 5\nexporters:\n  debug:" + pipeline, []string{
			`c.yaml:2: receivers::otlp: must specify at least one protocol when using the OTLP receiver`,
			`c.yaml:4: processors::batch: send_batch_max_size must be greater or equal to send_batch_size`,
		}},
		{"several reasons for one component", "receivers:\n  otlp:\n    protocols:\n      grpc:\nprocessors:\n  picky:\n    colour: red\n    size: -1\nexporters:\n  debug:" + pipeline, []string{
			`c.yaml:6: processors::picky: shape: found nothing, expected round`,
			`c.yaml:7: processors::picky: colour: found "red", expected blue`,
			`c.yaml:8: processors::picky: size: found -1, expected 0 or more`,
		}},
		{"missing processor", components + "processors:\n  batch:\n" + pipeline + "      processors:\n        - batch\n        - patch\n", []string{
			`c.yaml:18: service::pipelines::logs::processors names the processor "patch", which is not configured under processors; expected one of: batch`,
		}},
		{"missing extension", components + "service:\n  extensions: [zpages]\n  pipelines:\n    logs: {receivers: [otlp], exporters: [debug]}\n", []string{
			`c.yaml:9: service::extensions names the extension "zpages", which is not configured under extensions`,
		}},
		{"pipeline of no signal", components + "service:\n  pipelines:\n    lags: {receivers: [otlp], exporters: [debug]}\n", []string{
			`c.yaml:9: service::pipelines: in "lags" id: unknown pipeline signal: "lags"`,
		}},
		{"pipeline without exporter", components + "service:\n  pipelines:\n    logs: {receivers: [otlp]}\n", []string{
			`c.yaml:10: service::pipelines::logs: must have at least one exporter`,
		}},
		{"tab", "receivers:\n\totlp:\n", []string{`c.yaml:2: not valid YAML: found character that cannot start any token`}},
		{"doubled key", "receivers:\n  otlp:\n  otlp:\n", []string{`c.yaml:3: not valid YAML: mapping key "otlp" already defined at line 2`}},
		{"a text", "hello", []string{`c.yaml:1: found "hello", expected a map with the keys receivers, exporters and service`}},
		{"a list", "\n- a\n", []string{`c.yaml:2: found a list, expected a map with the keys receivers, exporters and service`}},
		{"empty", "", []string{
			`c.yaml: empty configuration file`,
			`c.yaml: service::pipelines: service must have at least one pipeline`,
		}},
		{"missing included file", "receivers:\n  otlp: ${file:/nowhere/otlp.yaml}\n", []string{
			`c.yaml:2: cannot read the configuration file /nowhere/otlp.yaml: no such file or directory`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			err := validate(t, write(t, dir, "c.yaml", tt.config))
			require.Error(t, err)
			var broken *Error
			require.ErrorAs(t, err, &broken)
			assert.Error(t, errors.Unwrap(err), "the Collector's error stays within reach")
			assert.Equal(t, strings.Join(tt.want, "\n"), strings.ReplaceAll(err.Error(), dir+"/", ""))
		})
	}
}

func TestGoodConfiguration(t *testing.T) {
	assert.NoError(t, validate(t, write(t, t.TempDir(), "c.yaml", components+pipeline)))
}

func TestMissingFile(t *testing.T) {
	assert.EqualError(t, validate(t, "/nowhere/c.yaml"),
		"cannot read the configuration file /nowhere/c.yaml: no such file or directory")
}

func TestSeveralFiles(t *testing.T) {
	dir := t.TempDir()
	base := write(t, dir, "base.yaml", components+pipeline)
	overlay := write(t, dir, "overlay.yaml", "receivers:\n  otlp:\n    port: 1\n")
	assert.EqualError(t, validate(t, base, overlay),
		overlay+`:3: receivers::otlp has no key "port"; expected one of: protocols`)
	assert.EqualError(t, validate(t, "file:"+overlay, base),
		overlay+`:3: receivers::otlp has no key "port"; expected one of: protocols`)
	broken := write(t, dir, "broken.yaml", "a: [\n")
	err := validate(t, base, broken)
	require.Error(t, err)
	assert.True(t, strings.HasPrefix(err.Error(), broken+":"), err)
}

func TestConfigurationWithoutFile(t *testing.T) {
	assert.EqualError(t, validate(t, "yaml:receivers::otlp::port: 1"),
		`receivers::otlp has no key "port"; expected one of: protocols`)
}

func TestOtherErrors(t *testing.T) {
	assert.NoError(t, Explain(nil, &Files{}, otelcol.Factories{}))
	other := errors.New("address already in use")
	assert.Equal(t, other, Explain(other, &Files{}, otelcol.Factories{}))
}

func FuzzDocument(f *testing.F) {
	f.Add(components+pipeline, "receivers::otlp::protocols")
	f.Add("a: &x [1, {b: *x}]\n", "a::1::b::0")
	f.Add("a: [\n", "a")
	f.Add("{a: 1, a: 2}", "a")
	f.Fuzz(func(t *testing.T, content, path string) {
		docs := documents{parseDocument("f", []byte(content))}
		if problem, ok := docs.broken(); ok {
			require.NotEmpty(t, problem.Message)
			return
		}
		parts := strings.Split(path, "::")
		if at, ok := docs.find(parts); ok {
			require.LessOrEqual(t, at.missing, len(parts))
			require.NotNil(t, at.value)
		}
		docs.findText(path)
	})
}

func TestAnnounceNeitherWaitsNorOutlivesTheCollector(t *testing.T) {
	files := &Files{}
	files.Announce() // nobody has read anything
	resolver, err := confmap.NewResolver(confmap.ResolverSettings{
		URIs:              []string{"file:" + write(t, t.TempDir(), "a.yaml", components)},
		ProviderFactories: files.Watch([]confmap.ProviderFactory{fileprovider.NewFactory()}),
	})
	require.NoError(t, err)
	told := func() bool {
		select {
		case err := <-resolver.Watch():
			require.NoError(t, err)
			return true
		default:
			return false
		}
	}
	for range 2 {
		_, err = resolver.Resolve(t.Context())
		require.NoError(t, err)
		files.Announce()
		files.Announce() // the first is not taken yet
		assert.True(t, told())
		files.Announce() // it is taken, and nothing is read yet
		assert.False(t, told())
	}
	_, err = resolver.Resolve(t.Context())
	require.NoError(t, err)
	require.NoError(t, resolver.Shutdown(t.Context()))
	files.Announce()
}
