// SPDX-License-Identifier: Apache-2.0

package enforcementextension

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/confmap/xconfmap"

	"github.com/vedette-sec/vedette/extension/enforcementextension/internal/metadata"
)

func TestDefaultConfig(t *testing.T) {
	cfg := NewFactory().CreateDefaultConfig().(*Config)
	require.NoError(t, componenttest.CheckConfigStruct(cfg))
	require.NoError(t, xconfmap.Validate(cfg))
	assert.False(t, cfg.Response.Enabled)
	assert.Empty(t, cfg.Response.Allow)
	assert.True(t, cfg.Response.DryRun)
}

func TestLoadConfig(t *testing.T) {
	conf, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	for _, tc := range []struct {
		id   component.ID
		want component.Config
	}{
		{component.NewID(metadata.Type), createDefaultConfig()},
		{component.NewIDWithName(metadata.Type, "all"), &Config{
			StateDirectory: "/srv/vedette",
			Policies: PoliciesConfig{
				Directories: []string{"/srv/policies"}, Modes: map[string]string{"web-root": "enforce"}, Panic: "audit",
				ReloadInterval: time.Minute, Pins: "/sys/fs/bpf/other", OnStop: "release", StatusFile: "/srv/policies.json", Socket: "/srv/policies.sock",
			},
			Response: ResponseConfig{
				Enabled: true,
				Allow:   []string{"kill_process", "kill_tree", "suspend", "block_address", "quarantine_file", "block_executable", "isolate_host"},
				RateLimit: RateLimitConfig{
					RateConfig{1, time.Second}, RateConfig{2, 2 * time.Second}, RateConfig{3, 3 * time.Second},
					RateConfig{4, 4 * time.Second}, RateConfig{5, 5 * time.Second}, RateConfig{7, 7 * time.Second}, RateConfig{6, 6 * time.Second},
				},
				Expiry: ExpiryConfig{Suspend: time.Minute, BlockExecutable: 2 * time.Minute, IsolateHost: 3 * time.Minute},
				Protected: ProtectedConfig{
					Users: []string{"postgres", "1000"}, Executables: []string{"/usr/sbin/keepalived"},
					PIDs: []uint32{4711}, Addresses: []string{"192.0.2.1", "2001:db8::/32"},
				},
				QuarantineDirectory: "/srv/quarantine",
				Isolate:             IsolateConfig{Allow: []string{"192.0.2.0/24"}},
				QueueSize:           10,
			},
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
		`state_directory: found "var", expected an absolute path such as /var/lib/vedette`: func(c *Config) { c.StateDirectory = "var" },
		`policies: directories: entry 1: found "policies", expected an absolute path`:      func(c *Config) { c.Policies.Directories = []string{"policies"} },
		`policies: modes::sshd: found "on", expected audit or enforce`:                     func(c *Config) { c.Policies.Modes = map[string]string{"sshd": "on"} },
		`policies: panic: found "yes", expected audit or nothing`:                          func(c *Config) { c.Policies.Panic = "yes" },
		`policies: pins: found "pins", expected an absolute path or nothing`:               func(c *Config) { c.Policies.Pins = "pins" },
		`policies: on_stop: found "stay", expected keep or release`:                        func(c *Config) { c.Policies.OnStop = "stay" },
		"policies: reload_interval: found 1ms, expected 0 or at least 1s":                  func(c *Config) { c.Policies.ReloadInterval = time.Millisecond },
		`response: allow: found "kill", expected one of [kill_process kill_tree suspend block_address quarantine_file block_executable isolate_host]`: func(c *Config) {
			c.Response.Allow = []string{"kill"}
		},
		`response: quarantine_directory: found "", expected an absolute path`: func(c *Config) { c.Response.QuarantineDirectory = "" },
		"response: queue_size: found 0, expected 1 or more":                   func(c *Config) { c.Response.QueueSize = 0 },
		"response: isolate::allow: found nothing, expected an address from which the isolated host can be reached": func(c *Config) {
			c.Response.Allow = []string{"isolate_host"}
		},
		"response::rate_limit::suspend: found 0 in 1m0s, expected a count of 1 or more and a window longer than 0": func(c *Config) {
			c.Response.RateLimit.Suspend.Count = 0
		},
		"response::expiry: suspend: found -1s, expected 0 (never) or more":          func(c *Config) { c.Response.Expiry.Suspend = -time.Second },
		`response::protected: executables: found "sshd", expected an absolute path`: func(c *Config) { c.Response.Protected.Executables = []string{"sshd"} },
		`response::protected: addresses: found "gateway", expected an address such as 192.0.2.1 or a network such as 192.0.2.0/24`: func(c *Config) {
			c.Response.Protected.Addresses = []string{"gateway"}
		},
		`response::isolate: allow: found "192.0.2.0/33", expected an address such as 192.0.2.1 or a network such as 192.0.2.0/24`: func(c *Config) {
			c.Response.Isolate.Allow = []string{"192.0.2.0/33"}
		},
	} {
		t.Run(want, func(t *testing.T) {
			cfg := createDefaultConfig().(*Config)
			change(cfg)
			assert.EqualError(t, xconfmap.Validate(cfg), want)
		})
	}
}

func TestPrefixes(t *testing.T) {
	have, err := prefixes("x", []string{"192.0.2.1", "::ffff:192.0.2.2", "192.0.2.77/24", "2001:db8::1"})
	require.NoError(t, err)
	assert.Equal(t, []netip.Prefix{
		netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.2/32"),
		netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::1/128"),
	}, have)
}
