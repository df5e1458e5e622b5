// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/vedette-sec/vedette/internal/configerror"
	"github.com/vedette-sec/vedette/internal/reload"
)

// hangups answers SIGHUP. The Collector's own answer is to stop everything and start anew, which loses
// what happens meanwhile and ends the program when the new configuration is broken. Here components
// read their own files anew while events flow on, and the pipelines are started anew only when a
// configuration file has changed and is good.
type hangups struct {
	hub   *reload.Hub
	files *configerror.Files
	// check tells whether the configuration files as they are now could run, and says why not.
	check   func(context.Context) error
	command string
	err     io.Writer
	ready   chan struct{} // told when the Collector runs, of capacity 1
}

// The Collector asks for SIGHUP once, just after it logged that everything runs. So the signal is taken from it
// again and again until then and a little longer; where it does not log that, until it surely runs. A signal
// that comes while it is taken may be lost, so it is not taken without need.
const (
	claimEvery   = 200 * time.Millisecond
	claimFor     = 2 * time.Minute
	claimRunning = time.Second
	everythingOn = "Everything is ready. Begin running and processing data."
)

// watch is the logging option that sees the Collector run.
func (h *hangups) watch() zap.Option {
	return zap.Hooks(func(entry zapcore.Entry) error {
		if entry.Message == everythingOn {
			select {
			case h.ready <- struct{}{}:
			default: // it was told before
			}
		}
		return nil
	})
}

// start begins to answer. stop ends it and waits for the answer under way.
func (h *hangups) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() { h.run(ctx) })
	return func() {
		cancel()
		done.Wait()
	}
}

func (h *hangups) run(ctx context.Context) {
	received := make(chan os.Signal, 1)
	signal.Notify(received, syscall.SIGHUP)
	defer signal.Stop(received)
	end := time.Now().Add(claimFor)
	ticker := time.NewTicker(claimEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.ready:
			end = time.Now().Add(claimRunning)
		case now := <-ticker.C:
			// Ignore takes the signal from all who asked for it; without a handler it would end the program.
			signal.Ignore(syscall.SIGHUP)
			signal.Notify(received, syscall.SIGHUP)
			if now.After(end) {
				ticker.Stop()
			}
		case <-received:
			h.answer(ctx)
		}
	}
}

// answer reads anew: first the components' own files, then, where it has changed, the configuration.
func (h *hangups) answer(ctx context.Context) {
	h.hub.Reload(ctx)
	if !h.files.Changed() {
		return
	}
	if err := h.check(ctx); err != nil {
		fmt.Fprintf(h.err, "%s: SIGHUP: the configuration is broken; the one from before stays in force\n", h.command)
		return
	}
	h.files.Announce()
}
