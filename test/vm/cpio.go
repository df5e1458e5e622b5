// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// archive writes a cpio archive in the "newc" format, which the kernel unpacks
// into its first root file system. Parent directories are made as needed.
type archive struct {
	w     io.Writer
	inode uint32
	have  map[string]bool
}

const (
	modeType    = 0o170000
	modeDir     = 0o040000
	modeRegular = 0o100000
	modeLink    = 0o120000
	trailer     = "TRAILER!!!"
)

func newArchive(w io.Writer) *archive {
	return &archive{w: w, have: map[string]bool{".": true, "/": true}}
}

func (a *archive) header(name string, mode, size uint32) error {
	a.inode++
	links := uint32(1)
	if mode&modeType == modeDir {
		links = 2
	}
	// The fields: inode, mode, uid, gid, links, mtime, size, the device and
	// the special file's device (major, minor each), length of the name, check.
	_, err := fmt.Fprintf(a.w, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		a.inode, mode, 0, 0, links, 0, size, 0, 0, 0, 0, len(name)+1, 0, name)
	if err != nil {
		return err
	}
	return a.pad(110 + len(name) + 1)
}

func (a *archive) pad(written int) error {
	_, err := a.w.Write(make([]byte, (4-written%4)%4))
	return err
}

// dir makes a directory and its parents with mode 0755.
func (a *archive) dir(name string) error {
	name = path.Clean("/" + name)[1:]
	if name == "" || a.have[name] {
		return nil
	}
	if err := a.dir(path.Dir(name)); err != nil {
		return err
	}
	a.have[name] = true
	return a.header(name, modeDir|0o755, 0)
}

// bytes writes a regular file.
func (a *archive) bytes(name string, perm fs.FileMode, content []byte) error {
	if err := a.dir(path.Dir(name)); err != nil {
		return err
	}
	if err := a.header(path.Clean("/" + name)[1:], modeRegular|uint32(perm.Perm()), uint32(len(content))); err != nil {
		return err
	}
	if _, err := a.w.Write(content); err != nil {
		return err
	}
	return a.pad(len(content))
}

func (a *archive) symlink(name, target string) error {
	if err := a.dir(path.Dir(name)); err != nil {
		return err
	}
	if err := a.header(path.Clean("/" + name)[1:], modeLink|0o777, uint32(len(target))); err != nil {
		return err
	}
	if _, err := io.WriteString(a.w, target); err != nil {
		return err
	}
	return a.pad(len(target))
}

// file copies a file of this host.
func (a *archive) file(name, source string) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	return a.bytes(name, info.Mode(), content)
}

// tree copies a directory of this host with all that is in it.
func (a *archive) tree(name, source string) error {
	return filepath.WalkDir(source, func(p string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(source, p)
		if err != nil {
			return err
		}
		to := path.Join(name, filepath.ToSlash(rel))
		switch {
		case entry.IsDir():
			return a.dir(to)
		case entry.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			return a.symlink(to, target)
		case entry.Type().IsRegular():
			return a.file(to, p)
		default:
			return nil
		}
	})
}

func (a *archive) close() error { return a.header(trailer, 0, 0) }
