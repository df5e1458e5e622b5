// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/confmap/xconfmap"

	"github.com/vedette-sec/vedette/receiver/ebpfreceiver/internal/metadata"
)

var allKinds = []string{
	"process.exec", "process.fork", "process.exit", "process.remote_stdio",
	"process.access", "process.inject", "process.setid", "process.image_load",
	"file.open", "file.access", "file.create", "file.delete", "file.rename", "file.attributes",
	"network.connect", "network.accept", "network.bind", "network.listen", "dns.query",
	"kernel.module_load", "kernel.module_unload",
}

// defaultKinds are all but those that are too many.
var defaultKinds = slices.DeleteFunc(slices.Clone(allKinds), func(kind string) bool { return kind == "process.image_load" })

var kindList = strings.Join(allKinds, ", ")

func TestDefaultConfig(t *testing.T) {
	cfg := NewFactory().CreateDefaultConfig()
	require.NoError(t, componenttest.CheckConfigStruct(cfg))
	require.NoError(t, xconfmap.Validate(cfg))
}

func TestLoadConfig(t *testing.T) {
	conf, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	for _, tc := range []struct {
		name string
		want *Config
		err  string
	}{
		{name: "", want: &Config{
			Events:          defaultKinds,
			ProcessRingSize: 8 << 20, ActivityRingSize: 16 << 20,
			WatchReads:   watchedByDefault(),
			PollInterval: 20 * time.Millisecond,
		}},
		{name: "all_settings", want: &Config{
			Events:          []string{"process.exec", "network.connect"},
			Tiers:           map[string]string{"network.connect": "tracepoint"},
			ProcessRingSize: 1 << 20, ActivityRingSize: 2 << 20,
			WatchReads:   []string{"/etc/shadow", "/srv/*/keys"},
			PollInterval: 50 * time.Millisecond,
		}},
		{name: "unknown_event", err: `events: unknown event kind "process.start"; expected one of: ` + kindList},
		{name: "no_event", err: "events: at least one event kind expected, of: " + kindList},
		{name: "unknown_tier", err: `tiers::file.open: unknown tier "magic"; expected one of: lsm, fentry, kprobe, cgroup, tracepoint`},
		{name: "ring_size", err: "activity_ring_size: 3000000; expected a power of two from 4096 to 1073741824 bytes"},
		{name: "watch_reads", err: `watch_reads: "etc/shadow"; expected an absolute path, in which * and ? may stand for parts of a name`},
		{name: "poll_interval", err: "poll_interval: 2s; expected 1ms to 1s"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sub, err := conf.Sub(component.NewIDWithName(metadata.Type, tc.name).String())
			require.NoError(t, err)
			cfg := NewFactory().CreateDefaultConfig()
			require.NoError(t, sub.Unmarshal(cfg))
			err = xconfmap.Validate(cfg)
			if tc.err != "" {
				require.EqualError(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tc.want, cfg)
		})
	}
}

func TestValidate(t *testing.T) {
	for want, change := range map[string]func(*Config){
		`events: unknown event kind "security.alert"; expected one of: ` + kindList:                                           func(c *Config) { c.Events = []string{"security.alert"} },
		`tiers: unknown event kind "file.read"; expected one of: ` + kindList:                                                 func(c *Config) { c.Tiers = map[string]string{"file.read": "lsm"} },
		`tiers::process.exec: unknown tier ""; expected one of: lsm, fentry, kprobe, cgroup, tracepoint`:                      func(c *Config) { c.Tiers = map[string]string{"process.exec": ""} },
		"tiers::process.remote_stdio: the event is derived; expected a tier for network.connect or network.accept":            func(c *Config) { c.Tiers = map[string]string{"process.remote_stdio": "lsm"} },
		"process_ring_size: 0; expected a power of two from 4096 to 1073741824 bytes":                                         func(c *Config) { c.ProcessRingSize = 0 },
		"process_ring_size: -4096; expected a power of two from 4096 to 1073741824 bytes":                                     func(c *Config) { c.ProcessRingSize = -4096 },
		"activity_ring_size: 2048; expected a power of two from 4096 to 1073741824 bytes":                                     func(c *Config) { c.ActivityRingSize = 2048 },
		"activity_ring_size: 2147483648; expected a power of two from 4096 to 1073741824 bytes":                               func(c *Config) { c.ActivityRingSize = 2 << 30 },
		"poll_interval: 0s; expected 1ms to 1s":                                                                               func(c *Config) { c.PollInterval = 0 },
		"tiers::file.open: unknown tier \"a\"; expected one of: lsm, fentry, kprobe, cgroup, tracepoint\ntiers::network.bind": func(c *Config) { c.Tiers = map[string]string{"network.bind": "b", "file.open": "a"} },
	} {
		t.Run(want, func(t *testing.T) {
			cfg := createDefaultConfig().(*Config)
			change(cfg)
			err := xconfmap.Validate(cfg)
			require.Error(t, err)
			assert.Equal(t, want, err.Error()[:min(len(want), len(err.Error()))])
		})
	}
}

func TestValidateReportsEverythingAtOnce(t *testing.T) {
	err := xconfmap.Validate(&Config{})
	for _, key := range []string{"events", "process_ring_size", "activity_ring_size", "poll_interval"} {
		assert.ErrorContains(t, err, key+": ")
	}
}
