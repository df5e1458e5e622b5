// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/vedette-sec/vedette/internal/baselines"
	"github.com/vedette-sec/vedette/internal/rules"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

// baselineCommand is what the commands about baselines have in common.
type baselineCommand struct {
	version  string // of this program
	asJSON   bool
	language string
	places   []string
	roles    []string
	faulty   bool // something that was read is wrong, which was told
}

func newBaselineCommand(version string) *cobra.Command {
	c := &baselineCommand{version: version}
	command := &cobra.Command{
		Use:   "baseline",
		Short: "Judges how this host is configured by MLPS, CIS or templates of your own",
		Long: "Judges how this host is configured: by the ready templates, and by those in the files and directories of --from, which may\n" +
			"extend them.\n\nThe exit status is 0 when all is well, and 1 when something is wrong or could not be done.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := command.PersistentFlags()
	flags.BoolVar(&c.asJSON, "json", false, "write JSON for other programs")
	flags.StringVar(&c.language, "language", "en", "write what people read in this `language`: en or zh")
	flags.StringArrayVar(&c.places, "from", nil, "templates and waivers of a `file or directory` beside the ready ones; may be repeated")
	flags.StringSliceVar(&c.roles, "role", nil, "this host has a `role`, for rules that are about some only; may be repeated")
	command.AddCommand(c.scan(), c.approve(), c.fix(), c.rollback(), c.confirm(), c.transactions(), c.await(), c.list(), c.show(),
		newBaselineSchemaCommand())
	return command
}

// load gives all that is good. Everything that is wrong with the rest is the error.
func (c *baselineCommand) load() (*baseline.Set, error) {
	if c.language != "en" && c.language != "zh" {
		return nil, fmt.Errorf("--language: found %q, expected en or zh", c.language)
	}
	return baselines.Load(c.places)
}

// loadGood is load for commands that change nothing: what is wrong is told, and takes nothing else down.
func (c *baselineCommand) loadGood(cmd *cobra.Command) (*baseline.Set, error) {
	set, err := c.load()
	var problems baseline.Errors
	if !errors.As(err, &problems) {
		return set, err
	}
	c.faulty = true
	for _, problem := range problems {
		fmt.Fprintln(cmd.ErrOrStderr(), problem)
	}
	return set, nil
}

func (c *baselineCommand) report(cmd *cobra.Command, value any, text func(w io.Writer) error) error {
	if c.asJSON {
		return rules.WriteJSON(cmd.OutOrStdout(), value)
	}
	return text(cmd.OutOrStdout())
}

func (c *baselineCommand) scan() *cobra.Command {
	o := baseline.Options{}
	view := baselines.View{Version: c.version}
	out := output{}
	var set []string
	command := &cobra.Command{
		Use:   "scan TEMPLATE",
		Short: "Judges this host by a template",
		Long: "Judges this host by a template, or with --root another one by its files, and tells for each rule what was found where and what\n" +
			"was expected. Nothing is changed, and no program is started but those of --allow-program. The exit status is 1 where a rule fails or its facts could not be\n" +
			"read, and where a waiver has expired.",
		Example: "  vedette baseline scan mlps-l3\n  vedette baseline scan cis-debian12 --profile level1-server --json\n" +
			"  vedette baseline scan mlps-l2 --set password_max_days=60 --from /etc/vedette/baselines\n" +
			"  vedette baseline scan mlps-l3 --language zh --output report.html",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := isRoot(o.Root); err != nil {
				return err
			}
			if err := areProgramPaths(o.Programs); err != nil {
				return err
			}
			loaded, err := c.loadGood(cmd)
			if err != nil {
				return err
			}
			b, err := c.resolveOf(loaded, args[0], set)
			if err != nil {
				return err
			}
			o.Waivers, o.Now, o.Language, view.Language = loaded.Waivers, time.Now(), c.language, c.language
			if c.asJSON && cmd.Flags().Changed("format") && out.format != "json" {
				return fmt.Errorf("found --json and --format %s, expected one of them", out.format)
			}
			if c.asJSON {
				out.format = "json"
			}
			if err := out.check(); err != nil {
				return err
			}
			bar := newProgress(cmd.ErrOrStderr())
			o.Progress = bar.tell
			scanned, err := baseline.Scan(cmd.Context(), b, o)
			bar.end()
			if err != nil {
				return err
			}
			report := baselines.NewReport(scanned, o.Profile, baselines.HostBelow(o.Root))
			if err := out.write(cmd.OutOrStdout(), report, view); err != nil {
				return err
			}
			return failedIf(report.Failed() || c.faulty)
		},
	}
	flags := command.Flags()
	flags.StringVar(&o.Root, "root", "/", "judge the host whose root `directory` this is, such as an image")
	flags.StringVar(&o.Profile, "profile", "", "only the rules of a `profile` of the template")
	flags.StringArrayVar(&o.Rules, "rule", nil, "only the rule with this `id`; may be repeated")
	flags.StringArrayVar(&set, "set", nil, "give a value of the template as `NAME=VALUE`, lists with commas; may be repeated")
	flags.StringSliceVar(&o.Programs, "allow-program", nil, "let checks run the program with this `path`, or all; may be repeated")
	flags.StringVar(&out.format, "format", "text", "write the report in this `format`: "+strings.Join(baselines.Formats(), ", "))
	flags.StringVarP(&out.file, "output", "o", "", "write the report to this `file`, by whose name the format is known where --format is not given")
	flags.BoolVarP(&view.All, "all", "a", false, "also show what passed or is not applicable")
	flags.IntVar(&view.Evidence, "evidence", 3, "show at most this `number` of findings for each rule as text")
	return command
}

// isRoot refuses a root that is none: every rule would be judged by files that are not there.
func isRoot(root string) error {
	info, err := os.Stat(root)
	if err == nil && !info.IsDir() {
		err = &os.PathError{Op: "open", Path: root, Err: syscall.ENOTDIR}
	}
	if err != nil {
		return fmt.Errorf("--root: %w", err)
	}
	return nil
}

// resolve gives a template with other values for some, and fails where anything that was read is wrong: a waiver that cannot be read would
// not bind a repair.
func (c *baselineCommand) resolve(template string, assignments []string) (*baseline.Baseline, *baseline.Set, error) {
	loaded, err := c.load()
	if err != nil {
		return nil, nil, err
	}
	b, err := c.resolveOf(loaded, template, assignments)
	return b, loaded, err
}

func (c *baselineCommand) resolveOf(loaded *baseline.Set, template string, assignments []string) (*baseline.Baseline, error) {
	values, err := settingsOf(assignments)
	if err != nil {
		return nil, err
	}
	b, err := loaded.Resolve(template, values)
	if err != nil {
		return nil, err
	}
	b.Roles = c.roles
	return b, nil
}

// areProgramPaths refuses names of programs: which one is meant would be up to PATH.
func areProgramPaths(programs []string) error {
	for _, program := range programs {
		if program != "all" && !filepath.IsAbs(program) {
			return fmt.Errorf("--allow-program: found %q, expected an absolute path, or all", program)
		}
	}
	return nil
}

func settingsOf(assignments []string) (map[string]string, error) {
	values := map[string]string{}
	for _, a := range assignments {
		name, value, ok := strings.Cut(a, "=")
		if !ok {
			return nil, fmt.Errorf("--set: found %q, expected NAME=VALUE", a)
		}
		values[name] = value
	}
	return values, nil
}

func (c *baselineCommand) list() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "Lists templates",
		Long:    "Lists templates: id, number of rules and of those a person must judge, profiles, file, title. With --json the number of clauses too.",
		Example: "  vedette baseline list\n  vedette baseline list --from /etc/vedette/baselines",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := c.loadGood(cmd)
			if err != nil {
				return err
			}
			list, err := baselines.List(loaded)
			if err != nil {
				return err
			}
			return errors.Join(c.report(cmd, list, func(w io.Writer) error { return baselines.WriteList(w, list, c.language) }), failedIf(c.faulty))
		},
	}
}

func (c *baselineCommand) show() *cobra.Command {
	return &cobra.Command{
		Use:   "show TEMPLATE [RULE]",
		Short: "Writes the file of a ready template, or tells about a rule",
		Long: "Writes the file that a ready template is in, with its comments, to standard output; with --json what all rules of any template say\n" +
			"about themselves, and with RULE what one does.",
		Example: "  vedette baseline show mlps-l2 > mlps-l2.yaml\n  vedette baseline show mlps-l3 accounts.unique --json\n" +
			"  vedette baseline show cis-debian12 --json",
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && !c.asJSON {
				text, err := baselines.Text(args[0])
				if err != nil {
					return err
				}
				_, err = cmd.OutOrStdout().Write(text)
				return err
			}
			loaded, err := c.loadGood(cmd)
			if err != nil {
				return err
			}
			b, err := loaded.Resolve(args[0], nil)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				return rules.WriteJSON(cmd.OutOrStdout(), baselines.ShowAll(b))
			}
			shown, err := baselines.Show(b, args[1])
			if err != nil {
				return err
			}
			return errors.Join(c.report(cmd, shown, func(w io.Writer) error { return shown.WriteText(w, c.language) }), failedIf(c.faulty))
		},
	}
}

func newBaselineSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Writes the JSON Schema of templates and waivers, for editors",
		Example: "  vedette baseline schema > /etc/vedette/baselines/baseline.schema.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := baseline.Schema()
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
}
