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
}

// claims are the times after the start at which SIGHUP is taken from the Collector, which asks for it
// once, when everything runs; it does not tell when that is.
var claims = []time.Duration{time.Second, 3 * time.Second, 10 * time.Second, time.Minute}

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
	begin, next := time.Now(), 0
	timer := time.NewTimer(claims[0])
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			// Ignore takes the signal from all who asked for it; without a handler it would end the program.
			signal.Ignore(syscall.SIGHUP)
			signal.Notify(received, syscall.SIGHUP)
			if next++; next < len(claims) {
				timer.Reset(claims[next] - time.Since(begin))
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
