// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"path/filepath"
	"testing"
	"time"

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
	changed := func(change func(*Config)) Config {
		cfg := createDefaultConfig().(*Config)
		change(cfg)
		return *cfg
	}
	storage := component.MustNewIDWithName("file_storage", "state")
	cases := map[string]Config{
		"": changed(func(*Config) {}),
		"all": changed(func(c *Config) {
			c.Output = OutputAppend
			c.Rules = RulesConfig{
				Directories: []string{"/etc/vedette/rules", "/srv/rules"}, Lists: []string{"/etc/vedette/lists"},
				Exceptions: []string{"/etc/vedette/exceptions"},
				Disable:    DisableConfig{IDs: []string{"a"}, Tags: []string{"attack.t1046"}, Levels: []string{"low"}},
				Levels:     map[string]string{"b": "high"}, OnError: OnErrorFail, ReloadInterval: time.Minute,
			}
			c.Correlation = CorrelationConfig{AllowedLateness: 5 * time.Second, MaxGroups: 10, MaxValues: 20, MaxMemoryMiB: 30}
			c.RateLimit = RateLimitConfig{Alerts: 100, Interval: time.Hour}
			c.Risk = RiskConfig{HalfLife: 7 * 24 * time.Hour}
			c.Storage = &storage
			c.StatusFile = "/tmp/rules.json"
		}),
		"annotate": changed(func(c *Config) { c.Output = OutputAnnotate }),
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
		"empty_directory": `rules: directories: entry 2 is empty, expected a path`,
		"bad_level":       `rules: levels::b: found "hig", expected informational, low, medium, high or critical`,
		"bad_disable":     `rules::disable: levels: found "lo", expected informational, low, medium, high or critical`,
		"bad_interval":    `rules: reload_interval: found 10ms, expected 0 or at least 1s`,
		"bad_correlation": "correlation: allowed_lateness: found -1s, expected 0 to 1h\nmax_groups: found 0, expected at least 1",
		"bad_rate":        "rate_limit: alerts: found -1, expected 0 or more\ninterval: found 0s, expected a time above 0",
		"bad_risk":        `risk: half_life: found 0s, expected a time above 0`,
		"no_rules":        `rules: builtin is false and directories is empty, expected at least one source of rules`,
	}
	for name, want := range cases {
		t.Run(name, func(t *testing.T) {
			assert.EqualError(t, xconfmap.Validate(loadConfig(t, name)), want)
		})
	}
}
