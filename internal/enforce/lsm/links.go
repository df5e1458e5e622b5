// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

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
	var stat unix.Stat_t
	if err := unix.Lstat(p.Base, &stat); err != nil {
		return ignoreGone(err)
	}
	c.addLink(p.Base, stat)
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

// noted is what the kernel noted of files that got a name while a set was in force, in terms of another set: a link that was allowed
// just before this one's files were looked for may have been made just after.
func (c *compiled) noted(old *loaded, links map[inode]ruleSet) {
	bits := map[ruleName]int{}
	for _, r := range c.rules {
		bits[r.name()] = r.bit
	}
	for key, found := range links {
		set := c.links[key]
		for _, r := range old.rules {
			if bit, ok := bits[r.name()]; ok && found[r.bit/64]>>(r.bit%64)&1 != 0 {
				set.add(bit)
			}
		}
		if set != (ruleSet{}) {
			c.links[key] = set
		}
	}
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
