// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package ebpfreceiver

import (
	"path"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/optional"
	"github.com/vedette-sec/vedette/internal/process"
	"github.com/vedette-sec/vedette/internal/sensor"
)

// namesOf gives the path of a file record, and what a rename or link came from or a link leads to, both
// complete: a system call may pass them relative to a directory.
func namesOf(e *bpf.SensorFileEvent, s sensor.FileStrings) (name, other string) {
	name, other = text(s.Path), text(s.Path2)
	if e.Flags&uint32(bpf.SensorFileFlagsFILE_USER_PATH) != 0 {
		name = join(text(s.Base), name)
		if e.Mode&unix.S_IFMT != unix.S_IFLNK && other != "" {
			other = join(text(s.Base2), other)
		}
	}
	return name, other
}

func (b *logBuilder) file(kind string, at time.Time, p *process.Process, e *bpf.SensorFileEvent, s sensor.FileStrings) {
	attrs, ok := b.record(kind, at, p)
	if !ok {
		return
	}
	name, other := namesOf(e, s)
	putPath(attrs, name, e.Inode)
	optional.PutStr(attrs, event.AttrFileType, fileType(kind, e.Mode, other))
	if e.Path.Truncated != 0 || e.Base.Truncated != 0 && e.Base.Len > 0 {
		attrs.PutBool(event.AttrFilePathTruncated, true)
	}
	if kind == event.KindFileCreate && e.Mode&unix.S_IFMT == unix.S_IFLNK {
		optional.PutStr(attrs, event.AttrFileTargetPath, other)
	} else {
		optional.PutStr(attrs, event.AttrFileOriginalPath, other)
	}
	if kind == event.KindFileOpen || kind == event.KindFileAccess || kind == event.KindFileCreate && e.OpenFlags != 0 {
		optional.PutStrs(attrs, event.AttrFileFlags, openFlags(e.OpenFlags))
	}
	putOutcome(attrs, e.Ret, e.Flags)
}

// putPath writes what a file is called and, where it is known, its inode.
func putPath(attrs pcommon.Map, name string, inode uint64) {
	directory, base := path.Split(name)
	attrs.PutStr(event.AttrFilePath, name)
	attrs.PutStr(event.AttrFileName, base)
	if len(directory) > 1 {
		directory = strings.TrimSuffix(directory, "/")
	}
	optional.PutStr(attrs, event.AttrFileDirectory, directory)
	if inode != 0 {
		attrs.PutStr(event.AttrFileInode, strconv.FormatUint(inode, 10))
	}
}

// text makes an attribute of a name, which may be any bytes: attributes are UTF-8.
func text[T string | []byte](name T) string { return strings.ToValidUTF8(string(name), "\uFFFD") }

// join completes what user space passed to a system call. Symbolic links in it are as they are written.
func join(base, name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join(base, name)
}

func fileType(kind string, mode uint32, other string) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return "dir"
	case unix.S_IFLNK:
		return "symlink"
	case unix.S_IFIFO:
		return "fifo"
	case unix.S_IFSOCK:
		return "socket"
	case unix.S_IFBLK, unix.S_IFCHR:
		return "device"
	}
	if kind == event.KindFileCreate && other != "" {
		return "link"
	}
	if mode&unix.S_IFMT == unix.S_IFREG {
		return "file"
	}
	return ""
}

func openFlags(flags uint32) []string {
	var names []string
	switch flags & unix.O_ACCMODE {
	case unix.O_RDONLY:
		names = append(names, "read")
	case unix.O_WRONLY:
		names = append(names, "write")
	default:
		names = append(names, "read", "write")
	}
	for _, f := range []struct {
		bit  uint32
		name string
	}{{unix.O_APPEND, "append"}, {unix.O_TRUNC, "truncate"}, {unix.O_CREAT, "create"}} {
		if flags&f.bit != 0 {
			names = append(names, f.name)
		}
	}
	return names
}
