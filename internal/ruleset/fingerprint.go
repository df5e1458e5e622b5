// SPDX-License-Identifier: Apache-2.0

package ruleset

import (
	"slices"

	"github.com/vedette-sec/vedette/internal/reload"
)

// Fingerprint stands for the state of all files that Load would read, see reload.Fingerprint.
func Fingerprint(cfg Config) string {
	return reload.Fingerprint(slices.Concat(cfg.Directories, cfg.Lists, cfg.Exceptions))
}
