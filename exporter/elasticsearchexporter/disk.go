// SPDX-License-Identifier: Apache-2.0

package elasticsearchexporter

import (
	"errors"
	"fmt"
	"path/filepath"
)

// DiskConfig keeps the queue from filling the disk it is on: a storage that cannot write cannot even be
// emptied.
type DiskConfig struct {
	// Directory is that of the queue's storage. Without one the disk is not looked at. Default none.
	Directory string `mapstructure:"directory"`

	// MinFreeMiB is how much stays free: with less, records are refused before they reach the queue, and
	// whoever sent them keeps them. Default 64.
	MinFreeMiB int `mapstructure:"min_free_mib"`
}

// Validate checks the values without looking at the disk.
func (c *DiskConfig) Validate() error {
	var errs []error
	if c.Directory != "" && !filepath.IsAbs(c.Directory) {
		errs = append(errs, fmt.Errorf("directory: found %q, expected an absolute path", c.Directory))
	}
	if c.MinFreeMiB < 1 {
		errs = append(errs, fmt.Errorf("min_free_mib: found %d, expected 1 or more", c.MinFreeMiB))
	}
	return errors.Join(errs...)
}

// check returns an error while the disk is too full. It may pass. The question is cheap beside what follows, and an
// answer of a moment ago would let too much in.
func (c *DiskConfig) check() error {
	if c.Directory == "" {
		return nil
	}
	free, err := freeBytes(c.Directory)
	if err != nil {
		return fmt.Errorf("look at the disk of the queue: %w", err)
	}
	if free < uint64(c.MinFreeMiB)<<20 {
		return fmt.Errorf("the disk of the queue, %s, has %d MiB left, and %d are to stay free", c.Directory, free>>20, c.MinFreeMiB)
	}
	return nil
}
