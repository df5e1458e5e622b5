// SPDX-License-Identifier: Apache-2.0

package ecs

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/jsontext"
)

// derived names the fields that follow from the record as a whole.
var derived = map[string]func(*Encoder, []byte) ([]byte, bool){
	"@timestamp":            (*Encoder).appendTimestamp,
	"data_stream.dataset":   (*Encoder).appendStreamDataset,
	"data_stream.namespace": (*Encoder).appendStreamNamespace,
	"data_stream.type":      (*Encoder).appendStreamType,
	"ecs.version":           (*Encoder).appendVersion,
	"event.action":          (*Encoder).appendAction,
	"event.category":        (*Encoder).appendCategory,
	"event.created":         (*Encoder).appendCreated,
	"event.dataset":         (*Encoder).appendDataset,
	"event.kind":            (*Encoder).appendKind,
	"event.module":          (*Encoder).appendModule,
	"event.severity":        (*Encoder).appendSeverity,
	"event.type":            (*Encoder).appendType,
	"log.level":             (*Encoder).appendLevel,
	"message":               (*Encoder).appendMessage,
	"process.args_count":    (*Encoder).appendArgsCount,
	"process.parent.name":   (*Encoder).appendParentName,
	"related.hosts":         (*Encoder).appendRelatedHosts,
	"related.ip":            (*Encoder).appendRelatedIP,
	"related.user":          (*Encoder).appendRelatedUser,
	"user.id":               (*Encoder).appendUserID,
	"user.name":             (*Encoder).appendUserName,
}

// appendTimestamp writes when the event happened, or was observed where that is unknown. A data
// stream takes no document without a time, so a record with neither gets the present one.
func (e *Encoder) appendTimestamp(dst []byte) ([]byte, bool) {
	at := e.record.Timestamp()
	if at == 0 {
		at = e.record.ObservedTimestamp()
	}
	if at == 0 {
		at = pcommon.NewTimestampFromTime(time.Now())
	}
	return jsontext.AppendTime(dst, at), true
}

func (e *Encoder) appendCreated(dst []byte) ([]byte, bool) {
	return jsontext.AppendTime(dst, e.record.ObservedTimestamp()), e.record.ObservedTimestamp() != 0
}

func (*Encoder) appendVersion(dst []byte) ([]byte, bool) {
	return jsontext.AppendString(dst, Version), true
}

func (*Encoder) appendModule(dst []byte) ([]byte, bool) {
	return jsontext.AppendString(dst, "vedette"), true
}

// appendKind writes the kind the record itself names, else what follows from its EventName.
func (e *Encoder) appendKind(dst []byte) ([]byte, bool) {
	if v, ok := e.value(event.AttrEventKind); ok && v.Type() != pcommon.ValueTypeStr {
		e.addLabel(event.AttrEventKind, v)
	}
	switch kind := e.text(event.AttrEventKind); {
	case kind != "":
		return jsontext.AppendString(dst, kind), true
	case e.alert:
		return jsontext.AppendString(dst, "alert"), true
	default:
		return jsontext.AppendString(dst, "event"), true
	}
}

func (e *Encoder) appendAction(dst []byte) ([]byte, bool) {
	action := e.kind.ECS.Action
	if action == "" {
		action = e.about
	}
	return jsontext.AppendString(dst, action), action != ""
}

func (e *Encoder) appendCategory(dst []byte) ([]byte, bool) {
	return e.appendUnion(dst, e.alertKind.ECS.Category, e.kind.ECS.Category)
}

func (e *Encoder) appendType(dst []byte) ([]byte, bool) {
	return e.appendUnion(dst, e.alertKind.ECS.Type, e.kind.ECS.Type)
}

// appendUnion writes what holds for the event, for an alert after what holds for every alert.
func (e *Encoder) appendUnion(dst []byte, ofAlert, ofEvent []string) ([]byte, bool) {
	if !e.alert {
		ofAlert = nil
	}
	dst = append(dst, '[')
	for _, s := range ofAlert {
		dst = jsontext.AppendString(jsontext.Comma(dst), s)
	}
	for _, s := range ofEvent {
		if !slices.Contains(ofAlert, s) {
			dst = jsontext.AppendString(jsontext.Comma(dst), s)
		}
	}
	return append(dst, ']'), len(ofAlert)+len(ofEvent) > 0
}

// appendDataset writes the class of the event; generic for one that is not in the vocabulary.
func (e *Encoder) appendDataset(dst []byte) ([]byte, bool) {
	dst = append(dst, `"vedette.`...)
	dst = append(dst, e.class...)
	return append(dst, '"'), true
}

// appendSeverity writes the four numbers that Elastic Security's alerts know.
func (e *Encoder) appendSeverity(dst []byte) ([]byte, bool) {
	number := e.record.SeverityNumber()
	severity := int64(99)
	switch {
	case number == plog.SeverityNumberUnspecified:
		return dst, false
	case number < plog.SeverityNumberWarn:
		severity = 21
	case number < plog.SeverityNumberError:
		severity = 47
	case number < plog.SeverityNumberFatal:
		severity = 73
	}
	return strconv.AppendInt(dst, severity, 10), true
}

func (e *Encoder) appendLevel(dst []byte) ([]byte, bool) {
	level := e.record.SeverityText()
	if level == "" && e.record.SeverityNumber() != plog.SeverityNumberUnspecified {
		level = strings.ToLower(e.record.SeverityNumber().String())
	}
	return jsontext.AppendString(dst, level), level != ""
}

func (e *Encoder) appendMessage(dst []byte) ([]byte, bool) {
	body := e.record.Body()
	if body.Type() == pcommon.ValueTypeEmpty {
		return dst, false
	}
	dst, e.scratch = appendText(dst, body, e.scratch)
	return dst, true
}

// appendStreamDataset and its neighbours name the data stream that the document goes to, where it
// goes to one.
func (e *Encoder) appendStreamDataset(dst []byte) ([]byte, bool) {
	return jsontext.AppendString(dst, e.stream.Dataset), e.stream.Dataset != ""
}

func (e *Encoder) appendStreamNamespace(dst []byte) ([]byte, bool) {
	return jsontext.AppendString(dst, e.stream.Namespace), e.stream.Namespace != ""
}

func (e *Encoder) appendStreamType(dst []byte) ([]byte, bool) {
	return append(dst, `"logs"`...), e.stream != Stream{}
}

func (e *Encoder) appendArgsCount(dst []byte) ([]byte, bool) {
	args, ok := e.value(event.AttrProcessCommandArgs)
	if !ok || args.Type() != pcommon.ValueTypeSlice {
		return dst, false
	}
	return strconv.AppendInt(dst, int64(args.Slice().Len()), 10), true
}

func (e *Encoder) appendParentName(dst []byte) ([]byte, bool) {
	parent := e.text(event.AttrProcessParentExecutablePath)
	return jsontext.AppendString(dst, parent[strings.LastIndexByte(parent, '/')+1:]), parent != ""
}

// appendUserID and appendUserName say who acted where Elastic's rules and views look for it: they know
// no user of a process.
func (e *Encoder) appendUserID(dst []byte) ([]byte, bool) {
	id, ok := e.value(event.AttrProcessUserID)
	if !ok {
		return dst, false
	}
	return appendScalarText(dst, id)
}

func (e *Encoder) appendUserName(dst []byte) ([]byte, bool) {
	name := e.text(event.AttrProcessUserName)
	return jsontext.AppendString(dst, name), name != ""
}

func (e *Encoder) appendRelatedHosts(dst []byte) ([]byte, bool) {
	return appendSingle(dst, e.text(event.AttrHostName))
}

func (e *Encoder) appendRelatedUser(dst []byte) ([]byte, bool) {
	return appendSingle(dst, e.text(event.AttrProcessUserName))
}

// appendRelatedIP writes every address of the record once: both ends of the connection, and the
// peers of the standard streams.
func (e *Encoder) appendRelatedIP(dst []byte) ([]byte, bool) {
	var found [5]netip.Addr
	ips := found[:0]
	add := func(ip netip.Addr, err error) {
		if err == nil && ip.Zone() == "" && !slices.Contains(ips, ip) {
			ips = append(ips, ip)
		}
	}
	for _, a := range [...]string{event.AttrSourceAddress, event.AttrDestinationAddress} {
		if text := e.text(a); text != "" {
			add(netip.ParseAddr(text))
		}
	}
	for _, l := range e.labels {
		if isPeer(l.attribute) && l.value.Type() == pcommon.ValueTypeStr {
			peer, err := netip.ParseAddrPort(l.value.Str())
			add(peer.Addr(), err)
		}
	}
	dst = append(dst, '[')
	for _, ip := range ips {
		dst = append(jsontext.Comma(dst), '"')
		dst = append(ip.AppendTo(dst), '"')
	}
	return append(dst, ']'), len(ips) > 0
}

func isPeer(attribute string) bool {
	switch attribute {
	case event.AttrProcessIOStdinPeer, event.AttrProcessIOStdoutPeer, event.AttrProcessIOStderrPeer:
		return true
	}
	return false
}

func appendSingle(dst []byte, s string) ([]byte, bool) {
	dst = jsontext.AppendString(append(dst, '['), s)
	return append(dst, ']'), s != ""
}
