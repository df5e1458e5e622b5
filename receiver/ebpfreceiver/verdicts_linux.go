// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package ebpfreceiver

import (
	"fmt"
	"net/netip"
	"path"
	"strings"
	"syscall"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/extension/enforcementextension/enforcement"
	"github.com/vedette-sec/vedette/internal/alertmessage"
	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/optional"
	"github.com/vedette-sec/vedette/internal/process"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// verdictsWaiting is how many verdicts may wait to be told.
const verdictsWaiting = 4096

// subscribe asks the enforcement extension, where there is one, for what policies forbid.
func (r *ebpfReceiver) subscribe(others component.Host) {
	r.verdicts, r.waiting, r.heard, r.leave = nil, nil, 0, func() {}
	if teller, ok := enforcement.FindTeller(others); ok {
		r.verdicts, r.leave = teller.Verdicts(verdictsWaiting)
	}
}

// tellVerdicts hands on the verdicts that are due.
func (r *ebpfReceiver) tellVerdicts() {
	if !r.isDue() {
		return
	}
	r.begin()
	for r.isDue() {
		v := r.waiting
		r.waiting = nil
		r.builder.verdict(r.actor(v), r.target(v), v)
		if r.builder.full() {
			r.send()
		}
	}
	r.send()
}

// isDue takes the next verdict, and reports whether all that the kernel reported of before it was handled: then the process that acted is
// known, however soon it ended.
func (r *ebpfReceiver) isDue() bool {
	if r.waiting == nil {
		select {
		case v, ok := <-r.verdicts:
			if !ok {
				r.verdicts = nil // nobody tells any more
				return false
			}
			r.waiting = &v
		default:
			return false
		}
	}
	return uint64(bootClock()-time.Since(r.waiting.Time)) <= r.heard
}

// actor finds who acted; of one that is gone already the verdict says what it knows.
func (r *ebpfReceiver) actor(v *enforcement.Verdict) *process.Process {
	if p := r.table.Other(v.PID, v.Start); p != nil {
		return p
	}
	p := r.table.Get(&bpf.SensorEventHead{Tgid: v.PID, Tid: v.TID, StartTime: v.Start, Uid: v.UID, Euid: v.UID, Cgroup: v.CgroupID})
	if p.Executable == "" {
		p.Executable = "[" + strings.ToValidUTF8(v.Comm, "\uFFFD") + "]"
	}
	return p
}

func (r *ebpfReceiver) target(v *enforcement.Verdict) *process.Process {
	if v.Object.PID == 0 {
		return nil
	}
	return r.table.Running(v.Object.PID)
}

func (b *logBuilder) verdict(p, target *process.Process, v *enforcement.Verdict) {
	kind := event.KindEnforcementAudited
	if v.Mode == policy.Enforce {
		kind = event.KindEnforcementDenied
	}
	attrs, _ := b.record(kind, v.Time, p) // these kinds are always wanted
	log := b.records.At(b.records.Len() - 1)
	log.SetSeverityNumber(severities[v.Severity])
	log.SetSeverityText(string(v.Severity))
	putPolicy(attrs, v)
	b.putObject(attrs, target, v)
	if v.Errno != 0 {
		attrs.PutStr(event.AttrErrorType, unix.ErrnoName(syscall.Errno(v.Errno)))
	}
	attrs.PutStr(event.AttrEventOutcome, outcomeOf(v))
	log.Body().SetStr(verdictMessage(attrs, v))
}

// severities are those of OTel, as alerts of detection rules have them.
var severities = map[policy.Severity]plog.SeverityNumber{
	policy.Low: plog.SeverityNumberInfo2, policy.Medium: plog.SeverityNumberWarn, policy.High: plog.SeverityNumberError, policy.Critical: plog.SeverityNumberFatal,
}

func outcomeOf(v *enforcement.Verdict) string {
	switch v.Strength {
	case enforce.Prevented:
		return "failure"
	case enforce.Killed:
		return "unknown"
	}
	return "success"
}

func putPolicy(attrs pcommon.Map, v *enforcement.Verdict) {
	for _, a := range []struct{ name, value string }{
		{event.AttrVedettePolicyName, v.Policy},
		{event.AttrVedettePolicyRule, v.Rule},
		{event.AttrVedettePolicyMode, string(v.RuleMode)},
		{event.AttrVedettePolicyOperation, v.Operation.String()},
		{event.AttrVedettePolicyStrength, string(v.Strength)},
		{event.AttrVedettePolicyHook, v.Hook},
		{event.AttrVedettePolicyObject, v.Object.Name},
		{event.AttrVedettePolicyDescription, v.Description},
		{event.AttrVedettePolicySeverity, string(v.Severity)},
	} {
		optional.PutStr(attrs, a.name, a.value)
	}
	attrs.PutInt(event.AttrVedettePolicyGeneration, int64(v.Generation))
	if v.Folded > 0 {
		attrs.PutInt(event.AttrVedettePolicyFolded, int64(v.Folded))
	}
	optional.PutStrs(attrs, event.AttrVedettePolicyAttack, v.Attack)
}

func (b *logBuilder) putObject(attrs pcommon.Map, target *process.Process, v *enforcement.Verdict) {
	o := v.Object
	name, from := o.Path, ""
	if o.NewPath != "" { // as of a rename, whose new name counts
		name, from = o.NewPath, o.Path
	}
	if name != "" {
		putPath(attrs, text([]byte(name)), o.Inode)
		optional.PutStr(attrs, event.AttrFileOriginalPath, text([]byte(from)))
	}
	if o.Device != 0 {
		attrs.PutStr(event.AttrVedettePolicyDevice, fmt.Sprintf("%d:%d", unix.Major(o.Device), unix.Minor(o.Device)))
	}
	if o.Address.IsValid() {
		putVerdictAddress(attrs, v)
	}
	if o.PID == 0 {
		return
	}
	attrs.PutInt(event.AttrProcessTargetPID, int64(o.PID))
	if target != nil {
		attrs.PutStr(event.AttrProcessTargetEntityID, target.EntityID)
		optional.PutStr(attrs, event.AttrProcessTargetExecutablePath, target.Executable)
		optional.PutStr(attrs, event.AttrProcessTargetCommandLine, target.CommandLine)
		attrs.PutInt(event.AttrProcessTargetUserID, int64(target.EUID))
		attrs.PutStr(event.AttrProcessTargetUserName, b.users.Name(target.EUID))
	}
}

func putVerdictAddress(attrs pcommon.Map, v *enforcement.Verdict) {
	protocol := uint8(unix.IPPROTO_TCP)
	if v.Object.Protocol == policy.UDP {
		protocol = unix.IPPROTO_UDP
	}
	switch v.Operation {
	case policy.Bind:
		putProtocol(attrs, protocol, v.Object.Address, netip.AddrPort{})
		putSide(attrs, event.AttrSourceAddress, event.AttrSourcePort, v.Object.Address)
	default:
		putConnection(attrs, protocol, netip.AddrPort{}, v.Object.Address, v.Operation == policy.Accept)
	}
}

// verdictMessage says in one line who tried what, and what became of it.
func verdictMessage(attrs pcommon.Map, v *enforcement.Verdict) string {
	done := "Would be denied"
	switch {
	case v.Strength == enforce.Prevented:
		done = "Denied"
	case v.Strength == enforce.Killed:
		done = "Killed"
	case v.RuleMode == policy.Enforce:
		done = "Not prevented"
	}
	executable, _ := attrs.Get(event.AttrProcessExecutablePath)
	user, _ := attrs.Get(event.AttrProcessUserName)
	message := fmt.Sprintf("%s: %s[%d] run by %s: %s", done, path.Base(executable.AsString()), v.PID, user.AsString(), v.Operation)
	if object := objectText(attrs, v); object != "" {
		message += " " + alertmessage.Plain(object)
	}
	message += fmt.Sprintf(" (policy %s, rule %s)", v.Policy, v.Rule)
	if v.Folded > 0 {
		message += fmt.Sprintf(", and %d more", v.Folded)
	}
	return message
}

func objectText(attrs pcommon.Map, v *enforcement.Verdict) string {
	o := v.Object
	switch {
	case o.NewPath != "" && o.Path != "":
		return o.Path + " to " + o.NewPath
	case o.Path != "":
		return o.Path
	case o.NewPath != "":
		return o.NewPath
	case o.Address.IsValid():
		return policy.Address{AddrPort: o.Address, Protocol: o.Protocol}.String()
	case o.PID != 0:
		if executable, ok := attrs.Get(event.AttrProcessTargetExecutablePath); ok {
			return fmt.Sprintf("%s[%d]", path.Base(executable.AsString()), o.PID)
		}
		return fmt.Sprintf("process %d", o.PID)
	}
	return o.Name
}
