// SPDX-License-Identifier: Apache-2.0

package fschange

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// record is a name in a directory that is known by its handle, as fanotify(7) tells it.
type record struct {
	fsid      [8]byte
	kind      int32
	handle    string
	name      string // "." for the directory itself
	directory bool   // what has the name is one
	made      bool
}

const (
	metadataLength = 24
	infoHeader     = 4
	handleOffset   = 8 + 8 // behind the file system's id, the handle's length and type
)

// parse takes apart what one read gives; overflow says that the kernel had to let go of records.
func parse(b []byte) (records []record, overflow bool, err error) {
	for len(b) > 0 {
		if len(b) < metadataLength {
			return records, overflow, fmt.Errorf("found %d bytes, expected the %d of an event", len(b), metadataLength)
		}
		length, head := int64(binary.NativeEndian.Uint32(b)), int64(binary.NativeEndian.Uint16(b[6:]))
		if b[4] != unix.FANOTIFY_METADATA_VERSION {
			return records, overflow, fmt.Errorf("found version %d of fanotify's records, expected %d", b[4], unix.FANOTIFY_METADATA_VERSION)
		}
		if head < metadataLength || length < head || length > int64(len(b)) {
			return records, overflow, fmt.Errorf("found an event of %d bytes with a head of %d, expected it within %d", length, head, len(b))
		}
		mask := binary.NativeEndian.Uint64(b[8:])
		overflow = overflow || mask&unix.FAN_Q_OVERFLOW != 0
		r, found, err := parseInfo(b[head:length])
		if err != nil {
			return records, overflow, err
		}
		if found {
			r.directory, r.made = mask&unix.FAN_ONDIR != 0, mask&(unix.FAN_CREATE|unix.FAN_MOVED_TO) != 0
			records = append(records, r)
		}
		b = b[length:]
	}
	return records, overflow, nil
}

// parseInfo looks for the one information record that was asked for.
func parseInfo(b []byte) (record, bool, error) {
	for len(b) > 0 {
		if len(b) < infoHeader {
			return record{}, false, errors.New("found less than the head of an information record")
		}
		kind, length := b[0], int(binary.NativeEndian.Uint16(b[2:]))
		if length < infoHeader || length > len(b) {
			return record{}, false, fmt.Errorf("found an information record of %d bytes, expected %d to %d", length, infoHeader, len(b))
		}
		if kind == unix.FAN_EVENT_INFO_TYPE_DFID_NAME {
			r, err := parseName(b[infoHeader:length])
			return r, err == nil, err
		}
		b = b[length:]
	}
	return record{}, false, nil
}

func parseName(b []byte) (record, error) {
	if len(b) < handleOffset {
		return record{}, errors.New("found less than the head of a file handle")
	}
	end := int64(handleOffset) + int64(binary.NativeEndian.Uint32(b[8:]))
	if end > int64(len(b)) {
		return record{}, fmt.Errorf("found a file handle that ends at byte %d, expected at most %d", end, len(b))
	}
	name, _, _ := strings.Cut(string(b[end:]), "\x00")
	return record{fsid: [8]byte(b[:8]), kind: int32(binary.NativeEndian.Uint32(b[12:])), handle: string(b[handleOffset:end]), name: name}, nil
}
