// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/collector/confmap"

	"github.com/vedette-sec/vedette/internal/rules"
	"github.com/vedette-sec/vedette/internal/ruleset"
)

// rulesCommand is what the commands about rules have in common.
type rulesCommand struct {
	resolver  confmap.ResolverSettings
	config    []string
	processor string

	builtin    bool
	lists      []string
	exceptions []string
	asJSON     bool
}

func newRulesCommand(resolver confmap.ResolverSettings) *cobra.Command {
	c := &rulesCommand{resolver: resolver}
	command := &cobra.Command{
		Use:   "rules",
		Short: "Checks, tests, shows, explains and measures detection rules",
		Long: "The tools by which detection rules are written, tested and tuned. They are about the built-in rules, those of\n" +
			"directories that are named, and with --config about those that an agent with this configuration loads, with its\n" +
			"lists, exceptions, levels and switches.\n\n" +
			"The exit status is 0 when all is well, and 1 when something is wrong or could not be done.",
		Args: cobra.NoArgs,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if c.processor != "" && len(c.config) == 0 {
				return fmt.Errorf("--processor: found %q without --config, expected the configuration that it is in", c.processor)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := command.PersistentFlags()
	flags.StringArrayVar(&c.config, "config", nil, "take the rules of an agent's `configuration`; may be given several times, like the Collector's")
	flags.StringVar(&c.processor, "processor", "", "the `id` of the detection processor in the configuration, where it has several")
	flags.BoolVar(&c.builtin, "builtin", true, "load the rules that are part of the program")
	flags.StringArrayVar(&c.lists, "lists", nil, "a `directory` of lists for the modifier expand, or one list; may be given several times")
	flags.StringArrayVar(&c.exceptions, "exceptions", nil, "a `directory` of exceptions, or a single file; may be given several times")
	flags.BoolVar(&c.asJSON, "json", false, "write JSON for other programs")
	command.AddCommand(c.check(), c.test(), c.list(), c.show(), c.coverage(), c.explain(), c.bench(),
		c.replay(), c.status())
	return command
}

// load reads the rules that the flags, and the directories given as arguments, name. The arguments are spelt afterwards as
// reports spell them.
func (c *rulesCommand) load(cmd *cobra.Command, dirs []string, change ...func(*ruleset.Config)) (*ruleset.Set, error) {
	cfg, err := c.ruleset(cmd, dirs)
	if err != nil {
		return nil, err
	}
	for _, f := range change {
		f(&cfg)
	}
	return ruleset.Load(cfg)
}

func (c *rulesCommand) ruleset(cmd *cobra.Command, dirs []string) (ruleset.Config, error) {
	cfg := ruleset.Config{Builtin: c.builtin}
	if len(c.config) > 0 {
		detection, err := c.detection(cmd.Context())
		if err != nil {
			return cfg, err
		}
		cfg = detection.Rules.Ruleset()
		if cmd.Flags().Changed("builtin") {
			cfg.Builtin = c.builtin
		}
	}
	for i, dir := range dirs {
		same := func(known string) bool { return filepath.Clean(known) == filepath.Clean(dir) }
		if known := slices.IndexFunc(cfg.Directories, same); known >= 0 {
			dirs[i] = cfg.Directories[known]
			continue
		}
		cfg.Directories = append(cfg.Directories, dir)
	}
	cfg.Lists = append(cfg.Lists, c.lists...)
	cfg.Exceptions = append(cfg.Exceptions, c.exceptions...)
	return cfg, nil
}

// report writes a result as JSON or as text.
func (c *rulesCommand) report(cmd *cobra.Command, value any, text func(w io.Writer, paint rules.Paint) error) error {
	w := cmd.OutOrStdout()
	if c.asJSON {
		return rules.WriteJSON(w, value)
	}
	return text(w, rules.Paint(colourful(w)))
}

// enabled has switched-off rules looked at too: they are to be good when they are switched on.
func enabled(cfg *ruleset.Config) { cfg.Disable = ruleset.Disable{} }

func (c *rulesCommand) check() *cobra.Command {
	var strict bool
	command := &cobra.Command{
		Use:   "check [DIR...]",
		Short: "Tells what is wrong with rules, with file and line",
		Long: "Tells what is wrong with rules: documents that are refused, what in a rule can never match on this system, and\n" +
			"what a good rule should have and does not, or has and should not. Where directories are named, what is found in\n" +
			"others is not shown. The exit status is 1 where a document is refused, with --strict for any finding.",
		Example: "  vedette rules check --strict /etc/vedette/rules",
		RunE: func(cmd *cobra.Command, dirs []string) error {
			set, err := c.load(cmd, dirs, enabled)
			if err != nil {
				return err
			}
			report := rules.Check(set, c.named(dirs))
			if err := c.report(cmd, report, report.WriteText); err != nil {
				return err
			}
			return failedIf(report.Failed(strict))
		},
	}
	command.Flags().BoolVar(&strict, "strict", false, "let warnings and degraded rules count for the exit status")
	return command
}

// named are the places that a check is about: the directories with the exceptions, or everything where no directory is
// named. Exceptions in a single file are told of by its directory.
func (c *rulesCommand) named(dirs []string) rules.Scope {
	if len(dirs) == 0 {
		return nil
	}
	scope := slices.Concat(rules.Scope(dirs), c.exceptions)
	for _, place := range c.exceptions {
		dir, _ := filepath.Split(place)
		scope = append(scope, dir)
	}
	return scope
}

// failedIf is the error of a command that has told what is wrong.
func failedIf(failed bool) error {
	if failed {
		return errReported
	}
	return nil
}

func (c *rulesCommand) test() *cobra.Command {
	var events string
	var verbose bool
	command := &cobra.Command{
		Use:   "test [DIR...]",
		Short: "Runs the tests that rules carry",
		Long: "Runs the tests that rules and correlations carry: each event is judged by its rule alone, and by all rules at once as\n" +
			"log records of every kind that serves the rule's log source. Where directories are named, only the tests of their\n" +
			"rules are run. The exit status is 1 where a verdict is not the expected one or a document is refused.\n\n" +
			"With --events, the events of a file are judged instead. Each of its lines is a JSON object:\n\n" +
			`  {"name": "a scan", "category": "process_creation", "event": {"Image": "/usr/bin/nmap"}, "match": ["Port scanner"]}` + "\n\n" +
			"category or service is the log source, event the fields by Sigma's names, keywords a list of the texts that keywords\n" +
			"are looked for in, match the ids, names or titles of the rules that must match; no other may.",
		Example: "  vedette rules test /etc/vedette/rules\n  vedette rules test /etc/vedette/rules --events events.jsonl",
		RunE: func(cmd *cobra.Command, dirs []string) error {
			set, err := c.load(cmd, dirs, enabled)
			if err != nil {
				return err
			}
			report, err := c.tests(cmd, set, dirs, events)
			if err != nil {
				return err
			}
			err = c.report(cmd, report, func(w io.Writer, paint rules.Paint) error { return report.WriteText(w, paint, verbose) })
			if err != nil {
				return err
			}
			return failedIf(!report.OK())
		},
	}
	command.Flags().StringVar(&events, "events", "", "judge the events of a `file`; - is standard input")
	command.Flags().BoolVarP(&verbose, "verbose", "v", false, "show the tests that passed too")
	return command
}

func (c *rulesCommand) tests(cmd *cobra.Command, set *ruleset.Set, dirs []string, events string) (*rules.TestReport, error) {
	switch events {
	case "":
		return rules.Test(set, dirs), nil
	case "-":
		return rules.TestEvents(set, "standard input", cmd.InOrStdin())
	}
	file, err := os.Open(events)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return rules.TestEvents(set, events, file)
}

func (c *rulesCommand) list() *cobra.Command {
	return &cobra.Command{
		Use:   "list [DIR...]",
		Short: "Lists the rules in force",
		Long: "Lists the rules and correlations in force: level, title, log source or type, techniques of ATT&CK, id. A silent rule\n" +
			"counts for correlations and does not alert by itself.",
		Example: "  vedette rules list --config /etc/vedette/vedette.yaml",
		RunE: func(cmd *cobra.Command, dirs []string) error {
			set, err := c.load(cmd, dirs)
			if err != nil {
				return err
			}
			list := rules.List(set)
			return c.report(cmd, list, func(w io.Writer, paint rules.Paint) error { return rules.WriteList(w, paint, list) })
		},
	}
}

const rulesNamed = "A rule is named by its id, its name, its title or the beginning of its title where no other begins so."

func (c *rulesCommand) show() *cobra.Command {
	return &cobra.Command{
		Use:   "show RULE [DIR...]",
		Short: "Shows everything about a rule",
		Long: "Shows everything about a rule or a correlation: what it is, which events it sees, which attributes its fields mean,\n" +
			"its condition, the exceptions that narrow it, its message and tests, and its text. " + rulesNamed,
		Example: "  vedette rules show \"Reverse shell\"",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := c.load(cmd, args[1:])
			if err != nil {
				return err
			}
			r, correlation, err := rules.Find(set, args[0])
			if err != nil {
				return err
			}
			shown := rules.Show(set, r, correlation)
			return c.report(cmd, shown, shown.WriteText)
		},
	}
}

func (c *rulesCommand) coverage() *cobra.Command {
	var gaps bool
	var navigator, svg string
	command := &cobra.Command{
		Use:   "coverage [DIR...]",
		Short: "Tells which techniques of ATT&CK rules name",
		Long: "Tells which of the techniques of MITRE ATT&CK for Linux the rules name that alert. It can be written as a layer for the\n" +
			"ATT&CK Navigator and as a picture; - is standard output.",
		Example: "  vedette rules coverage --gaps\n  vedette rules coverage --svg coverage.svg /etc/vedette/rules",
		RunE: func(cmd *cobra.Command, dirs []string) error {
			set, err := c.load(cmd, dirs)
			if err != nil {
				return err
			}
			covered := rules.Coverage(set)
			if navigator != "" || svg != "" {
				layer := func(w io.Writer) error { return covered.WriteNavigator(w, "Vedette") }
				picture := func(w io.Writer) error { return covered.WriteSVG(w, "Vedette's rules and MITRE ATT&CK") }
				return errors.Join(writeFile(cmd, navigator, layer), writeFile(cmd, svg, picture))
			}
			return c.report(cmd, rules.Techniques(covered, gaps), func(w io.Writer, _ rules.Paint) error { return covered.WriteTable(w, gaps) })
		},
	}
	command.Flags().BoolVar(&gaps, "gaps", false, "list the techniques that no rule names too")
	command.Flags().StringVar(&navigator, "navigator", "", "write a layer for the ATT&CK Navigator to a `file`")
	command.Flags().StringVar(&svg, "svg", "", "write a picture to a `file`")
	return command
}

// writeFile makes a file, or writes to standard output for "-"; without a name it does nothing.
func writeFile(cmd *cobra.Command, name string, write func(io.Writer) error) error {
	switch name {
	case "":
		return nil
	case "-":
		return write(cmd.OutOrStdout())
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}

func (c *rulesCommand) explain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain RULE EVENT [DIR...]",
		Short: "Tells why a rule matches an event, or why not",
		Long: "Judges an event by a rule and shows the condition with each selection marked, and below each selection what its items\n" +
			"ask and what the event has. The event is in JSON: a map of fields by Sigma's names, an ECS document such as a line of\n" +
			"alerts.jsonl, or a payload of OTLP logs. EVENT is a file, - for standard input, or the JSON itself.\n" +
			rulesNamed + "\nThe exit status is 0 where the rule matches, and else 1.",
		Example: "  vedette rules explain \"Reverse shell\" '{\"Image\": \"/usr/bin/bash\", \"Via\": \"socket\", \"Direction\": \"egress\"}'\n" +
			"  tail -n 1 /var/log/vedette/alerts.jsonl | vedette rules explain \"Reverse shell\" -",
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := c.load(cmd, args[2:])
			if err != nil {
				return err
			}
			r, correlation, err := rules.Find(set, args[0])
			if err != nil {
				return err
			}
			if correlation != nil {
				return fmt.Errorf("%q is a correlation, expected one of its rules: they look at events", correlation.Title)
			}
			text, err := rules.ReadEvent(args[1], cmd.InOrStdin())
			if err != nil {
				return err
			}
			return c.explained(cmd, r, text)
		},
	}
}

func (c *rulesCommand) explained(cmd *cobra.Command, r *ruleset.Rule, text []byte) error {
	all, err := rules.Explain(r, text)
	if err != nil {
		return fmt.Errorf("the event: %w", err)
	}
	matched := false
	for _, x := range all {
		matched = matched || x.Matched
	}
	err = c.report(cmd, all, func(w io.Writer, paint rules.Paint) error {
		for _, x := range all {
			if err := x.WriteText(w, paint); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return failedIf(!matched)
}
