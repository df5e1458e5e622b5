// SPDX-License-Identifier: Apache-2.0

package baselinereceiver

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"go.opentelemetry.io/collector/component"
)

// Config describes by what the host is judged and how often.
type Config struct {
	// Templates are those by which the host is judged. Default mlps-l2.
	Templates []TemplateConfig `mapstructure:"templates"`

	// Directories are files and directories with templates and waivers beside the ready ones. They are read anew when they
	// change. Default none.
	Directories []string `mapstructure:"directories"`

	// Roles say what the host is for, for rules that are about some hosts only. Default none.
	Roles []string `mapstructure:"roles"`

	// Root is the root directory of the host that is judged, such as /host in a container. Default /.
	Root string `mapstructure:"root"`

	// InitialDelay is how long after its start the receiver judges for the first time. Default 30s.
	InitialDelay time.Duration `mapstructure:"initial_delay"`

	// Interval is how long after a scan the next one begins. What did not change since is not judged anew. Default 5m.
	Interval time.Duration `mapstructure:"interval"`

	// ChangeDelay is how long after a sensor of the same agent told of a changed file a scan of what it is about begins. 0 waits for
	// the next scan of everything. Default 2s.
	ChangeDelay time.Duration `mapstructure:"change_delay"`

	// Jitter is added to the two, at random and at most, so that not all hosts scan at one time. Default 30s.
	Jitter time.Duration `mapstructure:"jitter"`

	// SnapshotInterval is how often every rule is told and not only those that changed. The first scan is one. Default 24h.
	SnapshotInterval time.Duration `mapstructure:"snapshot_interval"`

	// WalkInterval is how often all files are gone through whatever the kernel tells of changes, and where it cannot tell, how
	// often at all. Default 24h.
	WalkInterval time.Duration `mapstructure:"walk_interval"`

	// Approved is the file in which `vedette baseline approve` notes the state from which drift is told. "" tells of none.
	// Default /var/lib/vedette/baseline/approved.json.
	Approved string `mapstructure:"approved"`

	// Language is of what people read in records: en or zh. Default en.
	Language string `mapstructure:"language"`

	// Pressure says when a scan gives way to other work.
	Pressure PressureConfig `mapstructure:"pressure"`
}

// TemplateConfig is a template with a selection of its rules and other values.
type TemplateConfig struct {
	// ID is the template's. There is no default.
	ID string `mapstructure:"id"`

	// Profile selects rules. Default "", all of them.
	Profile string `mapstructure:"profile"`

	// Values are given to values of the template, lists with commas. Default none.
	Values map[string]string `mapstructure:"values"`
}

// PressureConfig says when a scan gives way to other work.
type PressureConfig struct {
	// Limit is the share of time, in percent, for which tasks of the host waited for a processor, for memory or for disks in the
	// last ten seconds, beyond which a scan waits. 0 never waits, and neither does a kernel that does not measure it. Default 60.
	Limit float64 `mapstructure:"limit"`

	// MaxWait is how long one scan waits in all. Default 1m.
	MaxWait time.Duration `mapstructure:"max_wait"`
}

func createDefaultConfig() component.Config {
	return &Config{
		Templates: []TemplateConfig{{ID: "mlps-l2"}}, Root: "/",
		InitialDelay: 30 * time.Second, Interval: 5 * time.Minute, ChangeDelay: 2 * time.Second, Jitter: 30 * time.Second,
		SnapshotInterval: 24 * time.Hour, WalkInterval: 24 * time.Hour,
		Approved: "/var/lib/vedette/baseline/approved.json", Language: "en",
		Pressure: PressureConfig{Limit: 60, MaxWait: time.Minute},
	}
}

// Validate checks the configuration without looking at the host.
func (c *Config) Validate() error {
	var errs []error
	if len(c.Templates) == 0 {
		errs = append(errs, errors.New("templates: found none, expected at least one, such as {id: mlps-l2}"))
	}
	seen := map[[2]string]bool{}
	for i, t := range c.Templates {
		switch key := [2]string{t.ID, t.Profile}; {
		case t.ID == "":
			errs = append(errs, fmt.Errorf("templates[%d]: id: found nothing, expected the id of a template", i))
		case seen[key]:
			errs = append(errs, fmt.Errorf("templates[%d]: id: found %q with the same profile twice", i, t.ID))
		default:
			seen[key] = true
		}
	}
	if !filepath.IsAbs(c.Root) {
		errs = append(errs, fmt.Errorf("root: found %q, expected an absolute path", c.Root))
	}
	for _, d := range []struct {
		name  string
		value time.Duration
		least time.Duration
	}{
		{"initial_delay", c.InitialDelay, 0}, {"interval", c.Interval, time.Second}, {"change_delay", c.ChangeDelay, 0}, {"jitter", c.Jitter, 0},
		{"snapshot_interval", c.SnapshotInterval, time.Minute}, {"walk_interval", c.WalkInterval, time.Minute},
	} {
		if d.value < d.least {
			errs = append(errs, fmt.Errorf("%s: found %s, expected at least %s", d.name, d.value, d.least))
		}
	}
	if c.Language != "en" && c.Language != "zh" {
		errs = append(errs, fmt.Errorf("language: found %q, expected en or zh", c.Language))
	}
	return errors.Join(errs...)
}

// Validate checks the limits.
func (c *PressureConfig) Validate() error {
	var errs []error
	if c.Limit < 0 || c.Limit > 100 {
		errs = append(errs, fmt.Errorf("limit: found %g, expected 0 to 100", c.Limit))
	}
	if c.MaxWait < 0 {
		errs = append(errs, fmt.Errorf("max_wait: found %s, expected at least 0s", c.MaxWait))
	}
	return errors.Join(errs...)
}
