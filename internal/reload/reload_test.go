// SPDX-License-Identifier: Apache-2.0

package reload

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReloadAsksAllInOrder(t *testing.T) {
	h := &Hub{}
	var asked []string
	subscribe := func(name string, err error) func() {
		return h.Subscribe(name, func(context.Context) error {
			asked = append(asked, name)
			return err
		})
	}
	subscribe("first", errors.New("broken"))
	cancel := subscribe("second", nil)
	subscribe("third", errors.New("also broken"))
	assert.EqualError(t, h.Reload(context.Background()), "first: broken\nthird: also broken")
	assert.Equal(t, []string{"first", "second", "third"}, asked)

	asked = nil
	cancel()
	cancel()
	require.Error(t, h.Reload(context.Background()))
	assert.Equal(t, []string{"first", "third"}, asked)
}

func TestSubscriberMayLeaveWhileAsked(t *testing.T) {
	h := &Hub{}
	var cancel func()
	cancel = h.Subscribe("one", func(context.Context) error {
		cancel()
		return nil
	})
	require.NoError(t, h.Reload(context.Background()))
	assert.Empty(t, h.subscribers)
}

func TestContext(t *testing.T) {
	h := &Hub{}
	assert.Same(t, h, FromContext(NewContext(context.Background(), h)))
	none := FromContext(context.Background())
	assert.Nil(t, none)
	none.Subscribe("nobody", nil)()
}
