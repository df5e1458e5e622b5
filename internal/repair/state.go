// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/hostconf"
)

// What can be at a path.
const (
	absent    = "absent"
	file      = "file"
	directory = "directory"
	link      = "link"
)

// State is what is at a path.
type State struct {
	Type   string            `json:"type"`             // absent, file, directory or link
	Hash   string            `json:"hash,omitempty"`   // SHA-256 of a file's content; "" where the content does not matter
	Target string            `json:"target,omitempty"` // of a link
	Mode   uint32            `json:"mode,omitempty"`   // as chmod has it; of links none
	UID    int               `json:"uid"`
	GID    int               `json:"gid"`
	Xattrs map[string][]byte `json:"xattrs,omitempty"` // with access control lists
}

func hashOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// mostBytes bounds the files that are changed.
const mostBytes = 16 << 20

// look gives what is at a path whose links are resolved, but for a file's content.
func (r root) look(path string) (State, error) {
	full := r.full(path)
	info, err := os.Lstat(full)
	if errors.Is(err, fs.ErrNotExist) {
		return State{Type: absent}, nil
	}
	if err != nil {
		return State{}, err
	}
	s := State{Mode: modeBits(info.Mode())}
	s.UID, s.GID = owners(info)
	switch s.Type = typeOf(info.Mode()); s.Type {
	case link:
		s.Mode = 0
		if s.Target, err = os.Readlink(full); err != nil {
			return State{}, err
		}
	case "":
		return State{}, fmt.Errorf("%s: found %s, expected a file or directory", path, hostconf.TypeName(info.Mode()))
	}
	s.Xattrs, err = readXattrs(xattrsAt(full))
	return s, err
}

// typeOf gives what a mode is of, "" for what is never changed.
func typeOf(m fs.FileMode) string {
	switch {
	case m&fs.ModeSymlink != 0:
		return link
	case m.IsDir():
		return directory
	case m.IsRegular():
		return file
	}
	return ""
}

// read gives what is at a path whose links are resolved, and a file's content.
func (r root) read(path string) (State, []byte, error) {
	s, err := r.look(path)
	if err != nil || s.Type != file {
		return s, nil, err
	}
	info, err := os.Stat(r.full(path))
	if err != nil {
		return s, nil, err
	}
	if info.Size() > mostBytes {
		return s, nil, fmt.Errorf("%s: found %d bytes, expected at most %d in a file of settings", path, info.Size(), mostBytes)
	}
	content, err := os.ReadFile(r.full(path))
	s.Hash = hashOf(content)
	return s, content, err
}

func modeBits(m fs.FileMode) uint32 {
	bits := uint32(m.Perm())
	for flag, bit := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if m&flag != 0 {
			bits |= bit
		}
	}
	return bits
}

func fileMode(bits uint32) fs.FileMode {
	m := fs.FileMode(bits).Perm()
	for flag, bit := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if bits&bit != 0 {
			m |= flag
		}
	}
	return m
}

// mostXattrs bounds what is kept of a file's extended attributes.
const mostXattrs = 64 << 10

func readXattrs(of xattrs) (map[string][]byte, error) {
	names := make([]byte, mostXattrs)
	n, err := of.list(names)
	if errors.Is(err, unix.ENOTSUP) || n == 0 && err == nil {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing the extended attributes of %s: %w", of.name, err)
	}
	all := map[string][]byte{}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names[:n]), "\x00"), "\x00") {
		value := make([]byte, mostXattrs)
		size, err := of.get(name, value)
		if err != nil {
			return nil, fmt.Errorf("reading the extended attribute %s of %s: %w", name, of.name, err)
		}
		all[name] = value[:size]
	}
	return all, nil
}

// selinuxLabel is given to new files by the kernel and is no part of what was planned for them.
const selinuxLabel = "security.selinux"

func sameXattrs(have, want map[string][]byte) bool {
	if _, known := want[selinuxLabel]; !known {
		have = maps.Clone(have)
		delete(have, selinuxLabel)
	}
	return len(have) == 0 && len(want) == 0 || reflect.DeepEqual(have, want)
}

// is reports whether what is there is what was planned or left.
func (s State) is(want State) bool {
	return s.sameContent(want) && s.Mode == want.Mode && s.UID == want.UID && s.GID == want.GID && sameXattrs(s.Xattrs, want.Xattrs)
}

func (s State) sameContent(want State) bool {
	return s.Type == want.Type && (want.Hash == "" || s.Hash == want.Hash) && s.Target == want.Target
}

// between reports whether attributes are partly as they were and partly as they were to be, as a crash leaves them.
func (s State) between(before, after State) bool {
	mode := func(m uint32) bool { return s.Mode == m || s.Mode == m&^0o6000 } // a new owner takes the rights of the old one
	return before.sameContent(after) && s.sameContent(before) && (mode(before.Mode) || mode(after.Mode)) &&
		(s.UID == before.UID || s.UID == after.UID) && (s.GID == before.GID || s.GID == after.GID) &&
		(sameXattrs(s.Xattrs, before.Xattrs) || sameXattrs(s.Xattrs, after.Xattrs))
}

// Parts of an access control list as the kernel keeps it.
const (
	aclXattr     = "system.posix_acl_access"
	aclHead      = 4
	aclEntry     = 8
	aclUserObj   = 0x01
	aclGroupObj  = 0x04
	aclMask      = 0x10
	aclOther     = 0x20
	aclBitsOther = 0o7
)

// withMode gives the state that chmod makes of this one: with an access control list it sets entries of the list too.
func (s State) withMode(mode uint32) State {
	s.Mode = mode
	list, ok := s.Xattrs[aclXattr]
	if !ok {
		return s
	}
	list = append([]byte{}, list...)
	bits := map[uint16]uint32{aclUserObj: mode >> 6, aclOther: mode, aclGroupObj: mode >> 3}
	for at := aclHead; at+aclEntry <= len(list); at += aclEntry {
		if binary.LittleEndian.Uint16(list[at:]) == aclMask {
			delete(bits, aclGroupObj)
			bits[aclMask] = mode >> 3
		}
	}
	for at := aclHead; at+aclEntry <= len(list); at += aclEntry {
		if b, ok := bits[binary.LittleEndian.Uint16(list[at:])]; ok {
			binary.LittleEndian.PutUint16(list[at+2:], uint16(b&aclBitsOther))
		}
	}
	s.Xattrs = maps.Clone(s.Xattrs)
	s.Xattrs[aclXattr] = list
	return s
}

// capabilities are the rights that a program has by its file. As those of its owner and group, they go with a change of owner.
const capabilities = "security.capability"

// ofNewOwner gives the state in which nobody has the rights of a new owner by what another one has made of the file.
func (s State) ofNewOwner() State {
	s = s.withMode(s.Mode &^ 0o6000)
	s.Xattrs = maps.Clone(s.Xattrs)
	delete(s.Xattrs, capabilities)
	return s
}
