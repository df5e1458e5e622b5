// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/test/internal/debian"
)

// unfinishedSuffix marks a root that is being built.
const unfinishedSuffix = ".unfinished"

// release is the Debian release whose everyday work is recorded.
const release = "trixie"

// setupScript puts the packages into a new root and makes the server of it.
//
//go:embed setup.sh
var setupScript string

// serverRoot is a Debian system in the cache, never run itself but copied for each recording.
type serverRoot struct {
	dir      string   // the root
	archives []string // where its packages came from, which must not be in a recording
}

// prepareRoot gives the root from the cache, or builds it where the cache lacks it or it was built in
// another way.
func prepareRoot(ctx context.Context) (serverRoot, error) {
	cache, err := debian.CacheDir("recording")
	if err != nil {
		return serverRoot{}, err
	}
	archives, err := debian.Archives(ctx)
	if err != nil {
		return serverRoot{}, err
	}
	// The key covers all that decides what is in the root; the archives' content is whatever they had.
	sum := sha256.Sum256([]byte(release + setupScript))
	r := serverRoot{dir: filepath.Join(cache, release+"-"+hex.EncodeToString(sum[:6])), archives: archives}
	if _, err := os.Stat(r.dir); err == nil {
		return r, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return serverRoot{}, err
	}
	// A root that is built to the end only gets the name under which it is looked for.
	unfinished := r.dir + unfinishedSuffix
	if err := os.RemoveAll(unfinished); err != nil {
		return serverRoot{}, err
	}
	fmt.Printf("building a root with Debian %s in %s\n", release, r.dir)
	if err := buildRoot(ctx, unfinished, archives); err != nil {
		return serverRoot{}, fmt.Errorf("build the root: %w", err)
	}
	return r, os.Rename(unfinished, r.dir)
}

func buildRoot(ctx context.Context, root string, archives []string) error {
	uri, err := debian.Main(archives)
	if err != nil {
		return err
	}
	log, err := os.Create(strings.TrimSuffix(root, unfinishedSuffix) + ".log")
	if err != nil {
		return err
	}
	defer log.Close()
	bootstrap := exec.CommandContext(ctx, "debootstrap", "--variant=minbase", "--keyring="+debian.Keyring, release, root, uri)
	bootstrap.Stdout, bootstrap.Stderr = log, log
	if err := bootstrap.Run(); err != nil {
		return fmt.Errorf("debootstrap, see %s: %w", log.Name(), err)
	}
	list := filepath.Join(root, "etc/apt/sources.list")
	if err := os.WriteFile(list, []byte(debian.SourcesList(archives, release)), 0o644); err != nil {
		return err
	}
	if err := copyProxy(ctx, root); err != nil {
		return err
	}
	if err := inRoot(ctx, root, log); err != nil {
		return fmt.Errorf("set up the server, see %s: %w", log.Name(), err)
	}
	return nil
}

// inRoot runs the set-up with the host's network and name service, and without services.
func inRoot(ctx context.Context, root string, log *os.File) (err error) {
	resolv, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(root, "etc/resolv.conf"), resolv, 0o644); err != nil {
		return err
	}
	proc := filepath.Join(root, "proc")
	if err := unix.Mount("proc", proc, "proc", 0, ""); err != nil {
		return fmt.Errorf("mount %s: %w", proc, err)
	}
	defer func() { err = errors.Join(err, unix.Unmount(proc, unix.MNT_DETACH)) }()
	cmd := exec.CommandContext(ctx, "chroot", root, "/bin/bash", "-s")
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", "HOME=/root"}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(setupScript), log, log
	return cmd.Run()
}

// hostProxy is the file in the root that lets its apt use the host's proxy. The set-up removes it.
const hostProxy = "etc/apt/apt.conf.d/99host-proxy"

func copyProxy(ctx context.Context, root string) error {
	out, err := exec.CommandContext(ctx, "apt-config", "dump", "--format", "%F \"%v\";%n", "Acquire::http", "Acquire::https").Output()
	if err != nil {
		return fmt.Errorf("ask apt for its proxy (`apt-config dump`): %w", err)
	}
	return os.WriteFile(filepath.Join(root, hostProxy), out, 0o644)
}
