// SPDX-License-Identifier: Apache-2.0

package main

//go:generate go run ./gen -root ../..

import (
	"context"
	"os"

	"go.opentelemetry.io/collector/otelcol"

	"github.com/vedette-sec/vedette/internal/cli"
)

// run is what the generated main calls. The builder's own main_others.go and main_windows.go,
// which would define it, are not kept.
func run(set otelcol.CollectorSettings) error {
	return cli.Run(context.Background(), set, os.Args[1:], cli.Streams{Out: os.Stdout, Err: os.Stderr})
}
