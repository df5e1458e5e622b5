// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package fschange

import "errors"

// Watch remembers changes.
type Watch struct{}

// New says that it cannot be done here.
func New() (*Watch, error) { return nil, errors.New("changes of files can only be watched on Linux") }

// Add watches nothing.
func (*Watch) Add(string) (bool, error) { return false, nil }

// Pending reports no change.
func (*Watch) Pending() bool { return false }

// Take gives no change.
func (*Watch) Take() ([]Change, bool) { return nil, false }

// Close ends nothing.
func (*Watch) Close() error { return nil }
