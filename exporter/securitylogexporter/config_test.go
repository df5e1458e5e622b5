// SPDX-License-Identifier: Apache-2.0

package securitylogexporter

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/confmap/xconfmap"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/vedette-sec/vedette/exporter/securitylogexporter/internal/metadata"
)

func TestDefaultConfig(t *testing.T) {
	cfg := NewFactory().CreateDefaultConfig()
	require.NoError(t, componenttest.CheckConfigStruct(cfg))
	require.NoError(t, xconfmap.Validate(cfg))
}

func TestLoadConfig(t *testing.T) {
	conf, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	retry := configretry.NewDefaultBackOffConfig()
	retry.Enabled = false
	queue := exporterhelper.NewDefaultQueueConfig()
	queue.QueueSize = 50
	for _, tc := range []struct {
		id   component.ID
		want *Config
	}{
		{component.NewID(metadata.Type), &Config{
			Directory:   "/var/log/vedette",
			FileName:    "alerts.jsonl",
			Format:      "ecs",
			Rotation:    RotationConfig{MaxSizeMiB: 100, Interval: 24 * time.Hour, MaxAgeDays: 30, MaxBackups: 30},
			Terminal:    "auto",
			RetryConfig: configretry.NewDefaultBackOffConfig(),
			QueueConfig: configoptional.Default(exporterhelper.NewDefaultQueueConfig()),
		}},
		{component.NewIDWithName(metadata.Type, "all"), &Config{
			Directory:   "/srv/log",
			FileName:    "security.jsonl",
			Format:      "ecs",
			Rotation:    RotationConfig{MaxSizeMiB: 10, Interval: time.Hour, MaxAgeDays: 7, MaxBackups: 3, Compress: true},
			Terminal:    "never",
			RetryConfig: retry,
			QueueConfig: configoptional.Some(queue),
		}},
	} {
		t.Run(tc.id.String(), func(t *testing.T) {
			sub, err := conf.Sub(tc.id.String())
			require.NoError(t, err)
			cfg := NewFactory().CreateDefaultConfig()
			require.NoError(t, sub.Unmarshal(cfg))
			require.NoError(t, xconfmap.Validate(cfg))
			assert.Equal(t, tc.want, cfg)
		})
	}
}

func TestValidate(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"directory: found nothing, expected a path such as /var/log/vedette":                            func(c *Config) { c.Directory = "" },
		`file_name: found "", expected a name without directories, such as alerts.jsonl`:                func(c *Config) { c.FileName = "" },
		`file_name: found "..", expected a name without directories, such as alerts.jsonl`:              func(c *Config) { c.FileName = ".." },
		`file_name: found "../alerts.jsonl", expected a name without directories, such as alerts.jsonl`: func(c *Config) { c.FileName = "../alerts.jsonl" },
		`format: found "otlp", expected ecs or ocsf`:                                                    func(c *Config) { c.Format = "otlp" },
		`terminal: found "sometimes", expected auto, always or never`:                                   func(c *Config) { c.Terminal = "sometimes" },
		"rotation: max_size_mib: found 0, expected 1 or more":                                           func(c *Config) { c.Rotation.MaxSizeMiB = 0 },
		"rotation: interval: found 1s, expected 0 or at least 1m":                                       func(c *Config) { c.Rotation.Interval = time.Second },
		"rotation: interval: found -1h0m0s, expected 0 or at least 1m":                                  func(c *Config) { c.Rotation.Interval = -time.Hour },
		"rotation: max_age_days: found -1, expected 0 or more":                                          func(c *Config) { c.Rotation.MaxAgeDays = -1 },
		"rotation: max_backups: found -2, expected 0 or more":                                           func(c *Config) { c.Rotation.MaxBackups = -2 },
	} {
		t.Run(want, func(t *testing.T) {
			cfg := createDefaultConfig().(*Config)
			change(cfg)
			assert.EqualError(t, xconfmap.Validate(cfg), want)
		})
	}
}

func TestValidateReportsEverythingAtOnce(t *testing.T) {
	err := xconfmap.Validate(&Config{})
	for _, key := range []string{"directory", "file_name", "format", "terminal", "max_size_mib"} {
		assert.ErrorContains(t, err, key+": found")
	}
}
