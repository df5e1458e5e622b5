// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package repair

import "errors"

func isProc(string) bool { return false }

func (r *Repairer) remount(Change) error { return errors.ErrUnsupported }

func isMountFlag(string) bool { return false }
