// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/vedette-sec/vedette/extension/enforcementextension/enforcement"
	"github.com/vedette-sec/vedette/internal/response"
	"github.com/vedette-sec/vedette/internal/response/firewall"
	"github.com/vedette-sec/vedette/internal/response/journal"
)

// responseFlags are what all commands about responses take.
type responseFlags struct {
	state  string
	asJSON bool
}

func newResponseCommand() *cobra.Command {
	var flags responseFlags
	command := &cobra.Command{
		Use:   "response",
		Short: "Lists and ends what the agent did in response to alerts",
		Long: "Lists and ends what the agent did in response to alerts. It works beside a running agent, which\n" +
			"tells of it in its log, and without one. It needs the rights of the agent.\n\n" +
			"The exit status is 0 when all is well, and 1 when something could not be done.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	command.PersistentFlags().StringVar(&flags.state, "state-directory", "/var/lib/vedette", "the agent's state_directory")
	command.PersistentFlags().BoolVar(&flags.asJSON, "json", false, "write JSON for other programs")
	command.AddCommand(newListCommand(&flags),
		newEndCommand(&flags, "undo ID", "Ends a suspension, a block or an isolation", (*response.Engine).Undo),
		newEndCommand(&flags, "restore ID", "Puts a file in quarantine back to where it was, as it was", (*response.Engine).Restore))
	return command
}

func (f *responseFlags) open() (*response.Engine, error) {
	cgroup, _ := firewall.RootCgroup() // to end a block needs none
	return response.Open(response.Config{
		StateDirectory: filepath.Join(f.state, response.Directory),
		Firewall:       firewall.Firewall{Directory: firewall.DefaultDirectory, Cgroup: cgroup},
	}, !response.Create, false)
}

func newListCommand(flags *responseFlags) *cobra.Command {
	var active bool
	command := &cobra.Command{
		Use: "list", Short: "Lists what was done, oldest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			entries, err := flags.entries(active)
			if err != nil {
				return err
			}
			return writeEntries(entries, cmd.OutOrStdout(), flags.asJSON)
		},
	}
	command.Flags().BoolVar(&active, "active", false, "only what is in force")
	return command
}

func (f *responseFlags) entries(active bool) ([]journal.Entry, error) {
	chosen := []journal.Entry{}
	engine, err := f.open()
	if errors.Is(err, journal.ErrNone) {
		return chosen, nil
	}
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	all, err := engine.Entries()
	for _, entry := range all {
		if entry.Active || !active {
			chosen = append(chosen, entry)
		}
	}
	return chosen, err
}

func newEndCommand(flags *responseFlags, use, short string, end func(*response.Engine, string) (journal.Entry, error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			engine, err := flags.open()
			if err != nil {
				return err
			}
			defer engine.Close()
			entry, err := end(engine, args[0])
			if err != nil {
				return err
			}
			if flags.asJSON {
				return writeJSON(entry, cmd.OutOrStdout())
			}
			text := fmt.Sprintf("Ended: %s %s", entry.Request.Action, targetOf(entry.Request))
			if entry.End.Reason != "" {
				text += " (" + entry.End.Reason + ")"
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
			return err
		},
	}
}

func writeJSON(value any, w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

func writeEntries(entries []journal.Entry, w io.Writer, asJSON bool) error {
	if asJSON {
		return writeJSON(entries, w)
	}
	if len(entries) == 0 {
		_, err := fmt.Fprintln(w, "Nothing is recorded.")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tTIME\tACTION\tTARGET\tOUTCOME\tSTATE\tRULE")
	for _, e := range entries {
		fmt.Fprintln(table, strings.Join([]string{
			e.ID, e.Time.Local().Format(time.DateTime), string(e.Request.Action), targetOf(e.Request),
			outcomeOf(e), stateOf(e), printable(e.Request.Rule.Title),
		}, "\t"))
	}
	return table.Flush()
}

func outcomeOf(e journal.Entry) string {
	switch {
	case e.Outcome == "":
		return "unfinished"
	case e.Reason == "":
		return string(e.Outcome)
	}
	return string(e.Outcome) + ": " + printable(e.Reason)
}

func stateOf(e journal.Entry) string {
	switch {
	case e.Active && e.Expires.IsZero():
		return "in force"
	case e.Active:
		return "in force until " + e.Expires.Local().Format(time.DateTime)
	case e.End != nil:
		return "ended (" + string(e.End.Step) + ") " + e.End.Time.Local().Format(time.DateTime)
	}
	return "-"
}

func targetOf(r enforcement.Request) string {
	switch r.Action {
	case enforcement.BlockAddress:
		return r.Address.String()
	case enforcement.QuarantineFile, enforcement.BlockExecutable:
		return printable(r.File.Path)
	case enforcement.IsolateHost:
		return "this host"
	}
	return printable(r.Process.Executable) + "[" + strconv.FormatUint(uint64(r.Process.PID), 10) + "]"
}

// printable makes harmless what processes chose: names may hold what a terminal obeys.
func printable(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}
