// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package ebpfreceiver

import (
	"net/netip"
	"path"
	"strconv"
	"syscall"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/hostid"
	"github.com/vedette-sec/vedette/internal/optional"
	"github.com/vedette-sec/vedette/internal/process"
	"github.com/vedette-sec/vedette/internal/sensor"
	"github.com/vedette-sec/vedette/internal/users"
	"github.com/vedette-sec/vedette/receiver/ebpfreceiver/internal/metadata"
)

// maxRecords is how many log records are handed on at once.
const maxRecords = 1024

var kindNames = map[sensor.Kind]string{
	sensor.KindFork:    event.KindProcessFork,
	sensor.KindExec:    event.KindProcessExec,
	sensor.KindExit:    event.KindProcessExit,
	sensor.KindOpen:    event.KindFileOpen,
	sensor.KindCreate:  event.KindFileCreate,
	sensor.KindDelete:  event.KindFileDelete,
	sensor.KindRename:  event.KindFileRename,
	sensor.KindConnect: event.KindNetworkConnect,
	sensor.KindAccept:  event.KindNetworkAccept,
	sensor.KindBind:    event.KindNetworkBind,
	sensor.KindListen:  event.KindNetworkListen,
	sensor.KindDNS:     event.KindDNSQuery,

	sensor.KindStdio: event.KindProcessRemoteStdio,

	sensor.KindModuleLoad:   event.KindKernelModuleLoad,
	sensor.KindModuleUnload: event.KindKernelModuleUnload,
	sensor.KindFileAccess:   event.KindFileAccess,
	sensor.KindAttributes:   event.KindFileAttributes,
	sensor.KindSetID:        event.KindProcessSetid,
	sensor.KindImageLoad:    event.KindProcessImageLoad,
	sensor.KindAccess:       event.KindProcessAccess,
	sensor.KindInject:       event.KindProcessInject,
}

func kindOf(name string) (sensor.Kind, bool) {
	for kind, n := range kindNames {
		if n == name {
			return kind, true
		}
	}
	return 0, false
}

// logBuilder turns events into log records.
type logBuilder struct {
	wanted     map[string]bool
	capacities map[string]int
	host       hostid.Host
	users      *users.Table

	logs     plog.Logs
	records  plog.LogRecordSlice
	counts   map[string]int
	lost     uint64
	observed pcommon.Timestamp
}

func newLogBuilder(kinds []string, host hostid.Host, names *users.Table) *logBuilder {
	b := &logBuilder{wanted: map[string]bool{}, capacities: capacities(), host: host, users: names}
	for _, kind := range append([]string{event.KindEnforcementDenied, event.KindEnforcementAudited}, kinds...) {
		b.wanted[kind] = true
	}
	return b
}

// begin starts records that are observed now, when lost events have been lost in all.
func (b *logBuilder) begin(now time.Time, lost uint64) {
	b.observed = pcommon.NewTimestampFromTime(now)
	b.lost = lost
	b.reset()
}

func (b *logBuilder) reset() {
	b.counts = map[string]int{}
	b.logs = plog.NewLogs()
	resource := b.logs.ResourceLogs().AppendEmpty()
	b.host.Describe(resource.Resource())
	scope := resource.ScopeLogs().AppendEmpty()
	scope.Scope().SetName(metadata.ScopeName)
	scope.Scope().Attributes().PutInt(event.AttrVedetteEventsLostTotal, int64(b.lost))
	b.records = scope.LogRecords()
}

func (b *logBuilder) full() bool { return b.records.Len() >= maxRecords }

// take gives the records since begin or the last take, and how many there are of each kind.
func (b *logBuilder) take() (plog.Logs, map[string]int) {
	logs, counts := b.logs, b.counts
	b.reset()
	return logs, counts
}

// capacities are the attributes that records of each kind may have, so that none has to grow.
func capacities() map[string]int {
	sizes := map[string]int{}
	for _, kind := range event.Kinds() {
		sizes[kind.Name] = len(kind.Attributes)
	}
	return sizes
}

// record begins a log record of a kind; ok is false where nobody asked for it.
func (b *logBuilder) record(kind string, at time.Time, p *process.Process) (attrs pcommon.Map, ok bool) {
	if !b.wanted[kind] {
		return attrs, false
	}
	b.counts[kind]++
	r := b.records.AppendEmpty()
	r.SetEventName(kind)
	r.SetTimestamp(pcommon.NewTimestampFromTime(at))
	r.SetObservedTimestamp(b.observed)
	r.SetSeverityNumber(plog.SeverityNumberInfo)
	attrs = r.Attributes()
	attrs.EnsureCapacity(b.capacities[kind])
	b.putProcess(attrs, p)
	return attrs, true
}

func (b *logBuilder) putProcess(attrs pcommon.Map, p *process.Process) {
	attrs.PutStr(event.AttrProcessEntityID, p.EntityID)
	attrs.PutInt(event.AttrProcessPID, int64(p.Key.PID))
	if p.Executable != "" {
		attrs.PutStr(event.AttrProcessExecutablePath, p.Executable)
		attrs.PutStr(event.AttrProcessExecutableName, path.Base(p.Executable))
	}
	if p.Invoked != p.Executable {
		optional.PutStr(attrs, event.AttrProcessInvokedPath, p.Invoked)
	}
	optional.PutStr(attrs, event.AttrProcessCommandLine, p.CommandLine)
	attrs.PutInt(event.AttrProcessUserID, int64(p.EUID))
	attrs.PutStr(event.AttrProcessUserName, b.users.Name(p.EUID))
	if parent := p.Parent; parent != nil {
		attrs.PutInt(event.AttrProcessParentPID, int64(parent.Key.PID))
		attrs.PutStr(event.AttrProcessParentEntityID, parent.EntityID)
		optional.PutStr(attrs, event.AttrProcessParentExecutablePath, parent.Executable)
		optional.PutStr(attrs, event.AttrProcessParentCommandLine, parent.CommandLine)
		names, ids := p.Ancestors()
		optional.PutStrs(attrs, event.AttrProcessAncestors, names)
		optional.PutStrs(attrs, event.AttrProcessAncestry, ids)
	}
	if p.ContainerID != "" {
		attrs.PutStr(event.AttrContainerID, p.ContainerID)
		optional.PutStr(attrs, event.AttrContainerRuntimeName, p.ContainerRuntime)
	}
}

func (b *logBuilder) putExec(attrs pcommon.Map, p *process.Process) {
	optional.PutStrs(attrs, event.AttrProcessCommandArgs, p.Args)
	optional.PutStr(attrs, event.AttrProcessWorkingDirectory, p.Directory)
	if p.UID != p.EUID {
		attrs.PutInt(event.AttrProcessRealUserID, int64(p.UID))
	}
	attrs.PutInt(event.AttrProcessGroupID, int64(p.EGID))
	if p.GID != p.EGID {
		attrs.PutInt(event.AttrProcessRealGroupID, int64(p.GID))
	}
	optional.PutStr(attrs, event.AttrProcessTTY, p.TTY)
	attrs.PutInt(event.AttrProcessSessionLeaderPID, int64(p.Session))
	attrs.PutStr(event.AttrProcessCreationTime, p.Started.UTC().Format(time.RFC3339Nano))
	in, out, errs := p.Streams[0], p.Streams[1], p.Streams[2]
	attrs.PutStr(event.AttrProcessIOStdin, in.Type.String())
	attrs.PutStr(event.AttrProcessIOStdout, out.Type.String())
	attrs.PutStr(event.AttrProcessIOStderr, errs.Type.String())
	putEnd(attrs, event.AttrProcessIOStdinLocal, in.Local)
	putEnd(attrs, event.AttrProcessIOStdinPeer, in.Peer)
	putEnd(attrs, event.AttrProcessIOStdoutPeer, out.Peer)
	putEnd(attrs, event.AttrProcessIOStderrPeer, errs.Peer)
}

func putEnd(attrs pcommon.Map, name string, end netip.AddrPort) {
	if end.IsValid() && end.Port() != 0 {
		attrs.PutStr(name, end.String())
	}
}

func (b *logBuilder) fork(at time.Time, p *process.Process) {
	b.record(event.KindProcessFork, at, p)
}

func (b *logBuilder) exec(at time.Time, p *process.Process) {
	attrs, ok := b.record(event.KindProcessExec, at, p)
	if !ok {
		return
	}
	b.putExec(attrs, p)
	if protocol, local, peer, ingress, ok := p.Connection(); ok {
		putConnection(attrs, protocol, local, peer, ingress)
	}
}

func (b *logBuilder) exit(at time.Time, p *process.Process, status int32) {
	attrs, ok := b.record(event.KindProcessExit, at, p)
	if !ok {
		return
	}
	wait := syscall.WaitStatus(status)
	if wait.Signaled() {
		attrs.PutInt(event.AttrProcessExitSignal, int64(wait.Signal()))
		return
	}
	attrs.PutInt(event.AttrProcessExitCode, int64(wait.ExitStatus()))
}

func (b *logBuilder) remoteStdios(at time.Time, list []process.RemoteStdio) {
	for _, r := range list {
		b.remoteStdio(at, r)
	}
}

func (b *logBuilder) remoteStdio(at time.Time, r process.RemoteStdio) {
	attrs, ok := b.record(event.KindProcessRemoteStdio, at, r.Process)
	if !ok {
		return
	}
	b.putExec(attrs, r.Process)
	attrs.PutStr(event.AttrProcessIOVia, r.Via)
	if relay := r.Relay; relay != nil {
		attrs.PutStr(event.AttrProcessIORelayEntityID, relay.EntityID)
		attrs.PutInt(event.AttrProcessIORelayPID, int64(relay.Key.PID))
		optional.PutStr(attrs, event.AttrProcessIORelayExecutablePath, relay.Executable)
		optional.PutStr(attrs, event.AttrProcessIORelayCommandLine, relay.CommandLine)
	}
	putConnection(attrs, r.Protocol, r.Local, r.Peer, r.Ingress)
}

// putConnection writes both ends: the source is the side that asked for the connection.
func putConnection(attrs pcommon.Map, protocol uint8, local, peer netip.AddrPort, ingress bool) {
	direction, source, destination := "egress", local, peer
	if ingress {
		direction, source, destination = "ingress", peer, local
	}
	putProtocol(attrs, protocol, local, peer)
	attrs.PutStr(event.AttrNetworkDirection, direction)
	putSide(attrs, event.AttrSourceAddress, event.AttrSourcePort, source)
	putSide(attrs, event.AttrDestinationAddress, event.AttrDestinationPort, destination)
}

func putProtocol(attrs pcommon.Map, protocol uint8, local, peer netip.AddrPort) {
	transport, kind := "tcp", "ipv4"
	if protocol == unix.IPPROTO_UDP {
		transport = "udp"
	}
	if address := peer.Addr(); address.Is6() || (!address.IsValid() && local.Addr().Is6()) {
		kind = "ipv6"
	}
	attrs.PutStr(event.AttrNetworkTransport, transport)
	attrs.PutStr(event.AttrNetworkType, kind)
}

func putSide(attrs pcommon.Map, address, port string, side netip.AddrPort) {
	if !side.IsValid() {
		return
	}
	// The address a socket has before the kernel chose one says nothing.
	if !side.Addr().IsUnspecified() || side.Port() != 0 {
		attrs.PutStr(address, side.Addr().String())
	}
	if side.Port() != 0 {
		attrs.PutInt(port, int64(side.Port()))
	}
}

func (b *logBuilder) network(kind string, at time.Time, p *process.Process, e *bpf.SensorNetEvent) {
	attrs, ok := b.record(kind, at, p)
	if !ok {
		return
	}
	local, peer := process.Addresses(&e.Address)
	switch kind {
	case event.KindNetworkConnect, event.KindNetworkAccept:
		ingress := kind == event.KindNetworkAccept
		putConnection(attrs, e.Address.Protocol, local, peer, ingress)
		attrs.PutStr(event.AttrNetworkInitiated, strconv.FormatBool(!ingress))
	default:
		putProtocol(attrs, e.Address.Protocol, local, peer)
		putSide(attrs, event.AttrSourceAddress, event.AttrSourcePort, local)
	}
	putOutcome(attrs, e.Ret, e.Flags)
}

// dns makes a record of each question.
func (b *logBuilder) dns(at time.Time, p *process.Process, e *bpf.SensorDnsEvent, message []byte) {
	id, questions := dnsQuestions(message)
	local, peer := process.Addresses(&e.Address)
	for _, q := range questions {
		attrs, ok := b.record(event.KindDNSQuery, at, p)
		if !ok {
			return
		}
		putConnection(attrs, e.Address.Protocol, local, peer, false)
		attrs.PutStr(event.AttrNetworkProtocolName, dnsProtocol(peer.Port()))
		attrs.PutStr(event.AttrDNSQuestionName, q.name)
		attrs.PutStr(event.AttrDNSQuestionType, q.record)
		attrs.PutStr(event.AttrDNSID, strconv.Itoa(int(id)))
		putOutcome(attrs, 0, e.Flags)
	}
}

func putOutcome(attrs pcommon.Map, ret int32, flags uint32) {
	switch {
	case flags&uint32(bpf.SensorFileFlagsFILE_ATTEMPT) != 0:
		attrs.PutStr(event.AttrEventOutcome, "unknown")
	case ret < 0:
		attrs.PutStr(event.AttrEventOutcome, "failure")
		optional.PutStr(attrs, event.AttrErrorType, unix.ErrnoName(syscall.Errno(-ret)))
	default:
		attrs.PutStr(event.AttrEventOutcome, "success")
	}
}
