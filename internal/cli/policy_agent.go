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
	"strings"
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

func (c *policyCommand) release() *cobra.Command {
	var pins, tokenFile string
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
			token, err := readToken(cmd, tokenFile)
			if err != nil {
				return err
			}
			if err := releasePins(pins, token); err != nil {
				return err
			}
			released := []string{}
			if held != nil {
				for _, p := range held.Policies {
					released = append(released, p.Name)
				}
			}
			return c.report(cmd, released, func(w io.Writer) error { return writeReleased(w, released) })
		},
	}
	command.Flags().StringVar(&pins, "pins", defaultPins, "the agent's policies::`pins`")
	addTokenFlag(command, &tokenFile)
	return command
}

func writeReleased(w io.Writer, released []string) error {
	text := "nothing was in force\n"
	if len(released) > 0 {
		text = "not in force any more: " + strings.Join(released, "\nnot in force any more: ") + "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

func addTokenFlag(command *cobra.Command, file *string) {
	command.Flags().StringVar(file, "token-file", "", "where the agent is locked, a `file` with the token; - for standard input")
}

// readToken gives the token of a file, or none.
func readToken(cmd *cobra.Command, file string) (string, error) {
	var text []byte
	var err error
	switch file {
	case "":
		return "", nil
	case "-":
		text, err = io.ReadAll(cmd.InOrStdin())
	default:
		text, err = os.ReadFile(file)
	}
	return strings.TrimSpace(string(text)), err
}

func (c *policyCommand) lock() *cobra.Command {
	var socket string
	command := &cobra.Command{
		Use:   "lock",
		Short: "Gives a token without which the agent's protection cannot be weakened any more",
		Long: "Gives a token, once: keep it elsewhere. From then on vedette policy unlock, panic on and release want it, and only an agent that is\n" +
			"started with the same arguments takes over what is in force.",
		Example: "  vedette policy lock | ssh admin@vault 'cat > tokens/db1'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.ask(cmd, socket, keeper.Command{Do: keeper.Lock})
		},
	}
	command.Flags().StringVar(&socket, "socket", inRunDirectory("policies.sock"), "the agent's policies::`socket`")
	return command
}

func (c *policyCommand) unlock() *cobra.Command {
	var socket, tokenFile string
	var long time.Duration
	command := &cobra.Command{
		Use:   "unlock",
		Short: "Lets the agent itself be changed and stopped for a while",
		Long: "Takes the policy by which the agent protects its process, program, settings and state out of force for a while. This is the way to\n" +
			"change its configuration and its policies, and to stop it.",
		Example: "  ssh admin@vault 'cat tokens/db1' | vedette policy unlock --token-file - --for 5m",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			token, err := readToken(cmd, tokenFile)
			if err != nil {
				return err
			}
			return c.ask(cmd, socket, keeper.Command{Do: keeper.Unlock, Token: token, For: long})
		},
	}
	command.Flags().StringVar(&socket, "socket", inRunDirectory("policies.sock"), "the agent's policies::`socket`")
	command.Flags().DurationVar(&long, "for", 0, "how long; 0 is ten minutes")
	addTokenFlag(command, &tokenFile)
	return command
}

func (c *policyCommand) confirm() *cobra.Command {
	var socket string
	command := &cobra.Command{
		Use:   "confirm [POLICY...]",
		Short: "Lets policies with commit_confirm go on enforcing",
		Long: "Lets policies with commit_confirm go on enforcing, or enforce again where their time was up: those that are named, or without\n" +
			"names all. A policy that is changed is to be confirmed again.",
		RunE: func(cmd *cobra.Command, names []string) error {
			return c.ask(cmd, socket, keeper.Command{Do: keeper.Confirm, Policies: names})
		},
	}
	command.Flags().StringVar(&socket, "socket", inRunDirectory("policies.sock"), "the agent's policies::`socket`")
	return command
}

func (c *policyCommand) panicSwitch() *cobra.Command {
	var socket, tokenFile string
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
			token, err := readToken(cmd, tokenFile)
			if err != nil {
				return err
			}
			return c.ask(cmd, socket, keeper.Command{Do: do, Token: token})
		},
	}
	command.Flags().StringVar(&socket, "socket", inRunDirectory("policies.sock"), "the agent's policies::`socket`")
	addTokenFlag(command, &tokenFile)
	return command
}

// ask gives a command to the running agent and writes what it answers.
func (c *policyCommand) ask(cmd *cobra.Command, socket string, what keeper.Command) error {
	answer, err := keeper.Ask(cmd.Context(), socket, what)
	if err != nil {
		return err
	}
	return c.report(cmd, keeper.Reply{Text: answer}, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, answer)
		return err
	})
}
