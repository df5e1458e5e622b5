// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package fallback

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// fileEvent is one record that fanotify gives, see fanotify(7).
type fileEvent struct {
	mask  uint64
	fd    int32 // of what is opened; FAN_NOFD without one
	id    uint32
	names map[uint8]dirName // by type of the information record
}

// dirName is a name in a directory that is known by its handle.
type dirName struct{ dir, name string }

const (
	metadataLength = 24
	infoHeader     = 4
	fsidLength     = 8
	handleHeader   = 8
)

// parseEvents takes apart what one read gives.
func parseEvents(b []byte) ([]fileEvent, error) {
	var all []fileEvent
	for len(b) > 0 {
		if len(b) < metadataLength {
			return all, fmt.Errorf("found %d bytes, expected the %d of an event", len(b), metadataLength)
		}
		length, head := binary.NativeEndian.Uint32(b), int(binary.NativeEndian.Uint16(b[6:]))
		if b[4] != unix.FANOTIFY_METADATA_VERSION {
			return all, fmt.Errorf("found version %d of fanotify's records, expected %d", b[4], unix.FANOTIFY_METADATA_VERSION)
		}
		if head < metadataLength || int64(length) < int64(head) || int64(length) > int64(len(b)) {
			return all, fmt.Errorf("found an event of %d bytes with a head of %d, expected it within %d", length, head, len(b))
		}
		event := fileEvent{
			mask: binary.NativeEndian.Uint64(b[8:]), fd: int32(binary.NativeEndian.Uint32(b[16:])), id: binary.NativeEndian.Uint32(b[20:]),
		}
		var err error
		if event.names, err = parseInfo(b[head:length]); err != nil {
			return all, err
		}
		all = append(all, event)
		b = b[length:]
	}
	return all, nil
}

// parseInfo reads the information records behind an event's head.
func parseInfo(b []byte) (map[uint8]dirName, error) {
	names := map[uint8]dirName{}
	for len(b) > 0 {
		if len(b) < infoHeader {
			return nil, errors.New("found less than the head of an information record")
		}
		kind, length := b[0], int(binary.NativeEndian.Uint16(b[2:]))
		if length < infoHeader || length > len(b) {
			return nil, fmt.Errorf("found an information record of %d bytes, expected %d to %d", length, infoHeader, len(b))
		}
		switch kind {
		case unix.FAN_EVENT_INFO_TYPE_DFID_NAME, unix.FAN_EVENT_INFO_TYPE_OLD_DFID_NAME, unix.FAN_EVENT_INFO_TYPE_NEW_DFID_NAME:
			name, err := parseName(b[infoHeader:length])
			if err != nil {
				return nil, err
			}
			names[kind] = name
		}
		b = b[length:]
	}
	return names, nil
}

func parseName(b []byte) (dirName, error) {
	if len(b) < fsidLength+handleHeader {
		return dirName{}, errors.New("found less than the head of a file handle")
	}
	size := binary.NativeEndian.Uint32(b[fsidLength:])
	end := int64(fsidLength+handleHeader) + int64(size)
	if end > int64(len(b)) {
		return dirName{}, fmt.Errorf("found a file handle of %d bytes, expected at most %d", size, len(b)-fsidLength-handleHeader)
	}
	kind := int32(binary.NativeEndian.Uint32(b[fsidLength+4:]))
	name, _, _ := strings.Cut(string(b[end:]), "\x00")
	return dirName{handleKey([8]byte(b[:fsidLength]), kind, b[fsidLength+handleHeader:end]), name}, nil
}

// handleKey is the identity of a directory by its handle.
func handleKey(fsid [8]byte, kind int32, handle []byte) string {
	return fmt.Sprintf("%x:%d:%x", fsid, kind, handle)
}

// handleOf gives the identity that events will have for a directory.
func handleOf(path string) (string, error) {
	handle, _, err := unix.NameToHandleAt(unix.AT_FDCWD, path, 0)
	if err != nil {
		return "", fmt.Errorf("%s: file handle: %w", path, err)
	}
	var stat unix.Statfs_t
	if err := unix.Statfs(path, &stat); err != nil {
		return "", fmt.Errorf("%s: file system: %w", path, err)
	}
	var fsid [8]byte
	binary.NativeEndian.PutUint32(fsid[:], uint32(stat.Fsid.Val[0]))
	binary.NativeEndian.PutUint32(fsid[4:], uint32(stat.Fsid.Val[1]))
	return handleKey(fsid, handle.Type(), handle.Bytes()), nil
}
