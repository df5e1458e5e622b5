// SPDX-License-Identifier: Apache-2.0

package main

import (
	"regexp"
	"strings"
)

// Kernel messages begin with their time stamp, which tells them from what
// programs print on the console.
var kernelLine = regexp.MustCompile(`^\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? (.*)$`)

// What the kernel says when it has crashed or hangs.
var crashMessages = []*regexp.Regexp{
	regexp.MustCompile(`^Kernel panic - not syncing`),
	regexp.MustCompile(`(?:^|: )BUG: `),
	regexp.MustCompile(`^kernel BUG at `),
	regexp.MustCompile(`^Oops:? `),
	regexp.MustCompile(`general protection fault`),
	regexp.MustCompile(`^double fault: `),
	regexp.MustCompile(`^INFO: task .* blocked for more than \d+ seconds`),
}

var warningMessage = regexp.MustCompile(`^WARNING: `)

// maxCrashLines bounds how much of the console is shown from the crash on: an
// oops with its registers and call trace fits.
const maxCrashLines = 60

// console reads what the kernel prints and keeps the first crash.
type console struct {
	// crash holds the lines from the first sign of a crash on.
	crash []string
	// warnings holds each WARNING of the kernel, which are reported but are
	// no failure: some kernels warn about the emulated processor.
	warnings []string
	// tail holds the last lines, for a guest that dies without a word.
	tail []string
}

const maxTailLines = 20

// line takes one line of the console, without its end.
func (c *console) line(line string) {
	line = strings.TrimRight(line, "\r")
	if strings.TrimSpace(line) == "" {
		return
	}
	c.tail = append(c.tail, line)
	if len(c.tail) > maxTailLines {
		c.tail = c.tail[1:]
	}
	if len(c.crash) > 0 {
		if len(c.crash) < maxCrashLines {
			c.crash = append(c.crash, line)
		}
		return
	}
	found := kernelLine.FindStringSubmatch(line)
	if found == nil {
		return
	}
	message := found[1]
	if warningMessage.MatchString(message) {
		c.warnings = append(c.warnings, message)
	}
	for _, crash := range crashMessages {
		if crash.MatchString(message) {
			c.crash = []string{line}
			return
		}
	}
}
