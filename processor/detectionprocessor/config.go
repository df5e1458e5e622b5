// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/collector/component"

	"github.com/vedette-sec/vedette/internal/ruleset"
	"github.com/vedette-sec/vedette/pkg/sigma"
	"github.com/vedette-sec/vedette/pkg/sigma/correlation"
)

// Output says what the processor passes on.
type Output string

const (
	// OutputAlerts passes on the alerts only.
	OutputAlerts Output = "alerts"
	// OutputAnnotate passes on the events; those that rules match carry the rule's attributes.
	OutputAnnotate Output = "annotate"
	// OutputAppend passes on the events, each followed by its alerts.
	OutputAppend Output = "append"
)

// OnError says what becomes of a broken rule.
type OnError string

const (
	// OnErrorReport logs the broken rule and goes on without it.
	OnErrorReport OnError = "report"
	// OnErrorFail refuses to start, and keeps the rules in force at a reload.
	OnErrorFail OnError = "fail"
)

// Config is the configuration of the detection processor.
type Config struct {
	// Output is what the processor passes on: alerts, annotate or append. Default: alerts.
	Output Output `mapstructure:"output"`
	// Rules says where the rules come from and what is changed about them.
	Rules RulesConfig `mapstructure:"rules"`
	// Correlation bounds what correlations remember.
	Correlation CorrelationConfig `mapstructure:"correlation"`
	// RateLimit bounds how many alerts of one rule pass in a time. Default: none.
	RateLimit RateLimitConfig `mapstructure:"rate_limit"`
	// Risk says how the risk of hosts and users is added up.
	Risk RiskConfig `mapstructure:"risk"`
	// Storage names an extension that keeps what correlations remember over a restart. Default: none.
	Storage *component.ID `mapstructure:"storage"`
	// StatusFile is written for `vedette rules status`. Empty writes none. Default: /run/vedette/rules.json.
	StatusFile string `mapstructure:"status_file"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// RulesConfig says where rules come from, what is changed about them and what becomes of broken ones.
type RulesConfig struct {
	// Builtin loads the rules that are part of the program. Default: true.
	Builtin bool `mapstructure:"builtin"`
	// Directories are read recursively for rules, correlations and filters in files named *.yml and
	// *.yaml; names that begin with a dot are passed over. Default: none.
	Directories []string `mapstructure:"directories"`
	// Lists are directories of lists, or single lists, that rules name with the modifier expand.
	// Default: none.
	Lists []string `mapstructure:"lists"`
	// Exceptions are directories of Sigma filters, or single files, that narrow rules. Default: none.
	Exceptions []string `mapstructure:"exceptions"`
	// Disable switches rules off. Default: none.
	Disable DisableConfig `mapstructure:"disable"`
	// Levels gives rules another level, by id. Default: none.
	Levels map[string]string `mapstructure:"levels"`
	// OnError is what becomes of a broken rule: report logs it and goes on without it, fail refuses
	// to start. A directory that cannot be read always refuses to start. Default: report.
	OnError OnError `mapstructure:"on_error"`
	// ReloadInterval is how often the files are looked at for changes; 0 never does, and only SIGHUP
	// reads them anew. Default: 5s.
	ReloadInterval time.Duration `mapstructure:"reload_interval"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// DisableConfig names rules that do not alert. For correlations they still count.
type DisableConfig struct {
	// IDs are ids of rules and correlations. Default: none.
	IDs []string `mapstructure:"ids"`
	// Tags are tags of rules and correlations, such as attack.t1046. Default: none.
	Tags []string `mapstructure:"tags"`
	// Levels are levels; a rule without one has the level medium. Default: none.
	Levels []string `mapstructure:"levels"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// CorrelationConfig bounds what correlations remember.
type CorrelationConfig struct {
	// AllowedLateness is how far behind the latest event another may come and still be put in its
	// place. Alerts of correlations wait that long. Default: 2s.
	AllowedLateness time.Duration `mapstructure:"allowed_lateness"`
	// MaxGroups is how many groups one correlation keeps; the one not seen for longest goes first.
	// Default: 100000.
	MaxGroups int `mapstructure:"max_groups"`
	// MaxValues is how many different values, or numbers, one group keeps. Default: 10000.
	MaxValues int `mapstructure:"max_values"`
	// MaxMemoryMiB is about how much memory all groups take. Default: 64.
	MaxMemoryMiB int `mapstructure:"max_memory_mib"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// RateLimitConfig bounds how many alerts of one rule pass in a time. What is folded is counted in the
// next alert that passes.
type RateLimitConfig struct {
	// Alerts is how many of one rule pass in an interval; 0 lets all pass. Default: 0.
	Alerts int `mapstructure:"alerts"`
	// Interval is the time. Default: 1m.
	Interval time.Duration `mapstructure:"interval"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// RiskConfig says how the risk of hosts and users is added up. Each alert adds the rule's risk, or where
// it names none what its level stands for.
type RiskConfig struct {
	// HalfLife is how long it takes until what an alert has added counts half. Default: 24h.
	HalfLife time.Duration `mapstructure:"half_life"`

	// prevent unkeyed literal initialization
	_ struct{}
}

var _ component.Config = (*Config)(nil)

func createDefaultConfig() component.Config {
	limits := correlation.DefaultLimits()
	return &Config{
		Output: OutputAlerts,
		Rules:  RulesConfig{Builtin: true, OnError: OnErrorReport, ReloadInterval: 5 * time.Second},
		Correlation: CorrelationConfig{
			AllowedLateness: limits.Lateness,
			MaxGroups:       limits.MaxGroups,
			MaxValues:       limits.MaxValues,
			MaxMemoryMiB:    limits.MaxBytes >> 20,
		},
		RateLimit:  RateLimitConfig{Interval: time.Minute},
		Risk:       RiskConfig{HalfLife: 24 * time.Hour},
		StatusFile: "/run/vedette/rules.json",
	}
}

// Validate checks the values; it does not touch the disk.
func (c *Config) Validate() error {
	switch c.Output {
	case OutputAlerts, OutputAnnotate, OutputAppend:
		return nil
	}
	return fmt.Errorf("output: found %q, expected alerts, annotate or append", c.Output)
}

var levels = []sigma.Level{sigma.Informational, sigma.Low, sigma.Medium, sigma.High, sigma.Critical}

func checkLevel(key, level string) error {
	if !slices.Contains(levels, sigma.Level(level)) {
		return fmt.Errorf("%s: found %q, expected informational, low, medium, high or critical", key, level)
	}
	return nil
}

// Validate checks the values; it does not touch the disk.
func (c *RulesConfig) Validate() error {
	var errs error
	switch c.OnError {
	case OnErrorReport, OnErrorFail:
	default:
		errs = errors.Join(errs, fmt.Errorf("on_error: found %q, expected report or fail", c.OnError))
	}
	errs = errors.Join(errs, checkPaths("directories", c.Directories), checkPaths("lists", c.Lists), checkPaths("exceptions", c.Exceptions))
	if !c.Builtin && len(c.Directories) == 0 {
		errs = errors.Join(errs, errors.New("builtin is false and directories is empty, expected at least one source of rules"))
	}
	for _, id := range slices.Sorted(maps.Keys(c.Levels)) {
		errs = errors.Join(errs, checkLevel("levels::"+id, c.Levels[id]))
	}
	if c.ReloadInterval != 0 && c.ReloadInterval < time.Second {
		errs = errors.Join(errs, fmt.Errorf("reload_interval: found %s, expected 0 or at least 1s", c.ReloadInterval))
	}
	return errs
}

func checkPaths(key string, paths []string) error {
	var errs error
	for i, path := range paths {
		if path == "" {
			errs = errors.Join(errs, fmt.Errorf("%s: entry %d is empty, expected a path", key, i+1))
		}
	}
	return errs
}

// Validate checks the values.
func (c *DisableConfig) Validate() error {
	var errs error
	for _, level := range c.Levels {
		errs = errors.Join(errs, checkLevel("levels", level))
	}
	return errs
}

// Validate checks the values.
func (c *CorrelationConfig) Validate() error {
	var errs error
	if c.AllowedLateness < 0 || c.AllowedLateness > time.Hour {
		errs = errors.Join(errs, fmt.Errorf("allowed_lateness: found %s, expected 0 to 1h", c.AllowedLateness))
	}
	for _, bound := range []struct {
		key   string
		value int
	}{{"max_groups", c.MaxGroups}, {"max_values", c.MaxValues}, {"max_memory_mib", c.MaxMemoryMiB}} {
		if bound.value < 1 {
			errs = errors.Join(errs, fmt.Errorf("%s: found %d, expected at least 1", bound.key, bound.value))
		}
	}
	return errs
}

// Validate checks the values.
func (c *RateLimitConfig) Validate() error {
	var errs error
	if c.Alerts < 0 {
		errs = errors.Join(errs, fmt.Errorf("alerts: found %d, expected 0 or more", c.Alerts))
	}
	if c.Interval <= 0 {
		errs = errors.Join(errs, fmt.Errorf("interval: found %s, expected a time above 0", c.Interval))
	}
	return errs
}

// Validate checks the values.
func (c *RiskConfig) Validate() error {
	if c.HalfLife <= 0 {
		return fmt.Errorf("half_life: found %s, expected a time above 0", c.HalfLife)
	}
	return nil
}

// Ruleset returns what the rules are loaded by.
func (c *RulesConfig) Ruleset() ruleset.Config {
	overrides := make(map[string]sigma.Level, len(c.Levels))
	for id, level := range c.Levels {
		overrides[id] = sigma.Level(level)
	}
	off := make([]sigma.Level, len(c.Disable.Levels))
	for i, level := range c.Disable.Levels {
		off[i] = sigma.Level(level)
	}
	return ruleset.Config{
		Builtin: c.Builtin, Directories: c.Directories, Lists: c.Lists, Exceptions: c.Exceptions,
		Disable: ruleset.Disable{IDs: c.Disable.IDs, Tags: c.Disable.Tags, Levels: off},
		Levels:  overrides,
	}
}

// Limits returns what bounds a correlator.
func (c *CorrelationConfig) Limits() correlation.Limits {
	return correlation.Limits{
		Lateness: c.AllowedLateness, Ahead: unlimited, MaxGroups: c.MaxGroups, MaxValues: c.MaxValues, MaxBytes: c.MaxMemoryMiB << 20,
	}
}

// unlimited is how far ahead of its clock a correlator takes events: that none is from the future is seen to
// where their times are read.
const unlimited = 100 * 365 * 24 * time.Hour
