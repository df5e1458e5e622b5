// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package sensor

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/vedette-sec/vedette/bpf"
)

// Record is one record as the kernel wrote it, checked: the head is whole and the size is the
// record's own.
type Record struct {
	raw []byte
}

// ErrMalformed is wrapped by every error about a record that is not as the ABI says.
var ErrMalformed = errors.New("malformed record")

// tail is any of the ABI's fixed parts; each begins with the head.
type tail interface {
	bpf.SensorForkEvent | bpf.SensorExitEvent | bpf.SensorExecEvent | bpf.SensorStdioEvent | bpf.SensorFileEvent |
		bpf.SensorNetEvent | bpf.SensorDnsEvent |
		bpf.SensorModuleEvent | bpf.SensorAccessEvent |
		bpf.SensorSetidEvent | bpf.SensorAttributeEvent | bpf.SensorEventHead
}

// view reads the fixed part of a record in place. The memory of a record is aligned: see Parse.
func view[T tail](raw []byte) (*T, error) {
	var t T
	if len(raw) < int(unsafe.Sizeof(t)) {
		return nil, fmt.Errorf("%w: %d bytes, at least %d expected", ErrMalformed, len(raw), unsafe.Sizeof(t))
	}
	return (*T)(unsafe.Pointer(unsafe.SliceData(raw))), nil
}

// Parse checks a record's head. raw must stay unchanged while the Record is used and must begin at
// an address that is a multiple of eight.
func Parse(raw []byte) (Record, error) {
	head, err := view[bpf.SensorEventHead](raw)
	if err != nil {
		return Record{}, err
	}
	if int(head.Size) != len(raw) {
		return Record{}, fmt.Errorf("%w: it says %d bytes and has %d", ErrMalformed, head.Size, len(raw))
	}
	if kind := Kind(head.Kind); kind < KindFork || kind >= kindCount {
		return Record{}, fmt.Errorf("%w: unknown kind %d", ErrMalformed, kind)
	}
	return Record{raw}, nil
}

// Head is the part all records share.
func (r Record) Head() *bpf.SensorEventHead {
	return (*bpf.SensorEventHead)(unsafe.Pointer(unsafe.SliceData(r.raw)))
}

// Kind is the record's event kind.
func (r Record) Kind() Kind { return Kind(r.Head().Kind) }

// Fork, Exit and Net view records of those kinds.
func (r Record) Fork() (*bpf.SensorForkEvent, error) { return view[bpf.SensorForkEvent](r.raw) }

// Exit views a process.exit record.
func (r Record) Exit() (*bpf.SensorExitEvent, error) { return view[bpf.SensorExitEvent](r.raw) }

// Stdio views a record of standard streams that were moved.
func (r Record) Stdio() (*bpf.SensorStdioEvent, error) { return view[bpf.SensorStdioEvent](r.raw) }

// Net views a network record.
func (r Record) Net() (*bpf.SensorNetEvent, error) { return view[bpf.SensorNetEvent](r.raw) }

// Access views a process.access or process.inject record.
func (r Record) Access() (*bpf.SensorAccessEvent, error) { return view[bpf.SensorAccessEvent](r.raw) }

// SetID views a process.setid record.
func (r Record) SetID() (*bpf.SensorSetidEvent, error) { return view[bpf.SensorSetidEvent](r.raw) }

// AttributeStrings are the strings of a file.attributes record.
type AttributeStrings struct{ Path, Base, Name []byte }

// Attributes views a file.attributes record. The strings point into the record.
func (r Record) Attributes() (*bpf.SensorAttributeEvent, AttributeStrings, error) {
	var s AttributeStrings
	e, err := view[bpf.SensorAttributeEvent](r.raw)
	if err != nil {
		return nil, s, err
	}
	err = r.strings(int(unsafe.Sizeof(*e)), described{&s.Path, e.Path}, described{&s.Base, e.Base}, described{&s.Name, e.Name})
	return e, s, err
}

// ExecStrings are the strings of a process.exec record.
type ExecStrings struct{ Exe, Filename, Cwd, Args []byte }

// Exec views a process.exec record. The strings point into the record.
func (r Record) Exec() (*bpf.SensorExecEvent, ExecStrings, error) {
	var s ExecStrings
	e, err := view[bpf.SensorExecEvent](r.raw)
	if err != nil {
		return nil, s, err
	}
	err = r.strings(int(unsafe.Sizeof(*e)),
		described{&s.Exe, e.Exe}, described{&s.Filename, e.Filename}, described{&s.Cwd, e.Cwd}, described{&s.Args, e.Args})
	return e, s, err
}

// FileStrings are the strings of a file record.
type FileStrings struct{ Path, Path2, Base, Base2 []byte }

// File views a file record. The strings point into the record.
func (r Record) File() (*bpf.SensorFileEvent, FileStrings, error) {
	var s FileStrings
	e, err := view[bpf.SensorFileEvent](r.raw)
	if err != nil {
		return nil, s, err
	}
	err = r.strings(int(unsafe.Sizeof(*e)),
		described{&s.Path, e.Path}, described{&s.Path2, e.Path2}, described{&s.Base, e.Base}, described{&s.Base2, e.Base2})
	return e, s, err
}

// DNS views a dns.query record. The message points into the record.
func (r Record) DNS() (e *bpf.SensorDnsEvent, message []byte, err error) {
	if e, err = view[bpf.SensorDnsEvent](r.raw); err != nil {
		return nil, nil, err
	}
	err = r.strings(int(unsafe.Sizeof(*e)), described{&message, e.Message})
	return e, message, err
}

// Module views a kernel.module_load or kernel.module_unload record. The path points into the record.
func (r Record) Module() (e *bpf.SensorModuleEvent, path []byte, err error) {
	if e, err = view[bpf.SensorModuleEvent](r.raw); err != nil {
		return nil, nil, err
	}
	err = r.strings(int(unsafe.Sizeof(*e)), described{&path, e.Path})
	return e, path, err
}

type described struct {
	to *[]byte
	by bpf.SensorEventString
}

func (r Record) strings(at int, list ...described) error {
	for _, d := range list {
		end := at + int(d.by.Len)
		if end > len(r.raw) {
			return fmt.Errorf("%w: a string of %d bytes at %d in a record of %d", ErrMalformed, d.by.Len, at, len(r.raw))
		}
		*d.to = r.raw[at:end:end]
		at = end
	}
	return nil
}
