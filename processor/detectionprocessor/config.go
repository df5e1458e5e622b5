// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/component"
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
	// OnErrorFail refuses to start.
	OnErrorFail OnError = "fail"
)

// Config is the configuration of the detection processor.
type Config struct {
	// Output is what the processor passes on: alerts, annotate or append. Default: alerts.
	Output Output `mapstructure:"output"`
	// Rules says where the rules come from.
	Rules RulesConfig `mapstructure:"rules"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// RulesConfig says where rules come from and what becomes of broken ones.
type RulesConfig struct {
	// Builtin loads the rules that are part of the program. Default: true.
	Builtin bool `mapstructure:"builtin"`
	// Directories are read recursively for files named *.yml and *.yaml; names that begin with a
	// dot are passed over. Default: none.
	Directories []string `mapstructure:"directories"`
	// OnError is what becomes of a broken rule: report logs it and goes on without it, fail refuses
	// to start. A directory that cannot be read always refuses to start. Default: report.
	OnError OnError `mapstructure:"on_error"`

	// prevent unkeyed literal initialization
	_ struct{}
}

var _ component.Config = (*Config)(nil)

// Validate checks the values; it does not touch the disk.
func (c *Config) Validate() error {
	var errs error
	switch c.Output {
	case OutputAlerts, OutputAnnotate, OutputAppend:
	default:
		errs = errors.Join(errs, fmt.Errorf("output: found %q, expected alerts, annotate or append", c.Output))
	}
	return errs
}

// Validate checks the values; it does not touch the disk.
func (c *RulesConfig) Validate() error {
	var errs error
	switch c.OnError {
	case OnErrorReport, OnErrorFail:
	default:
		errs = errors.Join(errs, fmt.Errorf("on_error: found %q, expected report or fail", c.OnError))
	}
	for i, dir := range c.Directories {
		if dir == "" {
			errs = errors.Join(errs, fmt.Errorf("directories: entry %d is empty, expected the path of a directory", i+1))
		}
	}
	if !c.Builtin && len(c.Directories) == 0 {
		errs = errors.Join(errs, errors.New("builtin is false and directories is empty, expected at least one source of rules"))
	}
	return errs
}
