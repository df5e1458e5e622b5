// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/vedette-sec/vedette/pkg/policy"
)

// addLinks finds the files with several names that rules are about by one of them. Links that are made later the kernel notes itself.
func (c *compiler) addLinks() error {
	seen := map[string]bool{}
	for _, r := range c.rules {
		paths, _ := r.files()
		for _, p := range paths {
			key := fmt.Sprint(p.Kind, p.Base)
			if seen[key] {
				continue
			}
			seen[key] = true
			if err := c.linksOf(p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *compiler) linksOf(p policy.Path) error {
	if p.Kind == policy.Exact {
		info, err := os.Lstat(p.Base)
		if err != nil {
			return ignoreGone(err)
		}
		c.addLink(p.Base, info)
		return nil
	}
	return filepath.WalkDir(p.Base, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return ignoreGone(err)
		case entry.IsDir() && p.Kind == policy.Glob && name != p.Base:
			return fs.SkipDir
		case entry.IsDir():
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return ignoreGone(err)
		}
		c.addLink(name, info)
		return nil
	})
}

// ignoreGone takes what vanished, or was never there, as having no names.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	return fmt.Errorf("look for files with several names: %w", err)
}

func (c *compiler) addLink(name string, info fs.FileInfo) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || info.IsDir() || stat.Nlink < 2 {
		return
	}
	at := c.mounts.locations(name)
	key := inode{at[len(at)-1].device, stat.Ino}
	set := c.links[key]
	for _, r := range c.rules {
		if r.matches(name) {
			set.add(r.bit)
		}
	}
	c.links[key] = set
}
