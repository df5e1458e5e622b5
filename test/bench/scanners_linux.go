// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// otherScanner is a program that judges hosts too. It is run once for each run of the benchmark, as it takes minutes.
type otherScanner struct {
	figure string // its time by ours; with _cpu its CPU time by ours
	name   string
	find   func() (command []string, by string, err error)
	judged func(output string) int // how many things it has judged
}

// testsPerformed is how Lynis tells that.
var testsPerformed = regexp.MustCompile(`Tests performed *: *([0-9]+)`)

func testsOfLynis(output string) int {
	match := testsPerformed.FindStringSubmatch(output)
	if match == nil {
		return 0
	}
	n, _ := strconv.Atoi(match[1]) // the expression has digits only; what is too long for a number is no number of tests
	return n
}

func openSCAP(ctx context.Context, b *bench) (results, error) {
	return b.besideScan(ctx, otherScanner{"scanner_oscap", "OpenSCAP", findOpenSCAP, func(output string) int { return strings.Count(output, "Definition oval:") }})
}

func lynis(ctx context.Context, b *bench) (results, error) {
	return b.besideScan(ctx, otherScanner{"scanner_lynis", "Lynis", findLynis, testsOfLynis})
}

// scapContent is where distributions put what OpenSCAP judges by.
const scapContent = "/usr/share/xml/scap/ssg/content/ssg-debian*-oval.xml"

// findOpenSCAP has it judge everything that its newest content for Debian knows. By profile it would judge nothing here: Debian 12 has content
// for the releases before it, whose rules say that they are about those alone.
func findOpenSCAP() ([]string, string, error) {
	if _, err := exec.LookPath("oscap"); err != nil {
		return nil, "", cannot("OpenSCAP is not installed (package openscap-scanner)")
	}
	all, err := filepath.Glob(scapContent)
	if err != nil {
		return nil, "", err
	}
	if len(all) == 0 {
		return nil, "", cannot("OpenSCAP has nothing to judge by: there is no %s (package ssg-debian)", scapContent)
	}
	newest := all[len(all)-1]
	return []string{"oscap", "oval", "eval", newest}, strings.TrimSuffix(filepath.Base(newest), "-oval.xml"), nil
}

func findLynis() ([]string, string, error) {
	if _, err := exec.LookPath("lynis"); err != nil {
		return nil, "", cannot("Lynis is not installed (package lynis)")
	}
	return []string{"lynis", "audit", "system", "--cronjob"}, "its whole audit", nil
}

// besideScan has another scanner judge the host that ours judges right before and after it.
func (b *bench) besideScan(ctx context.Context, other otherScanner) (results, error) {
	command, by, err := other.find()
	if err != nil {
		return nil, err
	}
	program, err := b.agentProgram(ctx)
	if err != nil {
		return nil, err
	}
	root := filepath.Join(b.dir, "scanned")
	found := results{}
	err = b.makeScannedHost(root)
	if err == nil {
		err = makeEnterable(root, program)
	}
	if err == nil {
		err = b.scanBeside(ctx, root, command, other, by, found)
	}
	return found, errors.Join(err, removeScannedHost(root))
}

// inside is where our program is in the tree.
const inside = "/opt/vedette"

// makeEnterable adds what a program finds in a root directory that it is started in, without anything of this host mounted yet.
func makeEnterable(root, program string) error {
	for _, dir := range []string{"tmp", "run", "dev", "sys", "var/log", "opt"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	data, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, inside), data, 0o755)
}

// enter starts a program in a root directory that has this host's programs, which it cannot write. They are mounted for that program alone, so that
// nothing is left mounted and removing the directory removes nothing of the host's.
const enter = `set -e
root=$1
shift
for dir in /usr /bin /sbin /lib /lib64; do
	if [ -L "$dir" ]; then
		ln -sfn "$(readlink "$dir")" "$root$dir"
	elif [ -e "$dir" ]; then
		mkdir -p "$root$dir"
		mount --bind -o ro "$dir" "$root$dir"
	fi
done
for dir in /dev /sys; do
	mount --rbind "$dir" "$root$dir"
done
for dir in /run /tmp; do
	mount -t tmpfs tmpfs "$root$dir"
done
exec chroot "$root" "$@"`

func (b *bench) scanBeside(ctx context.Context, root string, command []string, other otherScanner, by string, found results) error {
	ours := []string{inside, "baseline", "scan", scannedTemplate, "--profile", scannedProfile, "--json"}
	before, _, err := runInside(ctx, root, ours)
	if err != nil {
		return err
	}
	b.progress("%s takes minutes", other.name)
	theirs, output, err := runInside(ctx, root, command)
	if err != nil {
		return err
	}
	judged := other.judged(output)
	if judged == 0 {
		return fmt.Errorf("%s: found nothing that it judged in its output, expected results: %s", other.name, endOf(output))
	}
	after, _, err := runInside(ctx, root, ours)
	if err != nil {
		return err
	}
	wall, cpu := (before.wall+after.wall)/2, (before.cpu+after.cpu)/2
	found.add(other.figure, theirs.wall.Seconds()/wall.Seconds())
	found.add(other.figure+"_cpu", theirs.cpu.Seconds()/cpu.Seconds())
	found.note(other.figure, "%s judged %d things (%s) in %.1f s, %.1f CPU s; ours in %.2f s and %.2f CPU s; %s files", other.name, judged, by,
		theirs.wall.Seconds(), theirs.cpu.Seconds(), wall.Seconds(), cpu.Seconds(), thousands(int64(b.scannedCount())))
	return nil
}

func runInside(ctx context.Context, root string, command []string) (timed, string, error) {
	args := append([]string{"--mount", "--propagation", "private", "sh", "-c", enter, "enter", root}, command...)
	cmd := exec.CommandContext(ctx, "unshare", args...)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	took, err := timedCommand(cmd)
	if err != nil {
		err = fmt.Errorf("%w: %s", err, endOf(output.String()))
	}
	return took, output.String(), err
}

// endOf is what fits into a line of the report of what a program wrote last.
func endOf(output string) string {
	output = strings.Join(strings.Fields(output), " ")
	return output[max(0, len(output)-200):]
}
