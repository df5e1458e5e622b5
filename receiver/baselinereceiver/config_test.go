// SPDX-License-Identifier: Apache-2.0

package baselinereceiver

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/confmap/xconfmap"

	"github.com/vedette-sec/vedette/receiver/baselinereceiver/internal/metadata"
)

func TestDefaultConfig(t *testing.T) {
	cfg := NewFactory().CreateDefaultConfig()
	require.NoError(t, componenttest.CheckConfigStruct(cfg))
	require.NoError(t, xconfmap.Validate(cfg))
}

func TestLoadConfig(t *testing.T) {
	conf, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	for _, tc := range []struct {
		id   component.ID
		want *Config
	}{
		{component.NewID(metadata.Type), &Config{
			Templates: []TemplateConfig{{ID: "mlps-l2"}}, Root: "/", InitialDelay: 30 * time.Second, Interval: 5 * time.Minute,
			ChangeDelay: 2 * time.Second, Jitter: 30 * time.Second,
			SnapshotInterval: 24 * time.Hour, WalkInterval: 24 * time.Hour, Approved: "/var/lib/vedette/baseline/approved.json", Language: "en",
			Pressure: PressureConfig{Limit: 60, MaxWait: time.Minute},
		}},
		{component.NewIDWithName(metadata.Type, "all"), &Config{
			Templates:   []TemplateConfig{{ID: "mlps-l3", Values: map[string]string{"password_max_days": "60"}}, {ID: "cis-debian12", Profile: "level1-server"}},
			Directories: []string{"/etc/vedette/baselines"}, Roles: []string{"bastion"}, Root: "/host",
			InitialDelay: time.Minute, Interval: time.Hour, ChangeDelay: 5 * time.Second, Jitter: 10 * time.Minute,
			SnapshotInterval: 48 * time.Hour, WalkInterval: 12 * time.Hour, Approved: "/srv/approved.json", Language: "zh",
			Pressure: PressureConfig{Limit: 30, MaxWait: 5 * time.Minute},
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
		"templates: found none, expected at least one, such as {id: mlps-l2}": func(c *Config) { c.Templates = nil },
		"templates[0]: id: found nothing, expected the id of a template":      func(c *Config) { c.Templates[0].ID = "" },
		`templates[1]: id: found "mlps-l2" with the same profile twice`:       func(c *Config) { c.Templates = append(c.Templates, c.Templates[0]) },
		`root: found "host", expected an absolute path`:                       func(c *Config) { c.Root = "host" },
		"initial_delay: found -1s, expected at least 0s":                      func(c *Config) { c.InitialDelay = -time.Second },
		"interval: found 1ms, expected at least 1s":                           func(c *Config) { c.Interval = time.Millisecond },
		"change_delay: found -1s, expected at least 0s":                       func(c *Config) { c.ChangeDelay = -time.Second },
		"jitter: found -1s, expected at least 0s":                             func(c *Config) { c.Jitter = -time.Second },
		"snapshot_interval: found 1s, expected at least 1m0s":                 func(c *Config) { c.SnapshotInterval = time.Second },
		"walk_interval: found 0s, expected at least 1m0s":                     func(c *Config) { c.WalkInterval = 0 },
		`language: found "de", expected en or zh`:                             func(c *Config) { c.Language = "de" },
		"pressure: limit: found 101, expected 0 to 100":                       func(c *Config) { c.Pressure.Limit = 101 },
		"pressure: max_wait: found -1s, expected at least 0s":                 func(c *Config) { c.Pressure.MaxWait = -time.Second },
	} {
		t.Run(want, func(t *testing.T) {
			cfg := createDefaultConfig().(*Config)
			change(cfg)
			assert.EqualError(t, xconfmap.Validate(cfg), want)
		})
	}
}
