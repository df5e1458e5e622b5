// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package ebpfreceiver

import (
	"time"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/optional"
	"github.com/vedette-sec/vedette/internal/process"
)

var moduleOrigins = map[bpf.SensorModuleOrigin]string{
	bpf.SensorModuleOriginMODULE_FROM_FILE:   "file",
	bpf.SensorModuleOriginMODULE_FROM_MEMORY: "memory",
}

// taints are the kernel's reasons to count as tainted that a module gives; see the kernel's
// admin-guide/tainted-kernels.
var taints = []struct {
	bit  uint
	name string
}{
	{0, "proprietary"}, {1, "forced"}, {10, "staging"}, {12, "out_of_tree"},
	{13, "unsigned"}, {15, "livepatch"}, {18, "test"},
}

func taintNames(bits uint64) []string {
	var names []string
	for _, t := range taints {
		if bits>>t.bit&1 != 0 {
			names = append(names, t.name)
		}
	}
	return names
}

func (b *logBuilder) module(kind string, at time.Time, p *process.Process, e *bpf.SensorModuleEvent, path []byte) {
	attrs, ok := b.record(kind, at, p)
	if !ok {
		return
	}
	attrs.PutStr(event.AttrDllName, chars(e.Name[:]))
	if kind != event.KindKernelModuleLoad {
		return
	}
	origin, ok := moduleOrigins[bpf.SensorModuleOrigin(e.Origin)]
	if !ok {
		origin = "unknown"
	}
	attrs.PutStr(event.AttrKernelModuleOrigin, origin)
	optional.PutStr(attrs, event.AttrDllPath, text(path))
	optional.PutStrs(attrs, event.AttrKernelModuleTaints, taintNames(e.Taints))
}

// chars makes an attribute of a field of characters, which ends at the first zero byte.
func chars(field []int8) string {
	var name []byte
	for _, c := range field {
		if c == 0 {
			break
		}
		name = append(name, byte(c))
	}
	return text(name)
}
