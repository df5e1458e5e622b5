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
	runs    sync.Once
	ready   chan *zap.Logger // told when the Collector runs, of capacity 1
}

// The Collector asks for SIGHUP once, just after it logged that everything runs, and nothing tells when it has. But that
// ends that the signal is ignored. So it is made to be ignored before, and is taken from the Collector when it no longer is.
const (
	everythingOn = "Everything is ready. Begin running and processing data."
	claimEvery   = time.Millisecond
)

// watch is the logging option that sees the Collector run.
func (h *hangups) watch() zap.Option {
	return zap.WrapCore(func(core zapcore.Core) zapcore.Core { return watchedCore{core, h} })
}

// watchedCore tells when the Collector runs, at whatever level it logs.
type watchedCore struct {
	zapcore.Core
	hangups *hangups
}

func (c watchedCore) Enabled(level zapcore.Level) bool {
	return level == zapcore.InfoLevel || c.Core.Enabled(level)
}

func (c watchedCore) With(fields []zapcore.Field) zapcore.Core {
	return watchedCore{c.Core.With(fields), c.hangups}
}

func (c watchedCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if entry.Message == everythingOn {
		// Started anew, the Collector does not ask for the signal again.
		c.hangups.runs.Do(func() {
			signal.Ignore(syscall.SIGHUP)
			c.hangups.ready <- zap.New(c.Core)
		})
	}
	return c.Core.Check(entry, checked)
}

// start begins to answer. stop ends it and waits for the answer under way.
func (h *hangups) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	received := make(chan os.Signal, 1)
	signal.Notify(received, syscall.SIGHUP)
	var done sync.WaitGroup
	done.Go(func() {
		defer signal.Stop(received)
		h.run(ctx, received)
	})
	return func() {
		cancel()
		done.Wait()
	}
}

func (h *hangups) run(ctx context.Context, received chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case logger := <-h.ready:
			if !claim(ctx, received) {
				return
			}
			logger.Info("SIGHUP has files read anew while everything runs")
			// It may have come while it was ignored, or before a component could be asked.
			h.hub.ReloadChanged(ctx)
			h.answerChanged(ctx)
		case <-received:
			h.hub.Reload(ctx)
			h.answerChanged(ctx)
		}
	}
}

// claim takes the signal from the Collector as soon as that has asked for it, and reports whether it has.
func claim(ctx context.Context, received chan<- os.Signal) bool {
	every := time.NewTicker(claimEvery)
	defer every.Stop()
	for signal.Ignored(syscall.SIGHUP) {
		select {
		case <-ctx.Done():
			return false
		case <-every.C:
		}
	}
	// Ignore takes the signal from all who asked for it; without a handler it would end the program.
	signal.Ignore(syscall.SIGHUP)
	signal.Notify(received, syscall.SIGHUP)
	return true
}

// answerChanged has the pipelines started anew where the configuration has changed and is good.
func (h *hangups) answerChanged(ctx context.Context) {
	if !h.files.Changed() {
		return
	}
	if err := h.check(ctx); err != nil {
		fmt.Fprintf(h.err, "%s: SIGHUP: the configuration is broken; the one from before stays in force\n", h.command)
		return
	}
	h.files.Announce()
}
