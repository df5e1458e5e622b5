// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	var file, pins string
	command := &cobra.Command{
		Use:   "status",
		Short: "Tells which policies the running agent keeps in force, and how strongly",
		Long: "Tells which policies the running agent keeps in force, how strongly each rule holds on this host's kernel and what could be\n" +
			"done about it, what was denied and audited, and what is to be confirmed. Where no agent is running it tells what one left in\n" +
			"force. The exit status is 1 where no agent is running, a policy is refused, or those in force are older than their files.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			held, err := lookAtPins(pins)
			if err != nil && !errors.Is(err, fs.ErrPermission) {
				return err
			}
			read, err := policystatus.Read(file)
			if err != nil && held != nil && !held.Running {
				return errors.Join(err, c.report(cmd, held, func(w io.Writer) error { return policies.WriteHeld(w, held) }))
			}
			if err != nil {
				return err
			}
			status := policies.Status(read, held, time.Now())
			if err := c.report(cmd, status, status.WriteText); err != nil {
				return err
			}
			return failedIf(!status.OK())
		},
	}
	command.Flags().StringVar(&file, "file", inRunDirectory("policies.json"), "the agent's policies::status_`file`")
	command.Flags().StringVar(&pins, "pins", defaultPins, "the agent's policies::`pins`")
	return command
}

func newPolicyReleaseCommand() *cobra.Command {
	var pins string
	command := &cobra.Command{
		Use:   "release",
		Short: "Takes down what an agent left in force that is not running any more",
		Long: "Takes down what an agent left in force that is not running any more: programs, policies, and what was known of processes. While\n" +
			"an agent is running it does nothing and fails; vedette policy panic on is for that.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			held, err := lookAtPins(pins)
			if err != nil {
				return err
			}
			if err := releasePins(pins); err != nil {
				return err
			}
			if held == nil {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), "nothing was in force")
				return err
			}
			for _, p := range held.Policies {
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "not in force any more: %s\n", p.Name); err != nil {
					return err
				}
			}
			return nil
		},
	}
	command.Flags().StringVar(&pins, "pins", defaultPins, "the agent's policies::`pins`")
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
