// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// cachePurpose names the part of the cache where the kernels are kept.
const cachePurpose = "kernels"

// kernel is an unpacked kernel in the cache.
type kernel struct {
	// Line is the kernel's line, such as "6.1".
	Line string
	// Release is what uname -r will say.
	Release string
	// Version is the version of the Debian package.
	Version string
	// Modules are the modules that were unpacked with it.
	Modules []string

	dir string
}

func (k kernel) vmlinuz() string { return filepath.Join(k.dir, "vmlinuz") }

// root is a tree to put into the initramfs: lib/modules/<release>.
func (k kernel) root() string { return filepath.Join(k.dir, "root") }

// modules are what the guests can load on demand: file systems and devices for
// containers, network namespaces and socket listings. All else that tests need
// is built into the kernels.
var modules = []string{"overlay", "loop", "veth", "dummy", "inet_diag", "tcp_diag"}

// debianRelease tells which Debian release a kernel line belongs to.
var debianRelease = map[string]string{
	"5.10": "bullseye",
	"6.1":  "bookworm",
	"6.12": "trixie",
	newest: "sid",
}

// newest is the line of whatever kernel Debian has last. All tests run there when it is asked for; else it is booted in brief: another one
// comes every few weeks, and what it breaks is to be seen before hosts have it.
const newest = "newest"

// What is booted unless asked otherwise, and all that can be.
const (
	usualLines = "5.10,6.1,6.12"
	allLines   = usualLines + "," + newest
)

// cachedKernel returns fs.ErrNotExist when the cache lacks the kernel or one
// of the modules.
func cachedKernel(cache, line string) (kernel, error) {
	dir := filepath.Join(cache, line)
	content, err := os.ReadFile(filepath.Join(dir, "kernel.json"))
	if err != nil {
		return kernel{}, err
	}
	k := kernel{dir: dir}
	if err := json.Unmarshal(content, &k); err != nil {
		return kernel{}, fmt.Errorf("read %s/kernel.json: %w", dir, err)
	}
	if !slices.Equal(k.Modules, modules) {
		return kernel{}, fmt.Errorf("%s holds other modules: %w", dir, fs.ErrNotExist)
	}
	return k, nil
}

// getKernel returns the kernel of a line from the cache, or downloads the
// newest one when the cache lacks it or update is set.
func getKernel(ctx context.Context, cache, line string, update bool) (kernel, error) {
	if !update {
		k, err := cachedKernel(cache, line)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return k, err
		}
	}
	release, ok := debianRelease[line]
	if !ok {
		return kernel{}, fmt.Errorf("found kernel %q, expected one of %s", line, allLines)
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return kernel{}, err
	}
	work, err := os.MkdirTemp(cache, ".download-")
	if err != nil {
		return kernel{}, err
	}
	defer os.RemoveAll(work)
	// apt downloads as a user of its own, who has to reach the directory.
	if err := os.Chmod(work, 0o755); err != nil {
		return kernel{}, err
	}
	fmt.Printf("%-5s downloading the newest kernel of Debian %s\n", line, release)
	pkg, err := downloadKernel(ctx, filepath.Join(work, "apt"), line, release)
	if err != nil {
		return kernel{}, fmt.Errorf("download kernel %s: %w", line, err)
	}
	if err := unpackKernel(ctx, pkg, work, line); err != nil {
		return kernel{}, fmt.Errorf("unpack kernel %s: %w", line, err)
	}
	if err := replaceDir(filepath.Join(work, "kernel"), filepath.Join(cache, line)); err != nil {
		return kernel{}, err
	}
	return cachedKernel(cache, line)
}

func replaceDir(from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	return os.Rename(from, to)
}

// unpackKernel makes work/kernel from the package.
func unpackKernel(ctx context.Context, pkg debianPackage, work, line string) error {
	full := filepath.Join(work, "full")
	for _, file := range pkg.files {
		if err := output(exec.CommandContext(ctx, "dpkg-deb", "-x", file, full)); err != nil {
			return err
		}
	}
	release := strings.TrimPrefix(pkg.name, "linux-image-")
	to := filepath.Join(work, "kernel")
	k := kernel{Line: line, Release: release, Version: pkg.version, Modules: modules, dir: to}
	if err := os.MkdirAll(k.root(), 0o755); err != nil {
		return err
	}
	err := os.Rename(filepath.Join(full, "boot", "vmlinuz-"+release), k.vmlinuz())
	if errors.Is(err, fs.ErrNotExist) { // newer ones are beside their modules
		err = os.Rename(filepath.Join(full, "usr", "lib", "modules", release, "vmlinuz"), k.vmlinuz())
	}
	if err != nil {
		return err
	}
	if err := unpackModules(ctx, full, k); err != nil {
		return err
	}
	content, err := json.Marshal(k)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, "kernel.json"), content, 0o644)
}

// unpackModules keeps the wanted modules, uncompressed, with the indices that
// let the guest's modprobe, and so the kernel itself, load them on demand.
func unpackModules(ctx context.Context, full string, k kernel) error {
	found, err := findModules(full)
	if err != nil {
		return err
	}
	dir := filepath.Join(k.root(), "lib", "modules", k.Release)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range modules {
		file, ok := found[name]
		if !ok {
			return fmt.Errorf("the package has no module %s", name)
		}
		if err := unpackModule(ctx, file, filepath.Join(dir, name+".ko")); err != nil {
			return err
		}
	}
	return output(exec.CommandContext(ctx, "busybox", "depmod", "-b", k.root(), k.Release))
}

func findModules(full string) (map[string]string, error) {
	found := make(map[string]string)
	err := filepath.WalkDir(full, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name, _, ok := strings.Cut(entry.Name(), ".ko"); ok {
			found[strings.ReplaceAll(name, "-", "_")] = path
		}
		return nil
	})
	return found, err
}

func unpackModule(ctx context.Context, from, to string) error {
	if !strings.HasSuffix(from, ".xz") {
		return os.Rename(from, to)
	}
	var complaints strings.Builder
	cmd := exec.CommandContext(ctx, "xz", "-dc", from)
	cmd.Stderr = &complaints
	content, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("xz -dc %s: %w: %s", from, err, complaints.String())
	}
	return os.WriteFile(to, content, 0o644)
}

// output runs a command and returns what it printed only as part of an error.
func output(cmd *exec.Cmd) error {
	printed, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(string(printed)))
	}
	return nil
}
