// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package vault keeps files where nobody can run or read them, and puts them back exactly.
//
// A file is found by name but judged by its inode: it is first given a name that nobody knows, then
// looked at, and only then moved, so that what somebody puts in its place is not taken.
package vault

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// MaxCopy is the largest file, in bytes, that is copied into a vault on another file system.
const MaxCopy = 1 << 30

// ErrRefused is why a file is not moved although it could be: it is not what it should be.
var ErrRefused = errors.New("refused")

func refused(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...))
}

// Meta describes a file in the vault as it was. It is written beside the file as JSON.
type Meta struct {
	ID       string            `json:"id"`
	Path     string            `json:"path"` // directories resolved
	Inode    uint64            `json:"inode"`
	Device   uint64            `json:"device"`
	Mode     uint32            `json:"mode"` // with the set-user-id bit and its likes
	UID      uint32            `json:"uid"`
	GID      uint32            `json:"gid"`
	Size     int64             `json:"size"`
	Links    uint64            `json:"links"` // names the file had
	Accessed time.Time         `json:"accessed"`
	Modified time.Time         `json:"modified"`
	XAttrs   map[string][]byte `json:"xattrs,omitempty"`
	SHA256   string            `json:"sha256"`
	Rule     string            `json:"rule,omitempty"`
	AlertID  string            `json:"alert_id,omitempty"`
	Time     time.Time         `json:"time"` // when it was taken
}

// Vault is a directory of quarantined files.
type Vault struct {
	Directory string
}

// Store moves the file at meta.Path with the inode meta.Inode into the vault. The caller fills
// those, ID, Rule, AlertID and Time; Store returns meta with the rest.
func (v Vault) Store(meta Meta) (Meta, error) {
	if err := v.prepare(); err != nil {
		return meta, err
	}
	directory, err := openDirectory(filepath.Dir(meta.Path), 0)
	if err != nil {
		return meta, err
	}
	defer directory.Close()
	name := filepath.Base(meta.Path)
	file, err := openRegular(directory, name, meta.Inode)
	if err != nil {
		return meta, err
	}
	defer file.Close()
	if meta.Path, err = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", directory.Fd())); err != nil {
		return meta, err
	}
	meta.Path = filepath.Join(meta.Path, name)
	if err := describe(file, &meta); err != nil {
		return meta, err
	}
	hidden := ".vedette-" + meta.ID
	if err := unix.Renameat2(fd(directory), name, fd(directory), hidden, unix.RENAME_NOREPLACE); err != nil {
		return meta, fmt.Errorf("take %s: %w", meta.Path, err)
	}
	if err := v.take(directory, hidden, file, &meta); err != nil {
		return meta, errors.Join(err, putBack(directory, hidden, name))
	}
	return meta, nil
}

// take moves the file under its hidden name into the vault, with its description there first.
func (v Vault) take(directory *os.File, hidden string, file *os.File, meta *Meta) error {
	if err := sameInode(directory, hidden, meta); err != nil {
		return err
	}
	var err error
	if meta.SHA256, err = digest(file); err != nil {
		return err
	}
	if err := v.writeMeta(*meta); err != nil {
		return err
	}
	// To change the mode of a file with further names would change what others use.
	if meta.Links == 1 {
		err = unix.Renameat2(fd(directory), hidden, unix.AT_FDCWD, v.content(meta.ID), unix.RENAME_NOREPLACE)
		if err == nil {
			return v.lock(meta.ID, directory)
		}
	}
	if meta.Links > 1 || errors.Is(err, unix.EXDEV) {
		err = v.copyIn(directory, hidden, file, meta)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("move %s into the vault: %w", meta.Path, err), os.Remove(v.meta(meta.ID)))
	}
	return nil
}

func (v Vault) copyIn(directory *os.File, hidden string, file *os.File, meta *Meta) error {
	if meta.Size > MaxCopy {
		return refused("%d bytes; at most %d are copied", meta.Size, MaxCopy)
	}
	sum, err := copyTo(file, v.content(meta.ID))
	if err == nil && sum != meta.SHA256 {
		err = refused("its content changes")
	}
	if err == nil {
		err = sameInode(directory, hidden, meta)
	}
	if err == nil {
		err = unix.Unlinkat(fd(directory), hidden, 0)
	}
	if err != nil {
		return errors.Join(err, ignoreMissing(os.Remove(v.content(meta.ID))))
	}
	return v.lock(meta.ID, directory)
}

// lock takes all rights from the file in the vault and brings both directories to disk.
func (v Vault) lock(id string, from *os.File) error {
	own, err := os.Open(v.Directory)
	if err != nil {
		return err
	}
	defer own.Close()
	return errors.Join(os.Chown(v.content(id), 0, 0), os.Chmod(v.content(id), 0), own.Sync(), syncDirectory(from))
}

func putBack(directory *os.File, hidden, name string) error {
	err := unix.Renameat2(fd(directory), hidden, fd(directory), name, unix.RENAME_NOREPLACE)
	if err != nil {
		return fmt.Errorf("give %s its name back: %w", hidden, err)
	}
	return nil
}

// Restore puts a file back to where it was, as it was, and forgets it. It refuses when there is a
// file of other content by now.
func (v Vault) Restore(id string) (Meta, error) {
	meta, err := v.Read(id)
	if err != nil {
		return meta, err
	}
	file, err := os.Open(v.content(id))
	if err != nil {
		return meta, err
	}
	defer file.Close()
	if sum, err := digest(file); err != nil || sum != meta.SHA256 {
		return meta, errors.Join(err, refused("the content in the vault is not what was put there"))
	}
	directory, err := openDirectory(filepath.Dir(meta.Path), unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return meta, fmt.Errorf("the directory of %s: %w", meta.Path, err)
	}
	defer directory.Close()
	if err := replaceable(directory, meta); err != nil {
		return meta, err
	}
	if err := v.bringBack(directory, file, meta); err != nil {
		return meta, fmt.Errorf("restore %s: %w", meta.Path, err)
	}
	return meta, errors.Join(ignoreMissing(os.Remove(v.content(id))), os.Remove(v.meta(id)))
}

// bringBack gives the file all it had under a name that nobody knows, and its own name last.
func (v Vault) bringBack(directory, file *os.File, meta Meta) error {
	hidden := ".vedette-" + meta.ID
	err := unix.Renameat2(unix.AT_FDCWD, v.content(meta.ID), fd(directory), hidden, unix.RENAME_NOREPLACE)
	moved := err == nil
	if errors.Is(err, unix.EXDEV) {
		_, err = copyTo(file, fmt.Sprintf("/proc/self/fd/%d/%s", directory.Fd(), hidden))
	}
	if err != nil {
		return err
	}
	err = dress(directory, hidden, meta)
	if err == nil {
		err = unix.Renameat2(fd(directory), hidden, fd(directory), filepath.Base(meta.Path), 0)
	}
	switch {
	case err == nil:
		return syncDirectory(directory)
	case moved:
		return errors.Join(err, unix.Renameat2(fd(directory), hidden, unix.AT_FDCWD, v.content(meta.ID), unix.RENAME_NOREPLACE))
	default:
		return errors.Join(err, unix.Unlinkat(fd(directory), hidden, 0))
	}
}

// replaceable refuses when the file's name is taken by other content.
func replaceable(directory *os.File, meta Meta) error {
	there, err := openRegular(directory, filepath.Base(meta.Path), 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer there.Close()
	sum, err := digest(there)
	if err != nil {
		return err
	}
	if sum != meta.SHA256 {
		return refused("%s exists again with other content", meta.Path)
	}
	return nil
}

// Read returns the description of a file in the vault.
func (v Vault) Read(id string) (Meta, error) {
	content, err := os.ReadFile(v.meta(id))
	if err != nil {
		return Meta{}, err
	}
	var meta Meta
	if err := json.Unmarshal(content, &meta); err != nil {
		return Meta{}, fmt.Errorf("%s: %w", v.meta(id), err)
	}
	return meta, nil
}

// Holds tells whether the vault has the file.
func (v Vault) Holds(id string) bool {
	_, err := os.Lstat(v.content(id))
	return err == nil
}

func (v Vault) prepare() error {
	if err := os.MkdirAll(v.Directory, 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(v.Directory)
	if err != nil {
		return err
	}
	if !info.IsDir() || info.Mode().Perm() != 0o700 {
		return fmt.Errorf("%s: found mode %s, expected a directory with mode 0700", v.Directory, info.Mode())
	}
	return nil
}

func (v Vault) content(id string) string { return filepath.Join(v.Directory, filepath.Base(id)) }
func (v Vault) meta(id string) string    { return v.content(id) + ".json" }

func (v Vault) writeMeta(meta Meta) error {
	content, err := json.MarshalIndent(meta, "", "  ")
	if err != nil {
		return err
	}
	file, err := os.OpenFile(v.meta(meta.ID), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(append(content, '\n'))
	return errors.Join(err, file.Sync(), file.Close())
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
