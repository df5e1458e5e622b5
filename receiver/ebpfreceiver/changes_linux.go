// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package ebpfreceiver

import (
	"fmt"
	"path"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/optional"
	"github.com/vedette-sec/vedette/internal/process"
	"github.com/vedette-sec/vedette/internal/sensor"
)

// setID describes a change of users and groups; p has the new ones already.
func (b *logBuilder) setID(at time.Time, p *process.Process, e *bpf.SensorSetidEvent) {
	attrs, ok := b.record(event.KindProcessSetid, at, p)
	if !ok {
		return
	}
	for _, id := range []struct {
		name  string
		value uint32
	}{
		{event.AttrProcessRealUserID, e.Now.Uid}, {event.AttrProcessSavedUserID, e.Now.Suid},
		{event.AttrProcessGroupID, e.Now.Egid}, {event.AttrProcessRealGroupID, e.Now.Gid}, {event.AttrProcessSavedGroupID, e.Now.Sgid},
		{event.AttrProcessOldUserID, e.Before.Euid}, {event.AttrProcessOldRealUserID, e.Before.Uid},
		{event.AttrProcessOldGroupID, e.Before.Egid}, {event.AttrProcessOldRealGroupID, e.Before.Gid},
	} {
		attrs.PutInt(id.name, int64(id.value))
	}
	attrs.PutStr(event.AttrProcessOldUserName, b.users.Name(e.Before.Euid))
	putOutcome(attrs, 0, e.Flags)
}

var attributeChanges = map[bpf.SensorAttributeChange]string{
	bpf.SensorAttributeChangeATTRIBUTE_MODE:  "mode",
	bpf.SensorAttributeChangeATTRIBUTE_OWNER: "owner",
	bpf.SensorAttributeChangeATTRIBUTE_XATTR: "xattr",
}

// noID is the user or group of a call that leaves it as it is.
const noID = ^uint32(0)

func (b *logBuilder) attributes(at time.Time, p *process.Process, e *bpf.SensorAttributeEvent, s sensor.AttributeStrings) {
	attrs, ok := b.record(event.KindFileAttributes, at, p)
	if !ok {
		return
	}
	putPath(attrs, text(attributedPath(e, s)), e.Inode)
	optional.PutStr(attrs, event.AttrFileType, fileType(event.KindFileAttributes, e.Mode, ""))
	if e.Path.Truncated != 0 || e.Base.Truncated != 0 && e.Base.Len > 0 {
		attrs.PutBool(event.AttrFilePathTruncated, true)
	}
	change := bpf.SensorAttributeChange(e.Change)
	optional.PutStr(attrs, event.AttrFileChange, attributeChanges[change])
	optional.PutStr(attrs, event.AttrFileXattrName, text(s.Name))
	if change == bpf.SensorAttributeChangeATTRIBUTE_MODE {
		attrs.PutStr(event.AttrFileMode, fmt.Sprintf("%04o", e.NewMode))
		optional.PutStrs(attrs, event.AttrFilePrivilegeBits, privilegeBits(e.NewMode))
	}
	if e.Uid != noID {
		attrs.PutStr(event.AttrFileOwnerID, strconv.FormatUint(uint64(e.Uid), 10))
		attrs.PutStr(event.AttrFileOwnerName, b.users.Name(e.Uid))
	}
	if e.Gid != noID {
		attrs.PutStr(event.AttrFileGroupID, strconv.FormatUint(uint64(e.Gid), 10))
	}
	putOutcome(attrs, 0, e.Flags)
}

// attributedPath is the complete path of what was given other attributes.
func attributedPath(e *bpf.SensorAttributeEvent, s sensor.AttributeStrings) string {
	if e.Flags&uint32(bpf.SensorFileFlagsFILE_USER_PATH) != 0 {
		return join(string(s.Base), string(s.Path))
	}
	return string(s.Path)
}

// privilegeBits names the bits of a mode that give the owner's or the group's rights to who runs the file.
func privilegeBits(mode uint32) []string {
	var names []string
	if mode&unix.S_ISUID != 0 {
		names = append(names, "setuid")
	}
	if mode&unix.S_ISGID != 0 {
		names = append(names, "setgid")
	}
	return names
}

func (b *logBuilder) imageLoad(at time.Time, p *process.Process, file string) {
	attrs, ok := b.record(event.KindProcessImageLoad, at, p)
	if !ok {
		return
	}
	attrs.PutStr(event.AttrDllPath, file)
	attrs.PutStr(event.AttrDllName, path.Base(file))
}
