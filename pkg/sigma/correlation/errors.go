// SPDX-License-Identifier: Apache-2.0

package correlation

import (
	"fmt"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

func errUnresolved(r sigma.Reference) error {
	return fmt.Errorf("correlation.rules: found %q without what it refers to, expected a correlation of a resolved collection", r.Text)
}

func errRefused(r sigma.Reference) error {
	return fmt.Errorf("correlation.rules: found %q, which comes later or is refused itself, expected it before this correlation", r.Text)
}
