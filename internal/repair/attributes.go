// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// xattrs are the calls for the extended attributes of one file.
type xattrs struct {
	name   string
	list   func(dest []byte) (int, error)
	get    func(attr string, dest []byte) (int, error)
	set    func(attr string, value []byte) error
	remove func(attr string) error
}

// xattrsAt are those of a path, of a link itself where there is one.
func xattrsAt(full string) xattrs {
	return xattrs{
		name:   full,
		list:   func(dest []byte) (int, error) { return unix.Llistxattr(full, dest) },
		get:    func(attr string, dest []byte) (int, error) { return unix.Lgetxattr(full, attr, dest) },
		set:    func(attr string, value []byte) error { return unix.Lsetxattr(full, attr, value, 0) },
		remove: func(attr string) error { return unix.Lremovexattr(full, attr) },
	}
}

// xattrsOf are those of an open file, whatever its path leads to by now.
func xattrsOf(f *os.File) xattrs {
	fd := int(f.Fd())
	return xattrs{
		name:   f.Name(),
		list:   func(dest []byte) (int, error) { return unix.Flistxattr(fd, dest) },
		get:    func(attr string, dest []byte) (int, error) { return unix.Fgetxattr(fd, attr, dest) },
		set:    func(attr string, value []byte) error { return unix.Fsetxattr(fd, attr, value, 0) },
		remove: func(attr string) error { return unix.Fremovexattr(fd, attr) },
	}
}

// changeAttributes gives a file or directory that is there other attributes. It is opened first and compared then, so that nobody who may
// write a directory on the way can put something else in its place.
func (r *Repairer) changeAttributes(c Change) error {
	f, err := r.root.open(c.Path)
	if err != nil {
		return fmt.Errorf("opening %s: %w", c.Path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	now := *c.Before
	now.Mode, now.Type = modeBits(info.Mode()), typeOf(info.Mode())
	now.UID, now.GID = owners(info)
	if now.Xattrs, err = readXattrs(xattrsOf(f)); err != nil {
		return err
	}
	if !now.is(*c.Before) && !now.between(*c.Before, *c.After) {
		return fmt.Errorf("%s: %w", c, errForeign)
	}
	if now.UID != c.After.UID || now.GID != c.After.GID {
		if err := f.Chown(c.After.UID, c.After.GID); err != nil {
			return err
		}
	}
	return errors.Join(setXattrs(xattrsOf(f), c.After.Xattrs), f.Chmod(fileMode(c.After.Mode)))
}

// setAttributes gives a file or directory its owner, extended attributes and mode. The mode comes last: a new owner takes bits away,
// and an access control list sets some.
func setAttributes(full string, want State) error {
	info, err := os.Lstat(full)
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return fmt.Errorf("%s: found a link, expected a file or directory", full)
	}
	if uid, gid := owners(info); uid != want.UID || gid != want.GID {
		if err := os.Lchown(full, want.UID, want.GID); err != nil {
			return err
		}
	}
	if err := setXattrs(xattrsAt(full), want.Xattrs); err != nil {
		return err
	}
	info, err = os.Lstat(full)
	if err != nil || modeBits(info.Mode()) == want.Mode {
		return err
	}
	return os.Chmod(full, fileMode(want.Mode))
}

// setXattrs gives what is at a path or behind a file the extended attributes that it is to have.
func setXattrs(of xattrs, want map[string][]byte) error {
	have, err := readXattrs(of)
	if err != nil {
		return err
	}
	for name := range have {
		if _, wanted := want[name]; wanted || name == selinuxLabel {
			continue
		}
		if err := of.remove(name); err != nil && !errors.Is(err, unix.ENODATA) {
			return fmt.Errorf("removing the extended attribute %s of %s: %w", name, of.name, err)
		}
	}
	for name, value := range want {
		if old, ok := have[name]; ok && bytes.Equal(old, value) {
			continue
		}
		if err := of.set(name, value); err != nil {
			return fmt.Errorf("setting the extended attribute %s of %s: %w", name, of.name, err)
		}
	}
	return nil
}
