// SPDX-License-Identifier: Apache-2.0

package reload

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestReloadAsksAllInOrder(t *testing.T) {
	h := &Hub{}
	var asked []string
	subscribe := func(name string) func() {
		return h.Subscribe(func(_ context.Context, wanted bool) { asked = append(asked, fmt.Sprint(name, " ", wanted)) })
	}
	subscribe("first")
	cancel := subscribe("second")
	subscribe("third")
	h.Reload(context.Background())
	assert.Equal(t, []string{"first true", "second true", "third true"}, asked)

	asked = nil
	cancel()
	cancel()
	h.Reload(context.Background())
	assert.Equal(t, []string{"first true", "third true"}, asked)

	asked = nil
	h.ReloadChanged(context.Background())
	assert.Equal(t, []string{"first false", "third false"}, asked)
}

func TestSubscriberMayLeaveWhileAsked(t *testing.T) {
	h := &Hub{}
	var cancel func()
	cancel = h.Subscribe(func(context.Context, bool) { cancel() })
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
