// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/vedette-sec/vedette/internal/hostconf"
)

// readValue gives a setting of the kernel, with single blanks.
func (r *Repairer) readValue(path string) (string, error) {
	data, err := os.ReadFile(r.root.full(path))
	if err != nil {
		return "", fmt.Errorf("reading a setting of the kernel: %w", err)
	}
	return strings.Join(strings.Fields(string(data)), " "), nil
}

// changedAlong are settings that the kernel changes together with another: who forwards nothing is to listen to redirects, and the other way round.
var changedAlong = map[string]string{
	"/proc/sys/net/ipv4/ip_forward":          "/proc/sys/net/ipv4/conf/all/accept_redirects",
	"/proc/sys/net/ipv4/conf/all/forwarding": "/proc/sys/net/ipv4/conf/all/accept_redirects",
}

// writeValue gives the kernel a setting, and no other: what it changes along is as it was afterwards.
func (r *Repairer) writeValue(c Change) error {
	along, ok := changedAlong[c.Path]
	if !ok {
		return r.writeOnly(c.Path, c.New)
	}
	kept, err := r.readValue(along)
	if errors.Is(err, fs.ErrNotExist) { // It is no kernel, but a host made of files.
		return r.writeOnly(c.Path, c.New)
	}
	if err != nil {
		return err
	}
	return errors.Join(r.writeOnly(c.Path, c.New), r.writeOnly(along, kept))
}

func (r *Repairer) writeOnly(path, value string) error {
	full := r.root.full(path)
	if r.root != "/" && isProc(full) {
		return fmt.Errorf("%s: found the kernel of this host, expected none of it below another root", path)
	}
	f, err := os.OpenFile(full, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return fmt.Errorf("changing a setting of the kernel: %w", err)
	}
	_, err = f.WriteString(value + "\n")
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("changing a setting of the kernel: %s to %q: %w", path, value, err)
	}
	return nil
}

// unitStates are what a unit does.
const (
	unitRuns  = "active"
	unitStops = "inactive"
)

// unitState gives what a unit does. Where there is a systemd only its answer counts, as what the control groups show is not all of it.
func (r *Repairer) unitState(name string) (string, error) {
	h := hostconf.New(string(r.root))
	active, err := h.ActiveUnits()
	if err != nil {
		return "", fmt.Errorf("asking systemd whether %s is active: %w", name, err)
	}
	runs := active[name]
	if active == nil {
		u, err := h.Unit(name)
		if err != nil {
			return "", err
		}
		runs = u.Active
	}
	if runs {
		return unitRuns, nil
	}
	return unitStops, nil
}

func (r *Repairer) setUnit(c Change) error {
	verb := map[string]string{unitRuns: "start", unitStops: "stop"}[c.New]
	if c.New == unitStops {
		shown, err := r.run("systemctl", "show", "--property=RefuseManualStop", c.Unit)
		if err == nil && strings.TrimSpace(shown) == "RefuseManualStop=yes" {
			return r.endUnit(c.Unit)
		}
	}
	if _, err := r.run("systemctl", "--no-ask-password", verb, c.Unit); err != nil {
		return fmt.Errorf("%s: %w", c.Unit, err)
	}
	return nil
}

// endUnit ends a service that systemd is not to stop when it is asked to, such as RHEL's auditd: by the signal that it would send it.
func (r *Repairer) endUnit(name string) error {
	if _, err := r.run("systemctl", "--no-ask-password", "kill", "--kill-who=main", name); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for deadline := time.Now().Add(longestProgram); ; time.Sleep(betweenLooks) {
		state, err := r.unitState(name)
		if err != nil || state == unitStops {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: found it running %v after it was told to end", name, longestProgram)
		}
	}
}

// betweenLooks is how long is waited before a service that ends is looked at once more.
const betweenLooks = 50 * time.Millisecond

// hasSystemd reports whether services can be asked for: on this host, where systemd runs.
func (r *Repairer) hasSystemd() bool {
	_, err := os.Stat("/run/systemd/system")
	return r.root == "/" && err == nil
}

// longestProgram is how long a program may take that checks or reloads: systemd gives a service 90 seconds to start.
const longestProgram = 2 * time.Minute

// programDirs are where the programs of a host are.
var programDirs = []string{"/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// errNoProgram says that the host has no such program.
var errNoProgram = errors.New("the program is not installed")

// run runs a program of the host, in the host's root, and gives what it writes.
func (r *Repairer) run(name string, args ...string) (string, error) {
	i := slices.IndexFunc(programDirs, func(dir string) bool { return r.executable(filepath.Join(dir, name)) })
	if i < 0 {
		return "", fmt.Errorf("%s: %w", name, errNoProgram)
	}
	ctx, cancel := context.WithTimeout(context.Background(), longestProgram)
	defer cancel()
	command := exec.CommandContext(ctx, filepath.Join(programDirs[i], name), args...)
	command.Dir, command.Env = "/", []string{"PATH=" + strings.Join(programDirs, ":"), "LC_ALL=C"}
	command.WaitDelay = time.Second
	if r.root != "/" {
		command.SysProcAttr = &syscall.SysProcAttr{Chroot: string(r.root)}
	}
	output, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(output)))
	}
	return string(output), nil
}

func (r *Repairer) executable(path string) bool {
	resolved, err := r.root.resolve(path)
	if err != nil {
		return false
	}
	info, err := os.Stat(r.root.full(resolved))
	return err == nil && info.Mode().IsRegular() && info.Mode()&fs.FileMode(0o111) != 0
}

// mountOptions gives the options of what is mounted on a path, in order.
func (r *Repairer) mountOptions(path string) (string, error) {
	mounts, err := hostconf.New(string(r.root)).Mounts()
	if err != nil {
		return "", err
	}
	for _, m := range mounts {
		if m.Path == path && m.Mounted {
			return joinOptions(m.Options), nil
		}
	}
	return "", fmt.Errorf("%s: found nothing mounted there, expected a file system", path)
}

func joinOptions(options []string) string {
	options = slices.Clone(options)
	slices.Sort(options)
	return strings.Join(slices.Compact(options), ",")
}
