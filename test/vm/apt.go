// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vedette-sec/vedette/test/internal/debian"
)

// debianPackage is a downloaded package, with those that newer kernels keep their files in.
type debianPackage struct {
	name, version string
	files         []string
}

const kernelMetaPackage = "linux-image-cloud-amd64"

// apt runs apt's commands on lists of its own. The host's proxies and
// transports hold; its sources, lists and caches are neither used nor changed.
type apt struct {
	dir     string
	options []string
}

// downloadKernel puts the newest cloud kernel of a Debian release below dir.
func downloadKernel(ctx context.Context, dir, line, release string) (debianPackage, error) {
	archives, err := debian.Archives(ctx)
	if err != nil {
		return debianPackage{}, err
	}
	a, err := newApt(dir, debian.SourcesList(archives, release))
	if err != nil {
		return debianPackage{}, err
	}
	// A suite that the mirror has dropped is no harm as long as another one
	// has the kernel.
	_, updateErr := a.run(ctx, "apt-get", "update")
	depends, err := a.run(ctx, "apt-cache", "depends", "--important", kernelMetaPackage)
	if err != nil {
		return debianPackage{}, errors.Join(updateErr, err)
	}
	name, err := kernelPackage(depends, line)
	if err != nil {
		return debianPackage{}, errors.Join(updateErr, err)
	}
	if depends, err = a.run(ctx, "apt-cache", "depends", "--important", name); err != nil {
		return debianPackage{}, err
	}
	pkg := debianPackage{name: name}
	for _, one := range append([]string{name}, kernelParts(depends)...) {
		if _, err := a.run(ctx, "apt-get", "download", one); err != nil {
			return debianPackage{}, err
		}
		if err := a.addTo(ctx, &pkg, one); err != nil {
			return debianPackage{}, err
		}
	}
	return pkg, nil
}

// newApt makes the private directories. They are open to all, because apt
// downloads as a user of its own.
func newApt(dir, sources string) (apt, error) {
	for _, sub := range []string{"", "lists/partial", "cache/archives/partial", "parts"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return apt{}, err
		}
	}
	list := filepath.Join(dir, "sources.list")
	if err := os.WriteFile(list, []byte(sources), 0o644); err != nil {
		return apt{}, err
	}
	parts := filepath.Join(dir, "parts")
	return apt{dir: dir, options: []string{
		"-q",
		"-o", "APT::Architecture=amd64",
		"-o", "Dir::Etc::SourceList=" + list,
		"-o", "Dir::Etc::SourceParts=" + parts,
		"-o", "Dir::Etc::Preferences=" + filepath.Join(parts, "none"),
		"-o", "Dir::Etc::PreferencesParts=" + parts,
		"-o", "Dir::State::Lists=" + filepath.Join(dir, "lists"),
		"-o", "Dir::Cache=" + filepath.Join(dir, "cache"),
		"-o", "Acquire::Languages=none",
	}}, nil
}

func (a apt) run(ctx context.Context, command string, args ...string) (string, error) {
	var complaints strings.Builder
	cmd := exec.CommandContext(ctx, command, append(slices.Clone(a.options), args...)...)
	cmd.Dir = a.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", command, strings.Join(args, " "), err, strings.TrimSpace(complaints.String()))
	}
	return string(out), nil
}

// kernelPackage finds the kernel that the meta package depends on.
func kernelPackage(depends, line string) (string, error) {
	for entry := range strings.Lines(depends) {
		name, ok := strings.CutPrefix(strings.TrimSpace(entry), "Depends: ")
		of, isKernel := strings.CutPrefix(name, "linux-image-")
		if ok && isKernel && (line == newest || strings.HasPrefix(of, line+".")) {
			return name, nil
		}
	}
	return "", fmt.Errorf("%s depends on no kernel %s, but says: %s", kernelMetaPackage, line, strings.TrimSpace(depends))
}

// kernelParts are the packages with the files of a kernel, since they are not in its own.
func kernelParts(depends string) []string {
	var parts []string
	for entry := range strings.Lines(depends) {
		name, ok := strings.CutPrefix(strings.TrimSpace(entry), "Depends: ")
		if ok && (strings.HasPrefix(name, "linux-binary-") || strings.HasPrefix(name, "linux-modules-")) {
			parts = append(parts, name)
		}
	}
	return parts
}

// addTo adds a downloaded package to the files of another.
func (a apt) addTo(ctx context.Context, pkg *debianPackage, name string) error {
	files, err := filepath.Glob(filepath.Join(a.dir, name+"_*.deb"))
	if err != nil || len(files) != 1 {
		return fmt.Errorf("found %d files for %s in %s, expected 1", len(files), name, a.dir)
	}
	version, err := exec.CommandContext(ctx, "dpkg-deb", "-f", files[0], "Version").Output()
	if err != nil {
		return fmt.Errorf("read the version of %s: %w", files[0], err)
	}
	pkg.version = strings.TrimSpace(string(version))
	pkg.files = append(pkg.files, files[0])
	return nil
}
