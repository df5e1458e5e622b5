// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package repair

import (
	"errors"
	"os"
)

func (r root) open(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func isProc(string) bool { return false }

func (r *Repairer) remount(Change) error { return errors.ErrUnsupported }

func isMountFlag(string) bool { return false }
