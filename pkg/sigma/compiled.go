// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"net/netip"
	"regexp"
)

// What follows lets an engine judge exactly as Rule.Evaluate does, without being in this package.

// Holds reports whether the matcher accepts v, one value of a field: string, int64, float64, bool or nil. A field without
// values is asked once, with nil. present tells whether the event has the field; ev is read by FieldRef only.
func Holds(m Matcher, v any, ev Event, present bool) bool {
	return m.holds(v, fieldContext{event: ev, present: present})
}

// Holds reports whether the item holds for an event.
func (i *Item) Holds(ev Event) bool {
	_, ok := (&evaluation{event: ev}).item(i)
	return ok
}

// Fold gives the same rune for all runes that are equal but for their case: the smallest of them.
func Fold(r rune) rune { return fold(r) }

// Expression is what the value, its flags and its anchor became.
func (r Regexp) Expression() *regexp.Regexp { return r.re }

// Contains reports whether a text is an address of the network.
func (c CIDR) Contains(text string) bool {
	addr, err := netip.ParseAddr(text)
	return err == nil && c.Prefix.Contains(addr.Unmap().WithZone(""))
}
