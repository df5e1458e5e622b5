// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/pkg/policy"
)

// addLinks finds the files with several names that rules are about by one of them. Links that are made meanwhile and later the kernel
// notes itself.
func (c *compiled) addLinks() error {
	seen := map[string]bool{}
	for _, r := range c.rules {
		paths, _ := files(r.Rule)
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

func (c *compiled) linksOf(p policy.Path) error {
	if p.Kind != policy.Exact {
		return c.walk(unix.AT_FDCWD, p.Base, p.Base, p.Kind == policy.Tree)
	}
	if err := awaitNames(path.Dir(p.Base)); err != nil {
		return ignoreGone(err)
	}
	var stat unix.Stat_t
	if err := unix.Lstat(p.Base, &stat); err != nil {
		return ignoreGone(err)
	}
	c.addLink(p.Base, stat)
	return nil
}

// awaitNames returns when the names are there that were being made in a directory. The kernel asks whether a name may be made, and makes it,
// under a lock that reading the directory waits for: a link that was allowed before it noted links for this set is seen.
func awaitNames(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Readdirnames(1); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// walk looks at what is in a directory, which is opened from the one above it: paths may be longer than the kernel takes.
func (c *compiled) walk(above int, name, full string, deep bool) error {
	if c.mounts.shows(full) {
		return nil
	}
	fd, err := unix.Openat(above, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return ignoreGone(err)
	}
	dir := os.NewFile(uintptr(fd), full)
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return ignoreGone(err)
	}
	for _, name := range names {
		var stat unix.Stat_t
		err := unix.Fstatat(fd, name, &stat, unix.AT_SYMLINK_NOFOLLOW)
		switch {
		case err != nil:
			err = ignoreGone(err)
		case stat.Mode&unix.S_IFMT != unix.S_IFDIR:
			c.addLink(path.Join(full, name), stat)
		case deep:
			err = c.walk(fd, name, path.Join(full, name), true)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// noted is what the kernel noted of files that got a name while a set was in force, for the rules that are the same in this one. The names that
// other rules are about have been looked for anew, and a file may have none of them.
func (c *compiled) noted(old *loaded, links map[inode]ruleSet) {
	now := map[ruleName]placed{}
	for _, r := range c.rules {
		now[r.name()] = r
	}
	for key, found := range links {
		set := c.links[key]
		for _, r := range old.rules {
			if same, ok := now[r.name()]; ok && sameFiles(r.Rule, same.Rule) && found[r.bit/64]>>(r.bit%64)&1 != 0 {
				set.add(same.bit)
			}
		}
		if set != (ruleSet{}) {
			c.links[key] = set
		}
	}
}

// sameFiles tells whether two rules are about the same names.
func sameFiles(one, other *policy.Rule) bool {
	paths, except := files(one)
	otherPaths, otherExcept := files(other)
	return slices.EqualFunc(paths, otherPaths, samePath) && slices.EqualFunc(except, otherExcept, samePath)
}

func samePath(a, b policy.Path) bool {
	return a.Kind == b.Kind && a.Base == b.Base && a.Pattern == b.Pattern
}

// ignoreGone takes what vanished, or was never there, as having no names.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil
	}
	return fmt.Errorf("look for files with several names: %w", err)
}

func (c *compiled) addLink(name string, stat unix.Stat_t) {
	if stat.Mode&unix.S_IFMT == unix.S_IFDIR || stat.Nlink < 2 {
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
