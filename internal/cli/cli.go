// SPDX-License-Identifier: Apache-2.0

// Package cli is the operator's command line: the Collector's own commands, Vedette's beside
// them, and errors made for people.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/otelcol"
	"go.uber.org/zap"

	"github.com/vedette-sec/vedette/internal/configerror"
	"github.com/vedette-sec/vedette/internal/doctor"
	"github.com/vedette-sec/vedette/internal/fileevent"
	"github.com/vedette-sec/vedette/internal/reload"
)

// errReported is returned by commands that have told all there is to tell.
var errReported = errors.New("reported already")

// Streams are where the command writes: what was asked for to Out, errors to Err.
type Streams struct {
	Out, Err io.Writer
}

// Run runs the command line given by args, which are without the program's name. Errors are
// written to streams.Err before they are returned.
func Run(ctx context.Context, set otelcol.CollectorSettings, args []string, streams Streams) error {
	return run(ctx, set, doctor.ThisHost(), args, streams)
}

func run(ctx context.Context, set otelcol.CollectorSettings, host doctor.Host, line []string, streams Streams) error {
	given := set
	files := &configerror.Files{}
	guard := &rightsGuard{facts: host.Facts}
	resolver := &set.ConfigProviderSettings.ResolverSettings
	resolver.ProviderFactories = files.Watch(resolver.ProviderFactories)
	resolver.ConverterFactories = append(slices.Clip(resolver.ConverterFactories),
		confmap.NewConverterFactory(func(confmap.ConverterSettings) confmap.Converter { return guard }))

	hub := &reload.Hub{}
	h := hangups{hub: hub, files: files, command: set.BuildInfo.Command, err: streams.Err, ready: make(chan *zap.Logger, 1),
		check: func(ctx context.Context) error {
			return run(ctx, given, host, append([]string{"validate"}, line...), Streams{io.Discard, streams.Err})
		}}
	set.LoggingOptions = append(slices.Clip(set.LoggingOptions), h.watch())
	root := otelcol.NewCommand(set)
	root.Short = set.BuildInfo.Description
	root.SilenceErrors = true
	root.Flags().Lookup("feature-gates").DefValue = "" // The list of all gates would bury the help.
	root.AddCommand(newDoctorCommand(host, set.BuildInfo.Version), newRulesCommand(*resolver), newPolicyCommand(), newBaselineCommand(set.BuildInfo.Version),
		newResponseCommand(), newSetupCommand())
	start := root.RunE
	root.RunE = func(cmd *cobra.Command, args []string) error {
		guard.starting = true
		cmd.SetContext(fileevent.NewContext(reload.NewContext(cmd.Context(), hub), &fileevent.Hub{}))
		defer h.start(cmd.Context())()
		return start(cmd, args)
	}
	root.SetArgs(line)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	err := root.ExecuteContext(ctx)
	report(err, set, files, streams.Err)
	return err
}

// report writes the error once, in the form that helps most.
func report(err error, set otelcol.CollectorSettings, files *configerror.Files, w io.Writer) {
	if err == nil || errors.Is(err, errReported) {
		return
	}
	var rights *rightsError
	if errors.As(err, &rights) {
		fmt.Fprintf(w, "%s: %v\n", set.BuildInfo.Command, rights)
		return
	}
	// Where even the factories fail, their error is the one at hand and needs no explanation.
	if factories, failed := set.Factories(); failed == nil {
		err = configerror.Explain(err, files, factories)
	}
	var broken *configerror.Error
	if errors.As(err, &broken) {
		fmt.Fprintln(w, broken)
		return
	}
	fmt.Fprintf(w, "%s: %v\n", set.BuildInfo.Command, err)
}
