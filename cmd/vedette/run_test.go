// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/otelcol"

	"github.com/vedette-sec/vedette/internal/cli"
)

func validate(t *testing.T, path string) (stderr string, err error) {
	t.Helper()
	set := otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{Command: "vedette"},
		Factories: components,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			ProviderFactories: []confmap.ProviderFactory{envprovider.NewFactory(), fileprovider.NewFactory()},
		}},
	}
	var out, errs bytes.Buffer
	err = cli.Run(context.Background(), set, []string{"validate", "--config", path}, cli.Streams{Out: &out, Err: &errs})
	return errs.String(), err
}

func TestShippedConfigurationsAreValid(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("..", "..", "config", "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		stderr, err := validate(t, path)
		assert.NoError(t, err, "%s: %s", path, stderr)
	}
}

// Errors of our own components are located by the keys that their Validate methods name.
func TestMistakesInOwnComponents(t *testing.T) {
	stderr, err := validate(t, filepath.Join("testdata", "mistakes.yaml"))
	require.Error(t, err)
	const file = "testdata/mistakes.yaml"
	assert.Equal(t, file+`:4: receivers::ebpf: poll_interval: 1h0m0s; expected 1ms to 1s
`+file+`:8: processors::detection: output: found "everything", expected alerts, annotate or append
`+file+`:10: processors::detection::rules: on_error: found "panic", expected report or fail
`+file+`:14: exporters::securitylog::rotation: max_size_mib: found 0, expected 1 or more
`, stderr)
}
