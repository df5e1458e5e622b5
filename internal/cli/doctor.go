// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/vedette-sec/vedette/internal/doctor"
)

func newDoctorCommand(host doctor.Host, version string) *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "doctor",
		Short: "Says whether Vedette can work on this host, and what to do where it cannot",
		Long: "Says whether Vedette can work on this host: the kernel, the rights of this process, mounts, what\n" +
			"can be loaded into the kernel, and how each kind of event will be seen. For what does not work it\n" +
			"tells the reason and the remedy. The exit status is 0 when the main job can run, and else 1.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report := doctor.Examine(host, version)
			if err := write(report, cmd.OutOrStdout(), asJSON); err != nil {
				return err
			}
			if !report.OK {
				return errReported
			}
			return nil
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "write the report as JSON")
	return command
}

func write(report doctor.Report, w io.Writer, asJSON bool) error {
	if asJSON {
		return report.WriteJSON(w)
	}
	return report.WriteText(w, colourful(w))
}

// colourful reports whether the writer is a terminal that takes colours.
func colourful(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(file.Fd()))
}
