// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package ebpfreceiver

import (
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/sensor"
)

func attributeKey(name string) attribute.Key { return attribute.Key(name) }

// valueTypes says how an attribute of a type is carried.
var valueTypes = map[event.Type]pcommon.ValueType{
	event.String: pcommon.ValueTypeStr, event.Int: pcommon.ValueTypeInt, event.Bool: pcommon.ValueTypeBool,
	event.Time: pcommon.ValueTypeStr, event.Strings: pcommon.ValueTypeSlice,
}

// assertVocabulary wants no attribute that the record's kind does not have, and each with its type.
func assertVocabulary(t *testing.T, r record) {
	t.Helper()
	kind, ok := event.KindByName(r.EventName())
	if !assert.True(t, ok, r.EventName()) {
		return
	}
	assert.Equal(t, plog.SeverityNumberInfo, r.SeverityNumber())
	assert.NotZero(t, r.ObservedTimestamp())
	types := map[string]event.Type{}
	for _, field := range event.ECSPlan() {
		types[field.Attribute] = field.Type
	}
	for name, value := range r.Attributes().All() {
		assert.Contains(t, kind.Attributes, name, kind.Name)
		assert.True(t, utf8.ValidString(value.AsString()), "%s: %q", name, value.AsString())
		if want, ok := types[name]; ok {
			assert.Equal(t, valueTypes[want], value.Type(), name)
		}
		if types[name] == event.Time {
			_, err := time.Parse(time.RFC3339Nano, value.Str())
			assert.NoError(t, err, name)
		}
	}
}

// sometimes are the attributes that a record has only where there is something to say.
var sometimes = map[string]bool{
	event.AttrProcessInvokedPath:           true, // where it differs from the program
	event.AttrContainerID:                  true, // in a container
	event.AttrContainerRuntimeName:         true,
	event.AttrProcessRealUserID:            true, // where it differs
	event.AttrProcessRealGroupID:           true,
	event.AttrProcessTTY:                   true, // with a terminal
	event.AttrProcessExitCode:              true, // one of the two
	event.AttrProcessExitSignal:            true,
	event.AttrFilePathTruncated:            true, // never false
	event.AttrFileOriginalPath:             true, // of links and renames
	event.AttrFileTargetPath:               true, // of symbolic links
	event.AttrErrorType:                    true, // of failures
	event.AttrProcessIORelayEntityID:       true, // with a relay
	event.AttrProcessIORelayPID:            true,
	event.AttrProcessIORelayCommandLine:    true,
	event.AttrProcessIORelayExecutablePath: true,
}

// withStreams are those of a process whose streams are sockets.
var withStreams = []string{
	event.AttrProcessIOStdinLocal, event.AttrProcessIOStdinPeer, event.AttrProcessIOStdoutPeer, event.AttrProcessIOStderrPeer,
	event.AttrNetworkTransport, event.AttrNetworkType, event.AttrNetworkDirection,
	event.AttrSourceAddress, event.AttrSourcePort, event.AttrDestinationAddress, event.AttrDestinationPort,
}

// assertPromised wants every attribute of the subject's record that its kind has to have.
func assertPromised(t *testing.T, r record) {
	t.Helper()
	kind, _ := event.KindByName(r.EventName())
	for _, name := range kind.Attributes {
		if sometimes[name] || !promised(r, name) {
			continue
		}
		_, ok := r.Attributes().Get(name)
		assert.True(t, ok, "%s without %s: %v", kind.Name, name, r.Attributes().AsRaw())
	}
}

// promised tells whether the record has reason to carry one of the attributes that depend on what happened.
func promised(r record, name string) bool {
	unknown := r.text(event.AttrEventOutcome) == "unknown"
	switch kind := r.EventName(); {
	case kind == event.KindProcessExec && slices.Contains(withStreams, name):
		return r.text(event.AttrProcessIOStdin) == "socket"
	case kind == event.KindProcessExec || kind == event.KindProcessRemoteStdio:
		return name != event.AttrNetworkInitiated && name != event.AttrEventOutcome
	case kind == event.KindNetworkBind || kind == event.KindNetworkListen:
		// There is no other side yet; a port of the kernel's choice is not known before the call acts.
		return !slices.Contains([]string{event.AttrNetworkDirection, event.AttrNetworkInitiated,
			event.AttrDestinationAddress, event.AttrDestinationPort}, name) && (!unknown || name != event.AttrSourcePort)
	case kind == event.KindDNSQuery && name == event.AttrNetworkInitiated:
		return false // of connections
	case (kind == event.KindNetworkConnect || kind == event.KindDNSQuery) && unknown:
		return name != event.AttrSourceAddress && name != event.AttrSourcePort
	case kind == event.KindFileAttributes && slices.Contains([]string{event.AttrFileOwnerID, event.AttrFileOwnerName,
		event.AttrFileGroupID, event.AttrFileXattrName}, name):
		return false // of other changes
	case kind == event.KindFileAttributes && (name == event.AttrFileType || name == event.AttrFileInode):
		return unknown // after the call only the name is left
	case kind == event.KindFileCreate && name == event.AttrFileFlags:
		return false // of opens that create
	case (kind == event.KindFileRename || kind == event.KindFileDelete) && name == event.AttrFileType:
		return unknown // after the call only the name is left
	case name == event.AttrFileInode:
		// What is not there yet, or any more, has none.
		return kind == event.KindFileOpen || kind == event.KindFileAccess
	}
	return true
}

// assertOutcome: hooks before the kernel acts see the attempt only. An accepted connection is complete in every tier.
func assertOutcome(t *testing.T, r record, tier sensor.Tier) {
	t.Helper()
	kind, _ := event.KindByName(r.EventName())
	if kind.Class == "process" { // which have none, or whose tier is not that of the hook that saw them
		return
	}
	want := "success"
	if tier < sensor.Cgroup && kind.Name != event.KindNetworkAccept {
		want = "unknown"
	}
	if kind.Name == event.KindFileCreate && r.text(event.AttrFileName) == "new" {
		known := slices.Contains(r.words(event.AttrFileFlags), "create")
		assert.Equal(t, tier < sensor.Cgroup, known, "only before the kernel acts it says that it is to create")
	}
	assert.Equal(t, want, r.text(event.AttrEventOutcome), "%s: %v", kind.Name, r.Attributes().AsRaw())
}
