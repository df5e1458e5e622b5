// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/vedette-sec/vedette/internal/enforce/keeper"
	"github.com/vedette-sec/vedette/internal/policies"
	"github.com/vedette-sec/vedette/internal/policystatus"
)

// inRunDirectory is where a running agent with the shipped configuration has a file.
func inRunDirectory(name string) string {
	return filepath.Join(cmp.Or(os.Getenv("VEDETTE_RUN_DIR"), "/run/vedette"), name)
}

func (c *policyCommand) status() *cobra.Command {
	var file string
	command := &cobra.Command{
		Use:   "status",
		Short: "Tells which policies the running agent keeps in force, and how strongly",
		Long: "Tells which policies the running agent keeps in force, how strongly each rule holds on this host's kernel and what could be\n" +
			"done about it, what was denied and audited, and what is to be confirmed. The exit status is 1 where no agent is running, a\n" +
			"policy is refused, or those in force are older than their files.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			read, err := policystatus.Read(file)
			if err != nil {
				return err
			}
			status := policies.Status(read, time.Now())
			if err := c.report(cmd, status, status.WriteText); err != nil {
				return err
			}
			return failedIf(!status.OK())
		},
	}
	command.Flags().StringVar(&file, "file", inRunDirectory("policies.json"), "the agent's policies::status_`file`")
	return command
}

func newPolicyConfirmCommand() *cobra.Command {
	var socket string
	command := &cobra.Command{
		Use:   "confirm [POLICY...]",
		Short: "Lets policies with commit_confirm go on enforcing",
		Long: "Lets policies with commit_confirm go on enforcing, or enforce again where their time was up: those that are named, or without\n" +
			"names all. A policy that is changed is to be confirmed again.",
		RunE: func(cmd *cobra.Command, names []string) error {
			return ask(cmd, socket, keeper.Command{Do: keeper.Confirm, Policies: names})
		},
	}
	command.Flags().StringVar(&socket, "socket", inRunDirectory("policies.sock"), "the agent's policies::`socket`")
	return command
}

func newPolicyPanicCommand() *cobra.Command {
	var socket string
	command := &cobra.Command{
		Use:   "panic on|off",
		Short: "Makes every policy only report, at once",
		Long: "Makes every policy of the running agent only report, at once and until it is switched off again, also by later agents. For when\n" +
			"a policy keeps the host from its work.",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"on", "off"},
		RunE: func(cmd *cobra.Command, args []string) error {
			do := keeper.PanicOff
			if args[0] == "on" {
				do = keeper.PanicOn
			}
			return ask(cmd, socket, keeper.Command{Do: do})
		},
	}
	command.Flags().StringVar(&socket, "socket", inRunDirectory("policies.sock"), "the agent's policies::`socket`")
	return command
}

func ask(cmd *cobra.Command, socket string, c keeper.Command) error {
	answer, err := keeper.Ask(cmd.Context(), socket, c)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), answer)
	return err
}
