// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/vedette-sec/vedette/internal/policies"
	"github.com/vedette-sec/vedette/internal/rules"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// policyCommand is what the commands about policies have in common.
type policyCommand struct {
	asJSON bool
}

func newPolicyCommand() *cobra.Command {
	c := &policyCommand{}
	command := &cobra.Command{
		Use:   "policy",
		Short: "Writes, checks, explains and switches policies",
		Long: "The tools by which policies are written and understood: what must not happen on this host, and who may nevertheless.\n" +
			"They are about the policies of the files and directories that are named, or without any about the ready ones that are\n" +
			"part of the program.\n\n" +
			"The exit status is 0 when all is well, and 1 when something is wrong or could not be done.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	command.PersistentFlags().BoolVar(&c.asJSON, "json", false, "write JSON for other programs")
	command.AddCommand(c.check(), c.list(), c.show(), newPolicySchemaCommand(), c.explain(), c.status(),
		c.confirm(), c.panicSwitch(), c.release(), c.lock(), c.unlock(), c.learn(), c.replay())
	return command
}

// report writes a result as JSON or as text.
func (c *policyCommand) report(cmd *cobra.Command, value any, text func(w io.Writer) error) error {
	if c.asJSON {
		return rules.WriteJSON(cmd.OutOrStdout(), value)
	}
	return text(cmd.OutOrStdout())
}

// writeFile writes a file of policies as it is, or its documents as JSON.
func (c *policyCommand) writeFile(cmd *cobra.Command, text []byte) error {
	documents, err := policies.Documents(text)
	if err != nil {
		return err
	}
	return c.report(cmd, documents, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

func (c *policyCommand) check() *cobra.Command {
	var strict bool
	var root string
	command := &cobra.Command{
		Use:   "check [DIR|FILE...]",
		Short: "Tells what is wrong with policies, with file and line",
		Long: "Tells what is wrong with policies on this host: documents that cannot be read, paths that are not there, policies that\n" +
			"contradict each other, subjects that are wider than they look, and what would lock out init, the package manager or the\n" +
			"administrator. The exit status is 1 where a policy is refused, with --strict for any finding.",
		Example: "  vedette policy check --strict /etc/vedette/policies",
		RunE: func(cmd *cobra.Command, places []string) error {
			if err := isRoot(root); err != nil {
				return err
			}
			set, err := policies.Load(places)
			report := policies.Check(set, err, policy.NewHost(root))
			if err := c.report(cmd, report, report.WriteText); err != nil {
				return err
			}
			return failedIf(report.Failed(strict))
		},
	}
	command.Flags().BoolVar(&strict, "strict", false, "let warnings count for the exit status")
	command.Flags().StringVar(&root, "root", "/", "check them for the host whose root `directory` this is, such as an image")
	return command
}

func (c *policyCommand) list() *cobra.Command {
	return &cobra.Command{
		Use:     "list [DIR|FILE...]",
		Short:   "Lists policies",
		Long:    "Lists policies: name, mode, severity of alerts, number of rules, place, description. With --json the rules too.",
		Example: "  vedette policy list\n  vedette policy list /etc/vedette/policies",
		RunE: func(cmd *cobra.Command, places []string) error {
			set, err := policies.Load(places)
			if err != nil {
				return err
			}
			list := policies.List(set)
			return c.report(cmd, list, func(w io.Writer) error { return policies.WriteList(w, list) })
		},
	}
}

func (c *policyCommand) show() *cobra.Command {
	return &cobra.Command{
		Use:     "show POLICY",
		Short:   "Writes the file of a ready policy, to be edited",
		Long:    "Writes the file that a ready policy is in, with its comments, to standard output. With --json its documents, as a list.",
		Example: "  vedette policy show sshd > /etc/vedette/policies/sshd.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := policies.Text(args[0])
			if err != nil {
				return err
			}
			return c.writeFile(cmd, text)
		},
	}
}

func newPolicySchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Writes the JSON Schema of policies, for editors",
		Example: "  vedette policy schema > /etc/vedette/policies/policy.schema.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := policies.Schema()
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
}

func (c *policyCommand) explain() *cobra.Command {
	var who policies.Who
	var to string
	command := &cobra.Command{
		Use:   "explain OBJECT OPERATION [DIR|FILE...]",
		Short: "Tells what would be decided, and which line decides",
		Long: "Tells what policies would decide, and which line decides, by the facts of this host. OBJECT is one of\n\n" +
			"  a path              write, create, delete, rename, link, attributes, mount, read, execute, run\n" +
			"  a process id        signal, ptrace, memory, priority\n" +
			"  an address          connect, bind, accept; such as 10.0.0.1:443/tcp\n" +
			"  the word kernel     modules, bpf, kexec, mount, ptrace, raw_devices, time, agent_bpf\n\n" +
			"Who acts is the process that started this command, or another one by --pid, or with --as one that runs an executable.\n" +
			"The exit status is 1 where it would be denied.",
		Example: "  vedette policy explain /etc/ssh/sshd_config write\n" +
			"  vedette policy explain /etc/ssh/ssh_host_ed25519_key read --as /usr/sbin/sshd\n" +
			"  vedette policy explain 1234 signal --pid 5678 /etc/vedette/policies",
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := policies.Load(args[2:])
			if err != nil {
				return err
			}
			if who.As == "" && who.Unit+who.Container != "" {
				return errors.New("found --unit or --container without --as, expected the executable that is supposed to run there")
			}
			if who.As == "" && who.PID == 0 {
				who.PID = uint32(os.Getppid())
			}
			answer, err := policies.Explain(set, policies.Question{Object: args[0], Operation: args[1], To: to, Who: who})
			if err != nil {
				return err
			}
			if err := c.report(cmd, answer, answer.WriteText); err != nil {
				return err
			}
			return failedIf(answer.Decision.Verdict == policy.Denied)
		},
	}
	flags := command.Flags()
	flags.StringVar(&who.As, "as", "", "who acts is a process that runs this `executable`")
	flags.Uint32Var(&who.PID, "pid", 0, "who acts is the process with this `id`")
	flags.StringVar(&who.User, "user", "", "who acts does so as this `user`, by name or number")
	flags.StringVar(&who.Unit, "unit", "", "with --as: in this `unit` of systemd")
	flags.StringVar(&who.Container, "container", "", "with --as: in the container with this `id`")
	flags.StringVar(&to, "to", "", "the new `path` of rename and link")
	command.MarkFlagsMutuallyExclusive("as", "pid")
	return command
}
