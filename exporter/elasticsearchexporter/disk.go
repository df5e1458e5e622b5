// SPDX-License-Identifier: Apache-2.0

package elasticsearchexporter

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"
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

// diskAge is for how long an answer about the disk holds.
const diskAge = 200 * time.Millisecond

// disk knows whether there is room for the queue.
type disk struct {
	cfg DiskConfig

	mu    sync.Mutex
	asked time.Time
	err   error
}

// check returns an error while the disk is too full. It may pass.
func (d *disk) check(now time.Time) error {
	if d.cfg.Directory == "" {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if now.Sub(d.asked) < diskAge {
		return d.err
	}
	d.asked = now
	free, err := freeBytes(d.cfg.Directory)
	switch {
	case err != nil:
		d.err = fmt.Errorf("look at the disk of the queue: %w", err)
	case free < uint64(d.cfg.MinFreeMiB)<<20:
		d.err = fmt.Errorf("the disk of the queue, %s, has %d MiB left, and %d are to stay free", d.cfg.Directory, free>>20, d.cfg.MinFreeMiB)
	default:
		d.err = nil
	}
	return d.err
}
