// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	securejoin "github.com/cyphar/filepath-securejoin"
)

// root is the root directory of the host that is repaired. Paths are given as the host has them.
type root string

// full gives a path that has no links in it for this program.
func (r root) full(path string) string { return filepath.Join(string(r), path) }

// resolve follows all links in a path, as far as it is there.
func (r root) resolve(path string) (string, error) {
	full, err := securejoin.SecureJoin(string(r), path)
	if err != nil {
		return "", fmt.Errorf("finding %s below %s: %w", path, r, err)
	}
	below, err := filepath.Rel(string(r), full)
	if err != nil {
		return "", fmt.Errorf("finding %s below %s: %w", path, r, err)
	}
	return filepath.Join("/", below), nil
}

// resolveParent follows all links but the last name, which may be a link itself.
func (r root) resolveParent(path string) (string, error) {
	dir, err := r.resolve(filepath.Dir(path))
	return filepath.Join(dir, filepath.Base(path)), err
}

// owner gives whom new files belong to: the root directory's owner.
func (r root) owner() (uid, gid int, err error) {
	info, err := os.Stat(string(r))
	if err != nil {
		return 0, 0, err
	}
	uid, gid = owners(info)
	return uid, gid, nil
}

func owners(info fs.FileInfo) (uid, gid int) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid), int(st.Gid)
	}
	return -1, -1
}

// guardParents refuses paths at which somebody else than root could swap what is there between a look and a change. look gives what is,
// or will be, at a directory.
func guardParents(path string, look func(dir string) (State, error)) error {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		s, err := look(dir)
		switch {
		case err != nil:
			return err
		case s.Type == absent:
		case s.UID != 0 && s.UID != os.Geteuid():
			return fmt.Errorf("%s: found the directory %s that belongs to the number %d, expected one of root's", path, dir, s.UID)
		case s.Mode&0o022 != 0 && s.Mode&0o1000 == 0:
			return fmt.Errorf("%s: found the directory %s that others may write (%04o), expected one that only root may", path, dir, s.Mode)
		}
		if dir == "/" {
			return nil
		}
	}
}

// below reports whether a path is a directory or in it.
func below(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// oneName refuses files that have other names: a new file would take the place of only one of them.
func (r root) oneName(path string) error {
	info, err := os.Lstat(r.full(path))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink > 1 {
		return fmt.Errorf("%s: found a file with %d names, expected one: it would no longer be the same under the others", path, st.Nlink)
	}
	return nil
}
