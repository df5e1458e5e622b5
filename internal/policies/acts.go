// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"net/netip"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// act is something that a recorded event tells of, as policies judge it.
type act struct {
	requests []policy.Request // an event may be several acts: running a file is one to rules about files and one to rules about exec
	object   string
	program  string // who acted
	user     string
}

// actsOf reads what policies have something to say about. Trust in programs is asked of the host; units are not in events.
func actsOf(log plog.LogRecord, trusts func(executable string) bool) (act, bool) {
	attrs := log.Attributes()
	var a act
	switch log.EventName() {
	case event.KindEnforcementDenied, event.KindEnforcementAudited:
		a.ofVerdict(attrs)
	case event.KindProcessExec:
		a.runs(text(attrs, event.AttrProcessExecutablePath))
	case event.KindProcessImageLoad:
		a.runs(text(attrs, event.AttrDllPath))
	case event.KindFileOpen, event.KindFileAccess, event.KindFileCreate, event.KindFileDelete, event.KindFileRename, event.KindFileAttributes:
		a.onFile(log.EventName(), attrs)
	case event.KindNetworkConnect, event.KindNetworkAccept, event.KindNetworkBind:
		a.onAddress(networkOperations[log.EventName()], attrs)
	case event.KindProcessAccess, event.KindProcessInject:
		a.onProcess(accessOperation(text(attrs, event.AttrProcessAccessCall)), attrs)
	case event.KindKernelModuleLoad, event.KindKernelModuleUnload:
		a.object = text(attrs, event.AttrDllName)
		a.requests = []policy.Request{{Operation: policy.Modules}}
	}
	if len(a.requests) == 0 {
		return a, false
	}
	subject := actorOf(attrs, log.EventName() == event.KindProcessExec, trusts)
	a.user = text(attrs, event.AttrProcessUserName)
	if len(subject.Lineage) > 0 {
		a.program = subject.Lineage[0].Executable
	}
	for i := range a.requests {
		a.requests[i].Subject = subject
	}
	return a, true
}

func text(attrs pcommon.Map, name string) string {
	value, ok := attrs.Get(name)
	if !ok {
		return ""
	}
	return value.AsString()
}

// actorOf gives who acted, by the programs that the process and its ancestors ran. A program is run by what ran before it.
func actorOf(attrs pcommon.Map, before bool, trusts func(string) bool) policy.Actor {
	a := policy.Actor{User: text(attrs, event.AttrProcessUserName), Container: text(attrs, event.AttrContainerID)}
	uid, _ := strconv.ParseUint(text(attrs, event.AttrProcessUserID), 10, 32) // root where it is not known
	a.UID = uint32(uid)
	var chain []string
	if !before {
		chain = append(chain, text(attrs, event.AttrProcessExecutablePath))
	}
	if ancestors, ok := attrs.Get(event.AttrProcessAncestors); ok && ancestors.Type() == pcommon.ValueTypeSlice {
		for _, one := range ancestors.Slice().All() {
			name := one.AsString()
			if i := strings.LastIndexByte(name, '['); i > 0 {
				name = name[:i]
			}
			chain = append(chain, name)
		}
	}
	for i, name := range chain {
		if i == 0 || name != chain[i-1] { // a fork adds nothing
			a.Lineage = append(a.Lineage, policy.Program{Executable: name, Trusted: trusts(name)})
		}
	}
	return a
}

func (a *act) runs(path string) {
	if path == "" {
		return
	}
	a.object = path
	file := &policy.File{Paths: []string{path}}
	if strings.HasPrefix(path, "memfd:") {
		file = &policy.File{Origin: policy.Memfd}
	}
	a.requests = []policy.Request{{Operation: policy.Run, File: file}, {Operation: policy.Execute, File: file}}
}

func (a *act) onFile(kind string, attrs pcommon.Map) {
	path, from := text(attrs, event.AttrFilePath), text(attrs, event.AttrFileOriginalPath)
	if path == "" {
		return
	}
	a.object = path
	r := policy.Request{File: &policy.File{Paths: []string{path}}}
	switch kind {
	case event.KindFileOpen:
		r.Operation = policy.Write
	case event.KindFileAccess:
		r.Operation = policy.Read
	case event.KindFileDelete:
		r.Operation = policy.Delete
	case event.KindFileAttributes:
		r.Operation = policy.Attributes
	case event.KindFileCreate:
		r.Operation = policy.Create
		if from != "" {
			r = policy.Request{Operation: policy.Link, File: &policy.File{Paths: []string{from}}, NewPath: path}
		}
	case event.KindFileRename:
		r = policy.Request{Operation: policy.Rename, File: &policy.File{Paths: []string{from}}, NewPath: path}
		a.object = from + " to " + path
	}
	a.requests = []policy.Request{r}
}

var networkOperations = map[string]policy.Operation{
	event.KindNetworkConnect: policy.Connect, event.KindNetworkAccept: policy.Accept, event.KindNetworkBind: policy.Bind,
}

// onAddress takes the peer's address, or for a bind the own one.
func (a *act) onAddress(o policy.Operation, attrs pcommon.Map) {
	address, port := event.AttrDestinationAddress, event.AttrDestinationPort
	if o != policy.Connect {
		address, port = event.AttrSourceAddress, event.AttrSourcePort
	}
	ip, err := netip.ParseAddr(text(attrs, address))
	if err != nil {
		return
	}
	number, _ := strconv.ParseUint(text(attrs, port), 10, 16) // none is every port's
	to := &policy.Address{AddrPort: netip.AddrPortFrom(ip, uint16(number)), Protocol: policy.Protocol(text(attrs, event.AttrNetworkTransport))}
	a.object = to.String()
	a.requests = []policy.Request{{Operation: o, Address: to}}
}

// accessOperation is what a way to control another process is to policies.
func accessOperation(call string) policy.Operation {
	if strings.HasPrefix(call, "ptrace") || call == "pidfd_getfd" {
		return policy.Ptrace
	}
	return policy.Memory
}

func (a *act) onProcess(o policy.Operation, attrs pcommon.Map) {
	target := text(attrs, event.AttrProcessTargetExecutablePath)
	a.object = target + "[" + text(attrs, event.AttrProcessTargetPID) + "]"
	a.requests = []policy.Request{{Operation: o, Target: &policy.Target{Executable: target}}, {Operation: policy.KernelPtrace}}
	if o&policy.ProcessOperations&^(policy.Ptrace|policy.Memory) != 0 {
		a.requests = a.requests[:1]
	}
}

// ofVerdict takes what another policy forbade as what it was.
func (a *act) ofVerdict(attrs pcommon.Map) {
	name := text(attrs, event.AttrVedettePolicyOperation)
	if o := policy.ParseOperation(name, policy.NetworkOperations); o != 0 {
		a.onAddress(o, attrs)
		return
	}
	if o := policy.ParseOperation(name, policy.ProcessOperations); o != 0 && text(attrs, event.AttrProcessTargetPID) != "" {
		a.onProcess(o, attrs)
		return
	}
	path := text(attrs, event.AttrFilePath)
	if path == "" {
		if o := policy.ParseOperation(name, policy.KernelOperations); o != 0 {
			a.object, a.requests = "the kernel", []policy.Request{{Operation: o}}
		}
		return
	}
	a.ofFile(name, path, attrs)
}

func (a *act) ofFile(name, path string, attrs pcommon.Map) {
	kinds := map[string]string{"rename": event.KindFileRename, "link": event.KindFileCreate}
	if kind, ok := kinds[name]; ok && text(attrs, event.AttrFileOriginalPath) != "" {
		a.onFile(kind, attrs)
		return
	}
	for _, kind := range []policy.Operation{policy.FileOperations, policy.Run} {
		if o := policy.ParseOperation(name, kind); o != 0 {
			a.object = path
			a.requests = append(a.requests, policy.Request{Operation: o, File: &policy.File{Paths: []string{path}}})
		}
	}
}
