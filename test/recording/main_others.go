// SPDX-License-Identifier: Apache-2.0

//go:build !(linux && amd64)

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "recording: it records with the sensor, which runs on Linux on x86-64 only")
	os.Exit(1)
}
