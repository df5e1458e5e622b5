// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"cmp"
	"fmt"
	"slices"
)

// Error is one problem in one file. Line and Column count from 1; they are 0 where a problem concerns the whole file.
type Error struct {
	File         string
	Line, Column int
	Msg          string // what was found and what was expected
}

// Error gives "file:line:column: message", without the numbers that are not known.
func (e *Error) Error() string {
	switch {
	case e.Line == 0:
		return fmt.Sprintf("%s: %s", e.File, e.Msg)
	case e.Column == 0:
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg)
	default:
		return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Msg)
	}
}

// tidy sorts errors by place and drops repeated ones: content of a global document is read once for every rule it is merged into.
func tidy(errs []*Error) []*Error {
	slices.SortStableFunc(errs, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.CompactFunc(errs, func(a, b *Error) bool { return *a == *b })
}
