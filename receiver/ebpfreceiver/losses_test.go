// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLosses(t *testing.T) {
	var c lossCounter
	assert.Empty(t, c.changes())
	c.add("", "refused", 0)
	assert.Empty(t, c.changes(), "nothing is no loss")

	c.add("", "refused", 3)
	c.set("file.open", "ring_full", 5)
	change := func(kind, cause string, count uint64) lossChange { return lossChange{loss{kind, cause}, count} }
	assert.ElementsMatch(t, []lossChange{change("", "refused", 3), change("file.open", "ring_full", 5)}, c.changes())
	assert.Empty(t, c.changes(), "told once")
	assert.EqualValues(t, 8, c.total)

	c.add("", "refused", 1)
	c.set("file.open", "ring_full", 5)
	c.set("file.open", "scratch", 2)
	c.set("file.create", "ring_full", 1)
	assert.ElementsMatch(t, []lossChange{change("", "refused", 1), change("file.open", "scratch", 2), change("file.create", "ring_full", 1)}, c.changes())
	assert.EqualValues(t, 12, c.total)
}
