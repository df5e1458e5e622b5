// SPDX-License-Identifier: Apache-2.0

package securitylogexporter

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/DeRuina/timberjack"
)

const (
	fileMode      = 0o600
	directoryMode = 0o700
)

// noSizeLimit, in MiB, keeps timberjack from rotating by size, which it does in the middle of a
// write and in a way that refuses a write larger than a file. logFile decides when to rotate.
const noSizeLimit = 1 << 40

// backupTime is part of a rotated file's name. It is fine enough that no two have the same.
const backupTime = "2006-01-02T15-04-05.000000"

// logFile appends to a file and begins a new one when it is too large or too old. It is not safe
// for concurrent use.
type logFile struct {
	path     string
	rotation RotationConfig
	now      func() time.Time

	out   *timberjack.Logger // nil after a failure, until the next write
	info  os.FileInfo        // identity of the file that out has open
	size  int64              // its size in bytes after the last write
	begun time.Time          // when the file began; zero while it is empty or that is unknown
}

// openLogFile opens the file, and makes it and its directory where they do not exist. Its error is
// one sentence that names the path and the remedy.
func openLogFile(path string, rotation RotationConfig) (*logFile, error) {
	f := &logFile{path: path, rotation: rotation, now: time.Now}
	if err := f.open(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *logFile) open() error {
	if err := prepare(f.path); err != nil {
		return err
	}
	compression := "none"
	if f.rotation.Compress {
		compression = "gzip"
	}
	f.out = &timberjack.Logger{
		Filename: f.path, FileMode: fileMode, MaxSize: noSizeLimit, BackupTimeFormat: backupTime,
		MaxAge: f.rotation.MaxAgeDays, MaxBackups: f.rotation.MaxBackups, Compression: compression,
	}
	if _, err := f.out.Write(nil); err != nil { // opens the file
		return errors.Join(fmt.Errorf("open the security log %s: %w", f.path, err), f.drop())
	}
	if err := f.identify(); err != nil {
		return errors.Join(err, f.drop())
	}
	if f.size > 0 {
		f.begun = birth(f.path)
	}
	return nil
}

// prepare makes the directory and an empty file, and finds out whether the file can be written. Its
// errors begin with the configuration key that has to change.
func prepare(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), directoryMode); err != nil {
		return fmt.Errorf("directory: the one of the security log %s cannot be made: %w; run as root or name one you may write to", path, err)
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("file_name: the security log %s is a %s, expected a regular file; remove it or choose another name", path, kindOf(info.Mode()))
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, fileMode)
	if err != nil {
		return fmt.Errorf("directory: the security log %s cannot be opened for writing: %w; run as root or name one you may write to", path, err)
	}
	return file.Close()
}

func kindOf(mode fs.FileMode) string {
	if mode.IsDir() {
		return "directory"
	}
	return "special file (" + mode.Type().String() + ")"
}

// write appends whole lines, in a new file where it is time for one. When it fails, the file is as
// it was before.
func (f *logFile) write(lines []byte) error {
	if err := f.ensureCurrent(); err != nil {
		return err
	}
	if err := f.rotate(int64(len(lines))); err != nil {
		return err
	}
	if f.begun.IsZero() {
		f.begun = f.now()
	}
	if _, err := f.out.Write(lines); err != nil {
		// The file is opened anew, because a write to the old descriptor would go on after the cut.
		return errors.Join(fmt.Errorf("write to the security log %s: %w", f.path, err), f.drop(), os.Truncate(f.path, f.size))
	}
	f.size += int64(len(lines))
	return nil
}

// ensureCurrent makes sure that the open file is the one the path names and ends where the last
// write ended. Another program, such as logrotate, may have removed, renamed or cut it.
func (f *logFile) ensureCurrent() error {
	info, err := os.Stat(f.path)
	if f.out != nil && err == nil && os.SameFile(info, f.info) && info.Size() == f.size {
		return nil
	}
	if err := f.drop(); err != nil {
		return err
	}
	return f.open()
}

// rotate begins a new file where adding so many bytes to the present one, or its age, asks for it.
func (f *logFile) rotate(adding int64) error {
	reason := ""
	switch {
	case f.size == 0:
		return nil
	case f.size+adding > int64(f.rotation.MaxSizeMiB)<<20:
		reason = "size"
	case f.rotation.Interval > 0 && !f.begun.IsZero() && f.now().Sub(f.begun) >= f.rotation.Interval:
		reason = "time"
	default:
		return nil
	}
	if err := f.out.RotateWithReason(reason); err != nil {
		return errors.Join(fmt.Errorf("rotate the security log %s: %w", f.path, err), f.drop())
	}
	f.begun = time.Time{}
	return f.identify()
}

func (f *logFile) identify() error {
	info, err := os.Stat(f.path)
	if err != nil {
		return fmt.Errorf("look at the security log: %w", err)
	}
	f.info, f.size = info, info.Size()
	return nil
}

// drop closes the file; the next write opens it again.
func (f *logFile) drop() error {
	if f.out == nil {
		return nil
	}
	err := f.out.Close()
	f.out = nil
	if err != nil {
		return fmt.Errorf("close the security log %s: %w", f.path, err)
	}
	return nil
}

// close brings the file to disk and closes it.
func (f *logFile) close() error {
	if f.out == nil {
		return nil
	}
	if err := f.out.Sync(); err != nil {
		return errors.Join(fmt.Errorf("bring the security log %s to disk: %w", f.path, err), f.drop())
	}
	return f.drop()
}
