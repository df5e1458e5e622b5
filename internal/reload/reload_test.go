// SPDX-License-Identifier: Apache-2.0

package reload

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestReloadAsksAllInOrder(t *testing.T) {
	h := &Hub{}
	var asked []string
	subscribe := func(name string) func() {
		return h.Subscribe(func(context.Context) { asked = append(asked, name) })
	}
	subscribe("first")
	cancel := subscribe("second")
	subscribe("third")
	h.Reload(context.Background())
	assert.Equal(t, []string{"first", "second", "third"}, asked)

	asked = nil
	cancel()
	cancel()
	h.Reload(context.Background())
	assert.Equal(t, []string{"first", "third"}, asked)
}

func TestSubscriberMayLeaveWhileAsked(t *testing.T) {
	h := &Hub{}
	var cancel func()
	cancel = h.Subscribe(func(context.Context) { cancel() })
	h.Reload(context.Background())
	assert.Empty(t, h.subscribers)
}

func TestContext(t *testing.T) {
	h := &Hub{}
	assert.Same(t, h, FromContext(NewContext(context.Background(), h)))
	none := FromContext(context.Background())
	assert.Nil(t, none)
	none.Subscribe(nil)()
}
