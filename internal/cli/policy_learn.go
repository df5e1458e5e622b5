// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"

	"github.com/vedette-sec/vedette/internal/eventlog"
	"github.com/vedette-sec/vedette/internal/policies"
	"github.com/vedette-sec/vedette/receiver/ebpfreceiver"
)

func (c *policyCommand) learn() *cobra.Command {
	var name string
	var paths []string
	var reads bool
	command := &cobra.Command{
		Use:   "learn DURATION --path PATH...",
		Short: "Proposes a policy from what really happens",
		Long: "Watches for a while what is done to files, or to all that is in directories, and writes a policy that allows those who did it and\n" +
			"nobody else, in mode audit. It says in comments what was seen of whom, and what is wrong with it; with --json there are none. Ctrl-C ends the\n" +
			"watching early. It needs root, and works beside a running agent and without one.",
		Example: "  vedette policy learn 1h --path /var/www > /etc/vedette/policies/www.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			duration, err := time.ParseDuration(args[0])
			if err != nil || duration <= 0 {
				return fmt.Errorf("found the duration %q, expected one such as 10m or 24h", args[0])
			}
			learner, err := policies.NewLearner(name, paths, reads)
			if err != nil {
				return err
			}
			if err := watch(cmd, duration, learner); err != nil {
				return err
			}
			return c.writeFile(cmd, learner.Proposal())
		},
	}
	flags := command.Flags()
	flags.StringArrayVar(&paths, "path", nil, "the file or directory that is to be protected")
	flags.BoolVar(&reads, "reads", false, "learn who reads it too, and let nobody else do so")
	flags.StringVar(&name, "name", "", "the `name` of the policy")
	_ = command.MarkFlagRequired("path") // it is there
	return command
}

// watch lets the learner see what happens for a time.
func watch(cmd *cobra.Command, duration time.Duration, learner *policies.Learner) error {
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var mu sync.Mutex
	next, err := consumer.NewLogs(func(_ context.Context, logs plog.Logs) error {
		mu.Lock()
		defer mu.Unlock()
		for _, resource := range logs.ResourceLogs().All() {
			for _, scope := range resource.ScopeLogs().All() {
				for _, log := range scope.LogRecords().All() {
					learner.Take(log)
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	sensor, err := newSensor(ctx, learner, next)
	if err != nil {
		return err
	}
	if err := sensor.Start(ctx, noHost{}); err != nil {
		return errors.Join(err, sensor.Shutdown(context.WithoutCancel(ctx)))
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Watching for %s; Ctrl-C ends it early.\n", duration)
	select {
	case <-ctx.Done():
	case <-time.After(duration):
	}
	return sensor.Shutdown(context.WithoutCancel(ctx))
}

// newSensor makes the receiver that the agent has, for the events that are learned from.
func newSensor(ctx context.Context, learner *policies.Learner, next consumer.Logs) (receiver.Logs, error) {
	factory := ebpfreceiver.NewFactory()
	cfg := factory.CreateDefaultConfig().(*ebpfreceiver.Config)
	cfg.Events, cfg.WatchReads = learner.Events(), learner.WatchReads()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return factory.CreateLogs(ctx, receiver.Settings{
		ID: component.NewID(factory.Type()),
		TelemetrySettings: component.TelemetrySettings{
			Logger: zap.NewNop(), TracerProvider: tracenoop.NewTracerProvider(), MeterProvider: metricnoop.NewMeterProvider(), Resource: pcommon.NewResource(),
		},
	}, cfg, next)
}

// noHost is a host without extensions.
type noHost struct{}

func (noHost) GetExtensions() map[component.ID]component.Component { return nil }

func (c *policyCommand) replay() *cobra.Command {
	return &cobra.Command{
		Use:   "replay FILE... [DIR...]",
		Short: "Tells what policies would have decided on recorded events",
		Long: "Judges recorded events by the policies of directories, or without any by the ready ones, and tells for each rule what it would\n" +
			"have denied or audited, how often, when first and last, with samples. A FILE is a security log (alerts.jsonl, ECS documents), has\n" +
			"OTLP logs in JSON, as the file exporter writes them, or is a recording; it may be compressed by gzip or zstd, and - is standard\n" +
			"input. Single files of policies are to be in a directory. The exit status is 1 where a line could not be read.",
		Example: "  vedette policy replay /var/log/vedette/alerts.jsonl /etc/vedette/policies",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			files, dirs := filesAndDirectories(args)
			if len(files) == 0 {
				return errors.New("found directories only, expected a file of recorded events")
			}
			set, err := policies.Load(dirs)
			if err != nil {
				return err
			}
			replay, decoder := policies.NewReplay(set), eventlog.NewDecoder()
			for _, file := range files {
				if err := decoder.ReadFile(file, cmd.InOrStdin(), replay.Take, replay.Broken); err != nil {
					return err
				}
			}
			report := replay.Report()
			if err := c.report(cmd, report, report.WriteText); err != nil {
				return err
			}
			return failedIf(report.Unread > 0)
		},
	}
}
