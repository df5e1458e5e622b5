// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"

	"github.com/vedette-sec/vedette/internal/event"
)

// Config is the receiver's configuration.
type Config struct {
	// Events are the event kinds to emit, such as process.exec. A kind that is not named costs
	// nothing, unless another one is derived from it. Default: all but process.image_load.
	Events []string `mapstructure:"events"`

	// Tiers fixes the way a kind is hooked: lsm, fentry, kprobe, cgroup or tracepoint. A kind that is not
	// named gets the best that works. Default: none.
	Tiers map[string]string `mapstructure:"tiers"`

	// ProcessRingSize and ActivityRingSize are the bytes of the two ring buffers between the kernel
	// and the receiver: one for process lifecycle, one for files and network. Powers of two of at
	// least a page. Default: 8 MiB and 16 MiB.
	ProcessRingSize  int `mapstructure:"process_ring_size"`
	ActivityRingSize int `mapstructure:"activity_ring_size"`

	// WatchReads are the files and directories whose readers file.access tells of: absolute paths, in
	// which * and ? stand for parts of a name. A directory stands for the files that are directly in it.
	// Default: accounts and keys.
	WatchReads []string `mapstructure:"watch_reads"`

	// PollInterval is how often the ring buffers are read; while nothing happens the receiver waits
	// up to five times as long. It bounds the delay of an event and decides what an idle host
	// costs. Default: 20ms.
	PollInterval time.Duration `mapstructure:"poll_interval"`
}

const (
	minRing = 4 << 10
	maxRing = 1 << 30
	minPoll = time.Millisecond
	maxPoll = time.Second
)

func createDefaultConfig() component.Config {
	return &Config{
		Events:           slices.DeleteFunc(eventKinds(), func(name string) bool { return slices.Contains(frequent, name) }),
		ProcessRingSize:  8 << 20,
		ActivityRingSize: 16 << 20,
		WatchReads:       watchedByDefault(),
		PollInterval:     20 * time.Millisecond,
	}
}

// watchedByDefault are what an intruder reads to become somebody else.
func watchedByDefault() []string {
	paths := []string{
		"/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/security/opasswd",
		"/etc/sudoers", "/etc/sudoers.d", "/etc/krb5.keytab",
		"/etc/ssh/ssh_host_*_key", "/etc/kubernetes/*.conf", "/etc/kubernetes/pki",
	}
	for _, home := range []string{"/root", "/home/*"} {
		for _, name := range []string{
			".ssh", ".aws", ".azure", ".config/gcloud", ".kube", ".docker/config.json", ".git-credentials", ".netrc",
		} {
			paths = append(paths, home+"/"+name)
		}
	}
	return paths
}

// frequent are the kinds that are emitted only where they are named: there are many and few are of use.
var frequent = []string{event.KindProcessImageLoad}

// eventKinds are the kinds this receiver can emit.
func eventKinds() []string {
	var names []string
	for _, kind := range event.Kinds() {
		if kind.Sensed() {
			names = append(names, kind.Name)
		}
	}
	return names
}

var tierNames = []string{"lsm", "fentry", "kprobe", "cgroup", "tracepoint"}

// Validate checks the configuration without touching the host.
func (c *Config) Validate() error {
	var errs []error
	known := eventKinds()
	if len(c.Events) == 0 {
		errs = append(errs, fmt.Errorf("events: at least one event kind expected, of: %s", strings.Join(known, ", ")))
	}
	for _, name := range c.Events {
		if !slices.Contains(known, name) {
			errs = append(errs, fmt.Errorf("events: unknown event kind %q; expected one of: %s", name, strings.Join(known, ", ")))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Tiers)) {
		tier := c.Tiers[name]
		if !slices.Contains(known, name) {
			errs = append(errs, fmt.Errorf("tiers: unknown event kind %q; expected one of: %s", name, strings.Join(known, ", ")))
		}
		if name == event.KindProcessRemoteStdio {
			errs = append(errs, fmt.Errorf("tiers::%s: the event is derived; expected a tier for %s or %s", name, event.KindNetworkConnect, event.KindNetworkAccept))
		}
		if !slices.Contains(tierNames, tier) {
			errs = append(errs, fmt.Errorf("tiers::%s: unknown tier %q; expected one of: %s", name, tier, strings.Join(tierNames, ", ")))
		}
	}
	errs = append(errs, validateRing("process_ring_size", c.ProcessRingSize), validateRing("activity_ring_size", c.ActivityRingSize))
	for _, pattern := range c.WatchReads {
		if _, err := filepath.Match(pattern, ""); err != nil || !filepath.IsAbs(pattern) || filepath.Clean(pattern) != pattern {
			errs = append(errs, fmt.Errorf("watch_reads: %q; expected an absolute path, in which * and ? may stand for parts of a name", pattern))
		}
	}
	if c.PollInterval < minPoll || c.PollInterval > maxPoll {
		errs = append(errs, fmt.Errorf("poll_interval: %s; expected %s to %s", c.PollInterval, minPoll, maxPoll))
	}
	return errors.Join(errs...)
}

func validateRing(key string, size int) error {
	if size < minRing || size > maxRing || bits.OnesCount(uint(size)) != 1 {
		return fmt.Errorf("%s: %d; expected a power of two from %d to %d bytes", key, size, minRing, maxRing)
	}
	return nil
}
