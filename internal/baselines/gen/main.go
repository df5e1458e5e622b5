// SPDX-License-Identifier: Apache-2.0

// Command gen writes docs/baselines.md from the ready templates.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"

	"github.com/vedette-sec/vedette/internal/baselines"
)

func main() {
	out := flag.String("out", "docs/baselines.md", "the file to write")
	flag.Parse()
	var text bytes.Buffer
	err := baselines.WriteCoverage(&text)
	if err == nil {
		err = os.WriteFile(*out, text.Bytes(), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}
