// SPDX-License-Identifier: Apache-2.0

//go:build !(linux && amd64)

package cli

import (
	"errors"

	"github.com/spf13/cobra"
)

func newResponseCommand() *cobra.Command {
	return &cobra.Command{
		Use: "response", Short: "Lists and ends what the agent did in response to alerts", DisableFlagParsing: true,
		RunE: func(*cobra.Command, []string) error {
			return errors.New("responses run on Linux on x86-64 only")
		},
	}
}
