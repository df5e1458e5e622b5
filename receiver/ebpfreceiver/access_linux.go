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

var accessCalls = map[bpf.SensorAccessCall]string{
	bpf.SensorAccessCallACCESS_PTRACE_ATTACH:  "ptrace_attach",
	bpf.SensorAccessCallACCESS_PTRACE_SEIZE:   "ptrace_seize",
	bpf.SensorAccessCallACCESS_VM_READ:        "process_vm_readv",
	bpf.SensorAccessCallACCESS_VM_WRITE:       "process_vm_writev",
	bpf.SensorAccessCallACCESS_PIDFD_GETFD:    "pidfd_getfd",
	bpf.SensorAccessCallACCESS_MEM_READ:       "mem_read",
	bpf.SensorAccessCallACCESS_MEM_WRITE:      "mem_write",
	bpf.SensorAccessCallACCESS_PTRACE_POKE:    "ptrace_poke",
	bpf.SensorAccessCallACCESS_PTRACE_SETREGS: "ptrace_setregs",
}

// access describes what p did to another process; target is nil where no more is known than the record says.
func (b *logBuilder) access(kind string, at time.Time, p, target *process.Process, e *bpf.SensorAccessEvent) {
	attrs, ok := b.record(kind, at, p)
	if !ok {
		return
	}
	if target != nil {
		attrs.PutStr(event.AttrProcessTargetEntityID, target.EntityID)
		optional.PutStr(attrs, event.AttrProcessTargetExecutablePath, target.Executable)
		optional.PutStr(attrs, event.AttrProcessTargetCommandLine, target.CommandLine)
	}
	attrs.PutInt(event.AttrProcessTargetPID, int64(e.Target.Tgid))
	attrs.PutInt(event.AttrProcessTargetUserID, int64(e.Target.Euid))
	attrs.PutStr(event.AttrProcessTargetUserName, b.users.Name(e.Target.Euid))
	optional.PutStr(attrs, event.AttrProcessAccessCall, accessCalls[bpf.SensorAccessCall(e.Call)])
	putOutcome(attrs, e.Ret, e.Flags)
}
