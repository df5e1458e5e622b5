// SPDX-License-Identifier: Apache-2.0

package securitylogexporter

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
)

// The values of Terminal.
const (
	terminalAuto   = "auto"
	terminalAlways = "always"
	terminalNever  = "never"
)

// The values of Format.
const (
	formatECS  = "ecs"
	formatOCSF = "ocsf"
)

// Config describes the security log.
type Config struct {
	// Directory is where the log and its rotated files are. It is made, with mode 0700, when it
	// does not exist. Default /var/log/vedette.
	Directory string `mapstructure:"directory"`

	// FileName is the name of the log in Directory. Default alerts.jsonl.
	FileName string `mapstructure:"file_name"`

	// Format is how a record is written, as one line of JSON: ecs, the Elastic Common Schema, or ocsf, the
	// Open Cybersecurity Schema Framework. Default ecs.
	Format string `mapstructure:"format"`

	// Rotation says when a new file begins and how long the old ones are kept.
	Rotation RotationConfig `mapstructure:"rotation"`

	// Terminal says whether records are also shown on standard output: auto (when that is a
	// terminal), always or never. Default auto.
	Terminal string `mapstructure:"terminal"`

	// RetryConfig says how a failed write is tried again, as when the disk is full. Enabled by default.
	RetryConfig configretry.BackOffConfig `mapstructure:"retry_on_failure"`

	// QueueConfig puts a queue before the file. By default there is none: a record is in the file
	// when the pipeline has handed it over.
	QueueConfig configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
}

// RotationConfig says when a new file begins and how long the old ones are kept.
type RotationConfig struct {
	// MaxSizeMiB begins a new file before a write that would make the file larger. The records of
	// one write stay together, so a write larger than this has a file to itself. Default 100.
	MaxSizeMiB int `mapstructure:"max_size_mib"`

	// Interval begins a new file at the first write after the file became this old, however small
	// it is. 0 never does. Default 24h.
	Interval time.Duration `mapstructure:"interval"`

	// MaxAgeDays deletes rotated files older than this. 0 keeps them. Default 30.
	MaxAgeDays int `mapstructure:"max_age_days"`

	// MaxBackups is how many rotated files are kept. 0 keeps all. Default 30.
	MaxBackups int `mapstructure:"max_backups"`

	// Compress packs rotated files with gzip. Default false.
	Compress bool `mapstructure:"compress"`
}

func createDefaultConfig() component.Config {
	return &Config{
		Directory:   "/var/log/vedette",
		FileName:    "alerts.jsonl",
		Format:      formatECS,
		Rotation:    RotationConfig{MaxSizeMiB: 100, Interval: 24 * time.Hour, MaxAgeDays: 30, MaxBackups: 30},
		Terminal:    terminalAuto,
		RetryConfig: configretry.NewDefaultBackOffConfig(),
		QueueConfig: configoptional.Default(exporterhelper.NewDefaultQueueConfig()),
	}
}

// Validate checks the configuration without looking at the disk.
func (c *Config) Validate() error {
	var errs []error
	if c.Directory == "" {
		errs = append(errs, errors.New("directory: found nothing, expected a path such as /var/log/vedette"))
	}
	if c.FileName == "" || c.FileName == "." || c.FileName == ".." || filepath.Base(c.FileName) != c.FileName {
		errs = append(errs, fmt.Errorf("file_name: found %q, expected a name without directories, such as alerts.jsonl", c.FileName))
	}
	if c.Format != formatECS && c.Format != formatOCSF {
		errs = append(errs, fmt.Errorf("format: found %q, expected %s or %s", c.Format, formatECS, formatOCSF))
	}
	switch c.Terminal {
	case terminalAuto, terminalAlways, terminalNever:
	default:
		errs = append(errs, fmt.Errorf("terminal: found %q, expected %s, %s or %s", c.Terminal, terminalAuto, terminalAlways, terminalNever))
	}
	return errors.Join(errs...)
}

// Validate checks the limits.
func (c *RotationConfig) Validate() error {
	var errs []error
	if c.MaxSizeMiB < 1 {
		errs = append(errs, fmt.Errorf("max_size_mib: found %d, expected 1 or more", c.MaxSizeMiB))
	}
	if c.Interval != 0 && c.Interval < time.Minute {
		errs = append(errs, fmt.Errorf("interval: found %s, expected 0 or at least 1m", c.Interval))
	}
	if c.MaxAgeDays < 0 {
		errs = append(errs, fmt.Errorf("max_age_days: found %d, expected 0 or more", c.MaxAgeDays))
	}
	if c.MaxBackups < 0 {
		errs = append(errs, fmt.Errorf("max_backups: found %d, expected 0 or more", c.MaxBackups))
	}
	return errors.Join(errs...)
}
