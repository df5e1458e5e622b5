// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/confmap/xconfmap"

	"github.com/vedette-sec/vedette/processor/detectionprocessor/internal/metadata"
)

func loadConfig(t *testing.T, name string) *Config {
	conf, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	sub, err := conf.Sub(component.NewIDWithName(metadata.Type, name).String())
	require.NoError(t, err)
	cfg := NewFactory().CreateDefaultConfig()
	require.NoError(t, sub.Unmarshal(cfg))
	return cfg.(*Config)
}

func TestConfig(t *testing.T) {
	cases := map[string]Config{
		"":         {Output: OutputAlerts, Rules: RulesConfig{Builtin: true, OnError: OnErrorReport}},
		"all":      {Output: OutputAppend, Rules: RulesConfig{Directories: []string{"/etc/vedette/rules", "/srv/rules"}, OnError: OnErrorFail}},
		"annotate": {Output: OutputAnnotate, Rules: RulesConfig{Builtin: true, OnError: OnErrorReport}},
	}
	for name, want := range cases {
		t.Run(name, func(t *testing.T) {
			cfg := loadConfig(t, name)
			assert.Equal(t, &want, cfg)
			assert.NoError(t, xconfmap.Validate(cfg))
		})
	}
}

func TestConfigIsRefused(t *testing.T) {
	cases := map[string]string{
		"bad_output":      `output: found "everything", expected alerts, annotate or append`,
		"bad_on_error":    `rules: on_error: found "ignore", expected report or fail`,
		"empty_directory": `rules: directories: entry 2 is empty, expected the path of a directory`,
		"no_rules":        `rules: builtin is false and directories is empty, expected at least one source of rules`,
	}
	for name, want := range cases {
		t.Run(name, func(t *testing.T) {
			assert.EqualError(t, xconfmap.Validate(loadConfig(t, name)), want)
		})
	}
}
