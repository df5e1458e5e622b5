// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/vedette-sec/vedette/internal/baselines"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

func (c *baselineCommand) approve() *cobra.Command {
	o := baseline.Options{}
	var set []string
	var file, by string
	command := &cobra.Command{
		Use:   "approve TEMPLATE",
		Short: "Approves how this host is, so that drift from it is told",
		Long: "Judges this host by a template and notes the verdict of each rule as approved. The baseline receiver of an agent whose\n" +
			"setting approved names the same file tells when a verdict is another one, until it is back or somebody approves anew.",
		Example: "  vedette baseline approve mlps-l3\n  vedette baseline approve cis-debian12 --profile level1-server --by ana",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if by == "" {
				return errors.New("--by: found nothing, expected the name of who approves")
			}
			if err := isRoot(o.Root); err != nil {
				return err
			}
			b, loaded, err := c.resolve(args[0], set)
			if err != nil {
				return err
			}
			approved, err := baselines.ReadApproved(file)
			if err != nil {
				return err
			}
			o.Waivers, o.Now, o.Language = loaded.Waivers, time.Now(), c.language
			report, err := baseline.Scan(cmd.Context(), b, o)
			if err != nil {
				return err
			}
			told := &baselines.Approving{Template: b.ID, Profile: o.Profile, File: file, By: by, Rules: len(report.Results), Failing: report.Count(baseline.Fail)}
			if before := approved.Of(b.ID, o.Profile); before != nil {
				told.Before, told.Changes = before.Time, before.Drifted(report)
			}
			approved.Approve(report, o.Profile, by, o.Now)
			if err := approved.Write(file); err != nil {
				return err
			}
			return c.report(cmd, told, told.WriteText)
		},
	}
	flags := command.Flags()
	flags.StringVar(&o.Root, "root", "/", "judge the host whose root `directory` this is")
	flags.StringVar(&o.Profile, "profile", "", "only the rules of a `profile` of the template")
	flags.StringArrayVar(&set, "set", nil, "give a value of the template as `NAME=VALUE`, lists with commas; may be repeated")
	flags.StringVar(&file, "file", baselines.ApprovedFile, "note it in this `file`")
	flags.StringVar(&by, "by", cmp.Or(os.Getenv("SUDO_USER"), os.Getenv("USER"), os.Getenv("LOGNAME")), "the `name` of who approves")
	return command
}
