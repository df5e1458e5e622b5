// SPDX-License-Identifier: Apache-2.0

package fileevent

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
)

// diary is a listener that writes down what it is told.
type diary struct{ lines []string }

func (d *diary) Serving(on bool) { d.lines = append(d.lines, fmt.Sprint("serving ", on)) }
func (d *diary) Tell(e Event)    { d.lines = append(d.lines, e.Path) }
func (d *diary) Lost()           { d.lines = append(d.lines, "lost") }

func TestListenersAreTold(t *testing.T) {
	h := &Hub{}
	early, late := &diary{}, &diary{}
	leaveEarly := h.Subscribe(early)
	source := h.Open()
	source.Tell(Event{Path: "/a"})
	leaveLate := h.Subscribe(late)
	source.Lost()
	leaveEarly()
	leaveEarly()
	source.Tell(Event{Path: "/b"})
	source.Close()
	source.Close()
	assert.Equal(t, []string{"serving true", "/a", "lost"}, early.lines)
	assert.Equal(t, []string{"serving true", "lost", "/b", "serving false"}, late.lines)
	leaveLate()
	assert.False(t, source.Wanted())
}

func TestServiceEndsWithTheLastSensor(t *testing.T) {
	h, d := &Hub{}, &diary{}
	defer h.Subscribe(d)()
	one, two := h.Open(), h.Open()
	assert.True(t, two.Wanted())
	one.Close()
	one.Close()
	assert.Equal(t, []string{"serving true"}, d.lines)
	two.Close()
	assert.Equal(t, []string{"serving true", "serving false"}, d.lines)
}

func TestContext(t *testing.T) {
	h := &Hub{}
	assert.Same(t, h, FromContext(NewContext(t.Context(), h)))
	none := FromContext(t.Context())
	assert.Nil(t, none)
	none.Subscribe(&diary{})()
	source := none.Open()
	assert.False(t, source.Wanted())
	source.Tell(Event{})
	source.Lost()
	source.Close()
}
