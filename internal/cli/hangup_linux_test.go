// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/vedette-sec/vedette/internal/configerror"
	"github.com/vedette-sec/vedette/internal/reload"
)

// hungUp sends the program SIGHUP.
func hungUp(t *testing.T) {
	t.Helper()
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
}

// TestNoHangupIsLost has the test do what the Collector does when it has started, at levels at which it says so and not.
func TestNoHangupIsLost(t *testing.T) {
	for _, level := range []zapcore.Level{zap.InfoLevel, zap.ErrorLevel} {
		t.Run(level.String(), func(t *testing.T) {
			var mu sync.Mutex
			var answers []bool // whether somebody had asked
			hub := &reload.Hub{}
			defer hub.Subscribe(func(_ context.Context, asked bool) {
				mu.Lock()
				defer mu.Unlock()
				answers = append(answers, asked)
			})()
			answered := func(want ...bool) {
				t.Helper()
				require.EventuallyWithT(t, func(c *assert.CollectT) {
					mu.Lock()
					defer mu.Unlock()
					assert.Equal(c, want, answers)
				}, time.Minute, time.Millisecond)
			}
			h := hangups{hub: hub, files: &configerror.Files{}, ready: make(chan *zap.Logger, 1)}
			defer signal.Reset(syscall.SIGHUP)
			defer h.start(t.Context())()
			hungUp(t)
			answered(true) // while the Collector starts

			core, log := observer.New(level)
			logger := zap.New(core, h.watch()).With(zap.String("of", "the Collector"))
			logger.Info(everythingOn)
			hungUp(t) // before it asks for the signal
			collector := make(chan os.Signal, 3)
			signal.Notify(collector, syscall.SIGHUP)
			defer signal.Stop(collector)
			answered(true, false)
			if level == zap.InfoLevel {
				assert.Equal(t, 1, log.FilterMessage(everythingOn).Len())
				assert.Equal(t, 1, log.FilterMessageSnippet("SIGHUP").Len())
			} else {
				assert.Zero(t, log.Len())
			}

			hungUp(t)
			answered(true, false, true)
			logger.Info(everythingOn) // it has started its pipelines anew
			hungUp(t)
			answered(true, false, true, true)
			assert.Empty(t, collector, "it is not the Collector's to answer")
		})
	}
}
