// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/vedette-sec/vedette/internal/eventlog"
	"github.com/vedette-sec/vedette/internal/rules"
	"github.com/vedette-sec/vedette/internal/ruleset"
	"github.com/vedette-sec/vedette/internal/rulestatus"
	"github.com/vedette-sec/vedette/pkg/sigma/correlation"
	"github.com/vedette-sec/vedette/processor/detectionprocessor"
)

func (c *rulesCommand) bench() *cobra.Command {
	var duration time.Duration
	var top int
	command := &cobra.Command{
		Use:   "bench [DIR...]",
		Short: "Measures what judging events by rules costs",
		Long: "Judges the events of the rules' tests, near misses of those and ordinary events, which are nine of ten, by all rules on one\n" +
			"processor, and tells how many a second of its time is good for. Then it measures each rule alone and shows the most\n" +
			"costly ones; where directories are named, only those of their rules.",
		Example: "  vedette rules bench /etc/vedette/rules --top 5",
		RunE: func(cmd *cobra.Command, dirs []string) error {
			if duration <= 0 {
				return fmt.Errorf("--time: found %s, expected more than 0", duration)
			}
			if top < 0 {
				return fmt.Errorf("--top: found %d, expected 0 or more", top)
			}
			load := func() (*ruleset.Set, error) { return c.load(cmd, dirs) }
			report, err := rules.Bench(load, dirs, duration, top)
			if err != nil {
				return err
			}
			return c.report(cmd, report, report.WriteText)
		},
	}
	command.Flags().DurationVar(&duration, "time", 2*time.Second, "how long all rules are measured together")
	command.Flags().IntVar(&top, "top", 10, "how many of the most costly rules are shown")
	return command
}

func (c *rulesCommand) replay() *cobra.Command {
	var only string
	command := &cobra.Command{
		Use:   "replay FILE... [DIR...]",
		Short: "Tells what rules would have raised on recorded events",
		Long: "Judges recorded events by the rules, correlations included, at the times at which they happened, and tells for each rule\n" +
			"how many alerts it would have given, after deduplication, when first and last, and some of the messages. A FILE is a security\n" +
			"log (alerts.jsonl, ECS documents), has OTLP logs in JSON, as the file exporter writes them, or is a recording; it may be\n" +
			"compressed by gzip or zstd, and - is standard input. Of an alert, the event it is about is judged, once. Name the files in the order\n" +
			"of time. The exit status is 1 where a line could not be read.",
		Example: "  vedette rules replay /var/log/vedette/alerts.jsonl /etc/vedette/rules --rule \"Port scanner\"",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			files, dirs := filesAndDirectories(args)
			if len(files) == 0 {
				return errors.New("found directories only, expected a file of recorded events")
			}
			return c.replayFiles(cmd, files, dirs, only)
		},
	}
	command.Flags().StringVar(&only, "rule", "", "report only the `rule` or correlation of this id, name or title")
	return command
}

// filesAndDirectories tells the arguments apart; what does not exist counts as a file.
func filesAndDirectories(args []string) (files, dirs []string) {
	for _, name := range args {
		if info, err := os.Stat(name); err == nil && info.IsDir() {
			dirs = append(dirs, name)
		} else {
			files = append(files, name)
		}
	}
	return files, dirs
}

func (c *rulesCommand) replayFiles(cmd *cobra.Command, files, dirs []string, only string) error {
	limits := correlation.DefaultLimits()
	if len(c.config) > 0 {
		detection, err := c.detection(cmd.Context())
		if err != nil {
			return err
		}
		limits = detection.Correlation.Limits()
	}
	set, err := c.load(cmd, dirs)
	if err != nil {
		return err
	}
	replay, err := rules.NewReplay(set, limits, only)
	if err != nil {
		return err
	}
	decoder := eventlog.NewDecoder()
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
}

func (c *rulesCommand) status() *cobra.Command {
	var file string
	command := &cobra.Command{
		Use:   "status",
		Short: "Tells which rules the running agent has in force and what they matched",
		Long: "Tells what the running agent has in force: which generation of rules since when, how many, whether the last attempt to\n" +
			"read them anew failed and why, and the rules by how often they have matched. It reads the file that the detection\n" +
			"processor writes (status_file). The exit status is 1 where no agent is running or the last reload failed.",
		Example: "  vedette rules status",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			name, err := c.statusFile(cmd, file)
			if err != nil {
				return err
			}
			written, err := rulestatus.Read(name)
			if err != nil {
				return err
			}
			status := rules.Status(written, time.Now())
			if err := c.report(cmd, status, status.WriteText); err != nil {
				return err
			}
			return failedIf(!status.OK())
		},
	}
	command.Flags().StringVar(&file, "file", "", "the status `file`; without it, that of the configuration, or else the default one")
	return command
}

// statusFile is where the agent writes its status.
func (c *rulesCommand) statusFile(cmd *cobra.Command, given string) (string, error) {
	if given != "" {
		return given, nil
	}
	detection := detectionprocessor.NewFactory().CreateDefaultConfig().(*detectionprocessor.Config)
	if len(c.config) > 0 {
		var err error
		if detection, err = c.detection(cmd.Context()); err != nil {
			return "", err
		}
	}
	if detection.StatusFile == "" {
		return "", errors.New("the configuration has an empty status_file, expected a path")
	}
	return detection.StatusFile, nil
}
