// SPDX-License-Identifier: Apache-2.0

// Package debian finds the Debian archives that this host is set up with, and where what comes from
// them is kept.
package debian

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Keyring verifies the archives.
const Keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

const securityArchive = "debian-security"

// CacheDir returns where what was downloaded for a purpose is kept. Nothing is made.
func CacheDir(purpose string) (string, error) {
	if dir := os.Getenv("VEDETTE_CACHE_DIR"); dir != "" {
		return filepath.Join(dir, purpose), nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a directory for the %s (or set VEDETTE_CACHE_DIR): %w", purpose, err)
	}
	return filepath.Join(dir, "vedette", purpose), nil
}

// Archives returns the addresses of the Debian archives that the host's apt is set up with.
func Archives(ctx context.Context) ([]string, error) {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages").Output()
	if err != nil {
		return nil, fmt.Errorf("ask apt for its sources (`apt-get indextargets`): %w", err)
	}
	var archives []string
	for uri := range strings.FieldsSeq(string(out)) {
		if isArchive(uri) && !slices.Contains(archives, uri) {
			archives = append(archives, uri)
		}
	}
	if len(archives) == 0 {
		return nil, errors.New("no Debian archive is among the sources of this host's apt")
	}
	return archives, nil
}

// Main returns the one of the archives that holds the releases themselves.
func Main(archives []string) (string, error) {
	for _, uri := range archives {
		if !isSecurity(uri) {
			return uri, nil
		}
	}
	return "", errors.New("among the sources of this host's apt are security archives only")
}

// SourcesList is in the one-line format of sources.list(5).
func SourcesList(archives []string, release string) string {
	var list strings.Builder
	for _, uri := range archives {
		suite := release
		if isSecurity(uri) {
			suite += "-security"
		}
		fmt.Fprintf(&list, "deb [arch=amd64 signed-by=%s] %s %s main\n", Keyring, uri, suite)
	}
	return list.String()
}

// Every mirror keeps the archives' own names at the end of the address.
func isArchive(uri string) bool { return archiveName(uri) == "debian" || isSecurity(uri) }

func isSecurity(uri string) bool { return archiveName(uri) == securityArchive }

func archiveName(uri string) string { return filepath.Base(strings.TrimRight(uri, "/")) }
