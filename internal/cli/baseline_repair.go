// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/vedette-sec/vedette/internal/repair"
)

// confirmWithin is how long what could lock people out waits to be confirmed.
const confirmWithin = 10 * time.Minute

const confirmFlag = "confirm-within"

// rootFlag adds the flag for another host than this one.
func rootFlag(command *cobra.Command, root *string) {
	command.Flags().StringVar(root, "root", "/", "work on the host whose root `directory` this is, such as an image")
}

// open opens the host for repairs and tells what was left by others.
func (c *baselineCommand) open(cmd *cobra.Command, root string) (*repair.Repairer, error) {
	r, notes, err := repair.Open(root)
	for _, note := range notes {
		fmt.Fprintln(cmd.ErrOrStderr(), "note:", note)
	}
	return r, err
}

// with opens the host, does something and lets others in again.
func (c *baselineCommand) with(cmd *cobra.Command, root string, do func(r *repair.Repairer) error) error {
	r, err := c.open(cmd, root)
	if err != nil {
		return err
	}
	return errors.Join(do(r), r.Close())
}

func (c *baselineCommand) fix() *cobra.Command {
	o := repair.Options{}
	var root string
	var set []string
	command := &cobra.Command{
		Use:   "fix TEMPLATE",
		Short: "Repairs what fails, so that it can be taken back",
		Long: "Repairs what fails and has a fix: for each rule the changes are shown, checked by the programs that will read the files, written to a\n" +
			"journal and made; what does not make the rule pass is taken back at once. Waived rules are left alone. With --dry-run only the\n" +
			"changes are shown.\n\n" +
			"What could lock people out (sshd, PAM, accounts, sudo, firewall) is taken back after --confirm-within, unless `vedette baseline\n" +
			"confirm` says that somebody still gets in.\n\n" +
			"The exit status is 1 where a rule that failed was not repaired.",
		Example: "  vedette baseline fix mlps-l3 --dry-run\n  vedette baseline fix cis-debian12 --rule cis-5.1.20 --confirm-within 5m",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, loaded, err := c.resolve(args[0], set)
			if err != nil {
				return err
			}
			o.Waivers, o.Now, o.Language = loaded.Waivers, time.Now(), c.language
			for _, waiver := range b.Stale(o.Waivers, o.Now) {
				fmt.Fprintf(cmd.ErrOrStderr(), "note: %s: the waiver for %s has expired or is about no rule, and does not bind\n", waiver.Position, waiver.Rule)
			}
			// Nobody is locked out of a host that does not run, and an image is gone when the time is over.
			if root != "/" && !cmd.Flags().Changed(confirmFlag) {
				o.Confirm = 0
			}
			var report *repair.Report
			err = c.with(cmd, root, func(r *repair.Repairer) error {
				report, err = r.Fix(cmd.Context(), b, o)
				return err
			})
			if report != nil {
				err = errors.Join(err, c.report(cmd, report, report.WriteText))
			}
			if report != nil && !report.Until.IsZero() {
				err = errors.Join(err, awaitInBackground(root, report.Transaction))
			}
			if err != nil {
				return err
			}
			return failedIf(report.Failed())
		},
	}
	rootFlag(command, &root)
	flags := command.Flags()
	flags.StringVar(&o.Profile, "profile", "", "only the rules of a `profile` of the template")
	flags.StringArrayVar(&o.Rules, "rule", nil, "only the rule with this `id`; may be repeated")
	flags.StringArrayVar(&set, "set", nil, "give a value of the template as `NAME=VALUE`, lists with commas; may be repeated")
	flags.BoolVar(&o.DryRun, "dry-run", false, "show what would be changed, and change nothing")
	flags.BoolVar(&o.DropForwarded, "drop-forwarded", false, "let a firewall or the kernel end what this host forwards now, such as packets of its containers")
	flags.DurationVar(&o.Confirm, confirmFlag, confirmWithin, "take back what could lock people out unless it is confirmed in this `time`; 0 for no need to, as with --root")
	return command
}

// awaitInBackground starts a process that outlives this session and takes a transaction back when nobody confirms it.
func awaitInBackground(root, transaction string) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("starting what waits for the confirmation: %w", err)
	}
	waiting := exec.Command(program, "baseline", "await", transaction, "--root", root)
	waiting.Dir = "/"
	waiting.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := waiting.Start(); err != nil {
		return fmt.Errorf("starting what waits for the confirmation: %w", err)
	}
	return waiting.Process.Release()
}

func (c *baselineCommand) await() *cobra.Command {
	var root string
	command := &cobra.Command{
		Use: "await TRANSACTION", Short: "Waits until a transaction is confirmed, or takes it back when its time is over", Args: cobra.ExactArgs(1), Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			notes, err := repair.Await(cmd.Context(), root, args[0])
			for _, note := range notes {
				fmt.Fprintln(cmd.ErrOrStderr(), "note:", note)
			}
			return err
		},
	}
	rootFlag(command, &root)
	return command
}

func (c *baselineCommand) confirm() *cobra.Command {
	var root string
	command := &cobra.Command{
		Use:   "confirm [TRANSACTION]",
		Short: "Lets stay what waits to be confirmed",
		Long:  "Lets stay what a transaction changed, or all that wait. Try first, in another session, whether you still get in.",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, root, func(r *repair.Repairer) error {
				confirmed, err := r.Confirm(append(args, "")[0])
				if err != nil {
					return err
				}
				return c.report(cmd, confirmed, func(w io.Writer) error {
					for _, id := range confirmed {
						fmt.Fprintln(w, id, "stays")
					}
					return nil
				})
			})
		},
	}
	rootFlag(command, &root)
	return command
}

func (c *baselineCommand) rollback() *cobra.Command {
	var root string
	back := repair.Back{}
	command := &cobra.Command{
		Use:   "rollback [TRANSACTION]",
		Short: "Takes back what a fix has changed",
		Long: "Takes back a transaction, or with --rule what was changed for one rule last: all of it or, where something was changed since, nothing.\n" +
			"What was changed since is shown; --merge takes back only what the fix had changed. A rollback is a transaction that can be taken\n" +
			"back itself.",
		Example: "  vedette baseline transactions\n  vedette baseline rollback 20260131-120000.000000-a1b2c3\n  vedette baseline rollback --rule ssh.root-login",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if back.Transaction = append(args, "")[0]; back.Transaction == "" && back.Rule == "" {
				return errors.New("found neither a transaction nor --rule, expected one of them")
			}
			return c.with(cmd, root, func(r *repair.Repairer) error {
				result, err := r.Rollback(back)
				if err != nil {
					return err
				}
				return c.report(cmd, result, result.WriteText)
			})
		},
	}
	rootFlag(command, &root)
	flags := command.Flags()
	flags.StringVar(&back.Rule, "rule", "", "only what was changed for the rule with this `id`")
	flags.BoolVar(&back.Merge, "merge", false, "where a file was changed since, take back only what the fix had changed")
	flags.BoolVar(&back.DryRun, "dry-run", false, "show what would be changed, and change nothing")
	return command
}

func (c *baselineCommand) transactions() *cobra.Command {
	var root string
	command := &cobra.Command{
		Use:   "transactions",
		Short: "Lists what fixes and rollbacks have changed",
		Long: "Lists transactions, the oldest first: when, what kind, its state, and what became of each rule. What a crash left is recovered\n" +
			"first. With --json the changes too.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd, root, func(r *repair.Repairer) error {
				all, err := r.Transactions()
				if err != nil {
					return err
				}
				return c.report(cmd, all, func(w io.Writer) error { return writeTransactions(w, all) })
			})
		},
	}
	rootFlag(command, &root)
	command.AddCommand(c.prune())
	return command
}

// keptFor is how long transactions that are over are kept unless the flag says otherwise.
const keptFor = 90 * 24 * time.Hour

func (c *baselineCommand) prune() *cobra.Command {
	var root string
	var o repair.Prune
	var age time.Duration
	command := &cobra.Command{
		Use:   "prune",
		Short: "Forgets transactions that are over",
		Long: "Forgets transactions of which nothing was done for a time, with the images of files that only they need: those that were undone or rolled\n" +
			"back. What could still be rolled back is kept unless --all is given, what waits to be confirmed always. Nothing else on the host changes.",
		Example: "  vedette baseline transactions prune --dry-run\n  vedette baseline transactions prune --older-than 720h",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if age < 0 {
				return fmt.Errorf("--older-than: found %s, expected no time that is to come", age)
			}
			return c.with(cmd, root, func(r *repair.Repairer) error {
				o.Before = time.Now().Add(-age)
				result, err := r.Prune(o)
				if err != nil {
					return err
				}
				return c.report(cmd, result, func(w io.Writer) error { return writePruned(w, result, o.DryRun) })
			})
		},
	}
	rootFlag(command, &root)
	flags := command.Flags()
	flags.DurationVar(&age, "older-than", keptFor, "only transactions of which nothing was done for this `time`")
	flags.BoolVar(&o.All, "all", false, "also what is in force, which cannot be rolled back afterwards")
	flags.BoolVar(&o.DryRun, "dry-run", false, "tell what would be forgotten, and forget nothing")
	return command
}

func writePruned(w io.Writer, p *repair.Pruned, dryRun bool) error {
	verb := "forgotten"
	if dryRun {
		verb = "would be forgotten"
	}
	for _, id := range p.Transactions {
		fmt.Fprintln(w, id, verb)
	}
	for _, id := range p.Kept {
		fmt.Fprintln(w, id, "kept, as it could be rolled back")
	}
	_, err := fmt.Fprintf(w, "%d transactions and %d images with %d bytes %s\n", len(p.Transactions), p.Images, p.Bytes, verb)
	return err
}

func writeTransactions(w io.Writer, all []*repair.Transaction) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TRANSACTION\tKIND\tSTATE\tRULE\tOUTCOME")
	for _, t := range all {
		state := t.State
		if state == repair.Waiting {
			state += " until " + t.Until.Local().Format(time.DateTime)
		}
		for _, d := range t.Rules {
			outcome := d.Outcome
			if d.By != "" {
				outcome += " by " + d.By
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", t.ID, t.Kind, state, d.Rule, outcome)
		}
	}
	return table.Flush()
}
