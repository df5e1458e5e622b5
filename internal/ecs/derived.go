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
)

// derived names the fields that follow from the record as a whole.
var derived = map[string]func(*Encoder, []byte) ([]byte, bool){
	"@timestamp":     (*Encoder).appendTimestamp,
	"ecs.version":    (*Encoder).appendVersion,
	"event.action":   (*Encoder).appendAction,
	"event.category": (*Encoder).appendCategory,
	"event.created":  (*Encoder).appendCreated,
	"event.dataset":  (*Encoder).appendDataset,
	"event.kind":     (*Encoder).appendKind,
	"event.module":   (*Encoder).appendModule,
	"event.severity": (*Encoder).appendSeverity,
	"event.type":     (*Encoder).appendType,
	"log.level":      (*Encoder).appendLevel,
	"message":        (*Encoder).appendMessage,
	"related.hosts":  (*Encoder).appendRelatedHosts,
	"related.ip":     (*Encoder).appendRelatedIP,
	"related.user":   (*Encoder).appendRelatedUser,
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
	return appendTime(dst, at), true
}

func (e *Encoder) appendCreated(dst []byte) ([]byte, bool) {
	return appendTime(dst, e.record.ObservedTimestamp()), e.record.ObservedTimestamp() != 0
}

func (*Encoder) appendVersion(dst []byte) ([]byte, bool) {
	return appendString(dst, Version), true
}

func (*Encoder) appendModule(dst []byte) ([]byte, bool) {
	return appendString(dst, "vedette"), true
}

// appendKind writes the kind the record itself names, else what follows from its EventName.
func (e *Encoder) appendKind(dst []byte) ([]byte, bool) {
	if v, ok := e.value(event.AttrEventKind); ok && v.Type() != pcommon.ValueTypeStr {
		e.addLabel(event.AttrEventKind, v)
	}
	switch kind := e.text(event.AttrEventKind); {
	case kind != "":
		return appendString(dst, kind), true
	case e.alert:
		return appendString(dst, "alert"), true
	default:
		return appendString(dst, "event"), true
	}
}

func (e *Encoder) appendAction(dst []byte) ([]byte, bool) {
	action := e.kind.ECS.Action
	if action == "" {
		action = e.about
	}
	return appendString(dst, action), action != ""
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
		dst = appendString(comma(dst), s)
	}
	for _, s := range ofEvent {
		if !slices.Contains(ofAlert, s) {
			dst = appendString(comma(dst), s)
		}
	}
	return append(dst, ']'), len(ofAlert)+len(ofEvent) > 0
}

// appendDataset writes the class of the event; generic for one that is not in the vocabulary.
func (e *Encoder) appendDataset(dst []byte) ([]byte, bool) {
	class := e.kind.Class
	switch {
	case e.alert:
		class = e.alertKind.Class
	case class == "":
		class = "generic"
	}
	dst = append(dst, `"vedette.`...)
	dst = append(dst, class...)
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
	return appendString(dst, level), level != ""
}

func (e *Encoder) appendMessage(dst []byte) ([]byte, bool) {
	body := e.record.Body()
	if body.Type() == pcommon.ValueTypeEmpty {
		return dst, false
	}
	dst, e.scratch = appendText(dst, body, e.scratch)
	return dst, true
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
		dst = append(comma(dst), '"')
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
	dst = appendString(append(dst, '['), s)
	return append(dst, ']'), s != ""
}
