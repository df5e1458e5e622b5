// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vault

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func fd(file *os.File) int { return int(file.Fd()) }

// openDirectory opens a directory; resolve may forbid symbolic links on the way.
func openDirectory(path string, resolve uint64) (*os.File, error) {
	number, err := unix.Openat2(unix.AT_FDCWD, path, &unix.OpenHow{
		Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: resolve,
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(number), path), nil
}

// openRegular opens a regular file that has the inode; any when that is 0.
func openRegular(directory *os.File, name string, inode uint64) (*os.File, error) {
	path := directory.Name() + "/" + name
	// Not to block on a fifo that somebody put there.
	number, err := unix.Openat(fd(directory), name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOATIME, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, refused("%s is a symbolic link", path)
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	file := os.NewFile(uintptr(number), path)
	var stat unix.Stat_t
	err = unix.Fstat(number, &stat)
	switch {
	case err != nil:
	case stat.Mode&unix.S_IFMT != unix.S_IFREG:
		err = refused("%s is no regular file", path)
	case inode != 0 && stat.Ino != inode:
		err = refused("%s is another file by now: found inode %d, expected %d", path, stat.Ino, inode)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// sameInode tells whether a name still means the described file.
func sameInode(directory *os.File, name string, meta *Meta) error {
	var stat unix.Stat_t
	if err := unix.Fstatat(fd(directory), name, &stat, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if stat.Ino != meta.Inode || stat.Dev != meta.Device {
		return refused("%s was replaced by another file", meta.Path)
	}
	return nil
}

func describe(file *os.File, meta *Meta) error {
	var stat unix.Stat_t
	if err := unix.Fstat(fd(file), &stat); err != nil {
		return err
	}
	meta.Inode, meta.Device, meta.Links, meta.Size = stat.Ino, stat.Dev, stat.Nlink, stat.Size
	meta.Mode, meta.UID, meta.GID = stat.Mode&0o7777, stat.Uid, stat.Gid
	meta.Accessed, meta.Modified = time.Unix(stat.Atim.Unix()).UTC(), time.Unix(stat.Mtim.Unix()).UTC()
	var err error
	meta.XAttrs, err = readXAttrs(fd(file))
	return err
}

func readXAttrs(number int) (map[string][]byte, error) {
	size, err := unix.Flistxattr(number, nil)
	if errors.Is(err, unix.ENOTSUP) || err == nil && size == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the extended attributes: %w", err)
	}
	list := make([]byte, size)
	if size, err = unix.Flistxattr(number, list); err != nil {
		return nil, fmt.Errorf("list the extended attributes: %w", err)
	}
	all := map[string][]byte{}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list[:size]), "\x00"), "\x00") {
		value := make([]byte, 64<<10) // the kernel's limit
		n, err := unix.Fgetxattr(number, name, value)
		if err != nil {
			return nil, fmt.Errorf("read the extended attribute %s: %w", name, err)
		}
		all[name] = value[:n]
	}
	return all, nil
}

// dress gives the file what it had. The order matters: to change the owner clears modes and
// capabilities, and to write anything sets times.
func dress(directory *os.File, name string, meta Meta) error {
	number, err := unix.Openat(fd(directory), name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(number)
	if err := unix.Fchown(number, int(meta.UID), int(meta.GID)); err != nil {
		return err
	}
	if err := unix.Fchmod(number, meta.Mode); err != nil {
		return err
	}
	for name, value := range meta.XAttrs {
		if err := unix.Fsetxattr(number, name, value, 0); err != nil {
			return fmt.Errorf("set the extended attribute %s: %w", name, err)
		}
	}
	times := []unix.Timespec{unix.NsecToTimespec(meta.Accessed.UnixNano()), unix.NsecToTimespec(meta.Modified.UnixNano())}
	if err := unix.UtimesNanoAt(fd(directory), name, times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	return unix.Fsync(number)
}

func digest(file *os.File) (string, error) {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// copyTo copies the file to a new one and brings it to disk. It returns the SHA-256 of what it copied.
func copyTo(file *os.File, path string) (string, error) {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(to, h), io.LimitReader(file, MaxCopy))
	if err = errors.Join(err, to.Sync(), to.Close()); err != nil {
		return "", errors.Join(err, os.Remove(path))
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func syncDirectory(directory *os.File) error {
	// Some file systems have no such call for directories.
	if err := directory.Sync(); err != nil && !errors.Is(err, unix.EINVAL) {
		return err
	}
	return nil
}
