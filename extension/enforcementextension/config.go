// SPDX-License-Identifier: Apache-2.0

package enforcementextension

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"go.opentelemetry.io/collector/component"

	"github.com/vedette-sec/vedette/extension/enforcementextension/enforcement"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// Config describes what the extension may do.
type Config struct {
	// StateDirectory holds what must survive a restart. It is made, with mode 0700, when something is
	// to be kept. Default /var/lib/vedette.
	StateDirectory string `mapstructure:"state_directory"`

	// Policies says which policies are kept in force.
	Policies PoliciesConfig `mapstructure:"policies"`

	// Response says what may be done in response to alerts.
	Response ResponseConfig `mapstructure:"response"`
}

// PoliciesConfig says which policies are kept in force.
type PoliciesConfig struct {
	// Directories are read recursively for policies in files named *.yaml and *.yml; what does not exist holds none. Without
	// directories, or policies in them, nothing is touched on the host. Default: none.
	Directories []string `mapstructure:"directories"`

	// Modes gives policies another mode, audit or enforce, by name; rules with a mode of their own get it too. Default: none.
	Modes map[string]string `mapstructure:"modes"`

	// Panic makes every rule only report, whatever its mode, when it is audit. Operators switch the same by
	// `vedette policy panic on`. Default: empty.
	Panic string `mapstructure:"panic"`

	// ReloadInterval is how often the files, and the programs that policies name, are looked at for changes; 0 never does, and
	// only SIGHUP reads them anew. Default: 5s.
	ReloadInterval time.Duration `mapstructure:"reload_interval"`

	// Pins is a directory in the BPF file system where what is in force is kept beyond the end of the agent, with kernels that
	// call BPF programs in their security hooks: the next agent goes on with it. Empty keeps nothing. Default:
	// /sys/fs/bpf/vedette/enforce.
	Pins string `mapstructure:"pins"`

	// OnStop says what an orderly stop of the agent does: keep leaves policies in force as their on_agent_loss says, release takes
	// everything down. Default: keep.
	OnStop string `mapstructure:"on_stop"`

	// ProtectAgent protects the agent itself while any policy is enforced: its process, program, settings, policies, state, and what
	// it has in the kernel. Default: true.
	ProtectAgent bool `mapstructure:"protect_agent"`

	// StatusFile is written for `vedette policy status`. Empty writes none. Default: /run/vedette/policies.json.
	StatusFile string `mapstructure:"status_file"`

	// Socket is where `vedette policy confirm` and `vedette policy panic` reach the agent. Empty takes no commands. Default:
	// /run/vedette/policies.sock.
	Socket string `mapstructure:"socket"`
}

// ResponseConfig says what may be done in response to alerts.
type ResponseConfig struct {
	// Enabled must be set for anything to be done. Default false.
	Enabled bool `mapstructure:"enabled"`

	// Allow lists the actions that may be taken. None by default.
	Allow []string `mapstructure:"allow"`

	// DryRun tells what would be done instead of doing it. Default true.
	DryRun bool `mapstructure:"dry_run"`

	// RateLimit says how often each action may be taken.
	RateLimit RateLimitConfig `mapstructure:"rate_limit"`

	// Expiry says after which time an action ends by itself, unless the request says otherwise.
	Expiry ExpiryConfig `mapstructure:"expiry"`

	// Protected names what is never touched, besides what never is anyway.
	Protected ProtectedConfig `mapstructure:"protected"`

	// QuarantineDirectory is where quarantined files are. It must have mode 0700, and is made when it
	// does not exist. Default /var/lib/vedette/quarantine.
	QuarantineDirectory string `mapstructure:"quarantine_directory"`

	// Isolate says what an isolated host may still do.
	Isolate IsolateConfig `mapstructure:"isolate"`

	// QueueSize is how many requests may wait. Default 256.
	QueueSize int `mapstructure:"queue_size"`
}

// RateLimitConfig has a rate for each action.
type RateLimitConfig struct {
	KillProcess     RateConfig `mapstructure:"kill_process"`
	KillTree        RateConfig `mapstructure:"kill_tree"`
	Suspend         RateConfig `mapstructure:"suspend"`
	BlockAddress    RateConfig `mapstructure:"block_address"`
	QuarantineFile  RateConfig `mapstructure:"quarantine_file"`
	BlockExecutable RateConfig `mapstructure:"block_executable"`
	IsolateHost     RateConfig `mapstructure:"isolate_host"`
}

// RateConfig is how often something may happen: Count times in each Window.
type RateConfig struct {
	Count  int           `mapstructure:"count"`
	Window time.Duration `mapstructure:"window"`
}

// ExpiryConfig has a time for each action that can expire; 0 is never.
type ExpiryConfig struct {
	Suspend         time.Duration `mapstructure:"suspend"`
	BlockAddress    time.Duration `mapstructure:"block_address"`
	BlockExecutable time.Duration `mapstructure:"block_executable"`
	IsolateHost     time.Duration `mapstructure:"isolate_host"`
}

// ProtectedConfig names what is never touched.
type ProtectedConfig struct {
	// Users are names or ids; their processes are not signalled.
	Users []string `mapstructure:"users"`
	// Executables are absolute paths; they are not moved and what runs them is not signalled.
	Executables []string `mapstructure:"executables"`
	// PIDs are ids of processes that are not signalled.
	PIDs []uint32 `mapstructure:"pids"`
	// Addresses are addresses or networks in CIDR notation that are never cut off.
	Addresses []string `mapstructure:"addresses"`
}

// IsolateConfig says what an isolated host may still do.
type IsolateConfig struct {
	// Allow lists addresses, or networks in CIDR notation, that it may talk to: management, name
	// servers and where alerts are sent to.
	Allow []string `mapstructure:"allow"`
}

func createDefaultConfig() component.Config {
	return &Config{
		StateDirectory: "/var/lib/vedette",
		Policies: PoliciesConfig{
			ReloadInterval: 5 * time.Second, Pins: "/sys/fs/bpf/vedette/enforce", OnStop: keepOnStop, ProtectAgent: true, StatusFile: "/run/vedette/policies.json", Socket: "/run/vedette/policies.sock",
		},
		Response: ResponseConfig{
			DryRun: true,
			RateLimit: RateLimitConfig{
				KillProcess:     RateConfig{20, time.Minute},
				KillTree:        RateConfig{10, time.Minute},
				Suspend:         RateConfig{20, time.Minute},
				BlockAddress:    RateConfig{60, time.Minute},
				QuarantineFile:  RateConfig{20, time.Minute},
				BlockExecutable: RateConfig{20, time.Minute},
				IsolateHost:     RateConfig{2, time.Hour},
			},
			Expiry:              ExpiryConfig{Suspend: 15 * time.Minute, BlockAddress: 24 * time.Hour, BlockExecutable: 24 * time.Hour, IsolateHost: time.Hour},
			QuarantineDirectory: "/var/lib/vedette/quarantine",
			QueueSize:           256,
		},
	}
}

// Validate checks the configuration without looking at the host.
func (c *Config) Validate() error {
	if !filepath.IsAbs(c.StateDirectory) {
		return fmt.Errorf("state_directory: found %q, expected an absolute path such as /var/lib/vedette", c.StateDirectory)
	}
	return nil
}

// Validate checks the values; it does not touch the disk.
func (c *PoliciesConfig) Validate() error {
	var errs []error
	for i, directory := range c.Directories {
		if !filepath.IsAbs(directory) {
			errs = append(errs, fmt.Errorf("directories: entry %d: found %q, expected an absolute path", i+1, directory))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Modes)) {
		if mode := policy.Mode(c.Modes[name]); mode != policy.Audit && mode != policy.Enforce {
			errs = append(errs, fmt.Errorf("modes::%s: found %q, expected audit or enforce", name, c.Modes[name]))
		}
	}
	if c.Panic != "" && c.Panic != string(policy.Audit) {
		errs = append(errs, fmt.Errorf("panic: found %q, expected audit or nothing", c.Panic))
	}
	if c.OnStop != keepOnStop && c.OnStop != releaseOnStop {
		errs = append(errs, fmt.Errorf("on_stop: found %q, expected keep or release", c.OnStop))
	}
	if c.Pins != "" && !filepath.IsAbs(c.Pins) {
		errs = append(errs, fmt.Errorf("pins: found %q, expected an absolute path or nothing", c.Pins))
	}
	if c.ReloadInterval != 0 && c.ReloadInterval < time.Second {
		errs = append(errs, fmt.Errorf("reload_interval: found %s, expected 0 or at least 1s", c.ReloadInterval))
	}
	return errors.Join(errs...)
}

// What OnStop may be.
const (
	keepOnStop    = "keep"
	releaseOnStop = "release"
)

func (c *PoliciesConfig) modes() map[string]policy.Mode {
	all := map[string]policy.Mode{}
	for name, mode := range c.Modes {
		all[name] = policy.Mode(mode)
	}
	return all
}

// Validate checks everything but the rates and the times.
func (c *ResponseConfig) Validate() error {
	var errs []error
	for _, name := range c.Allow {
		if !slices.Contains(enforcement.Actions(), enforcement.Action(name)) {
			errs = append(errs, fmt.Errorf("allow: found %q, expected one of %v", name, enforcement.Actions()))
		}
	}
	if !filepath.IsAbs(c.QuarantineDirectory) {
		errs = append(errs, fmt.Errorf("quarantine_directory: found %q, expected an absolute path", c.QuarantineDirectory))
	}
	if c.QueueSize < 1 {
		errs = append(errs, fmt.Errorf("queue_size: found %d, expected 1 or more", c.QueueSize))
	}
	if slices.Contains(c.Allow, string(enforcement.IsolateHost)) && len(c.Isolate.Allow) == 0 {
		errs = append(errs, errors.New("isolate::allow: found nothing, expected an address from which the isolated host can be reached"))
	}
	return errors.Join(errs...)
}

// Validate checks the rate.
func (c *RateConfig) Validate() error {
	if c.Count < 1 || c.Window <= 0 {
		return fmt.Errorf("found %d in %s, expected a count of 1 or more and a window longer than 0", c.Count, c.Window)
	}
	return nil
}

// Validate checks the times.
func (c *ExpiryConfig) Validate() error {
	var errs []error
	for _, one := range []struct {
		key   string
		value time.Duration
	}{{"suspend", c.Suspend}, {"block_address", c.BlockAddress}, {"block_executable", c.BlockExecutable}, {"isolate_host", c.IsolateHost}} {
		if one.value < 0 {
			errs = append(errs, fmt.Errorf("%s: found %s, expected 0 (never) or more", one.key, one.value))
		}
	}
	return errors.Join(errs...)
}

// Validate checks the paths and addresses.
func (c *ProtectedConfig) Validate() error {
	var errs []error
	for _, path := range c.Executables {
		if !filepath.IsAbs(path) {
			errs = append(errs, fmt.Errorf("executables: found %q, expected an absolute path", path))
		}
	}
	_, err := prefixes("addresses", c.Addresses)
	return errors.Join(append(errs, err)...)
}

// Validate checks the addresses.
func (c *IsolateConfig) Validate() error {
	_, err := prefixes("allow", c.Allow)
	return err
}

// prefixes reads addresses and networks.
func prefixes(key string, list []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	var errs []error
	for _, text := range list {
		if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
			address = address.Unmap()
			all = append(all, netip.PrefixFrom(address, address.BitLen()))
			continue
		}
		prefix, err := netip.ParsePrefix(text)
		if err != nil || prefix.Addr().Is4In6() {
			errs = append(errs, fmt.Errorf("%s: found %q, expected an address such as 192.0.2.1 or a network such as 192.0.2.0/24", key, text))
			continue
		}
		all = append(all, prefix.Masked())
	}
	return all, errors.Join(errs...)
}
