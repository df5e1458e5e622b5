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

// derivation makes a field of the record as a whole.
type derivation struct {
	append func(*Encoder, []byte) ([]byte, bool)
	// from are the attributes of which the record must have one; none for a field that may always be there.
	from []string
}

// derived names the fields that follow from the record as a whole.
var derived = map[string]derivation{
	"@timestamp":            {append: (*Encoder).appendTimestamp},
	"data_stream.dataset":   {append: (*Encoder).appendStreamDataset},
	"data_stream.namespace": {append: (*Encoder).appendStreamNamespace},
	"data_stream.type":      {append: (*Encoder).appendStreamType},
	"ecs.version":           {append: (*Encoder).appendVersion},
	"event.action":          {append: (*Encoder).appendAction},
	"event.category":        {append: (*Encoder).appendCategory},
	"event.created":         {append: (*Encoder).appendCreated},
	"event.dataset":         {append: (*Encoder).appendDataset},
	"event.kind":            {append: (*Encoder).appendKind},
	"event.module":          {append: (*Encoder).appendModule},
	"event.severity":        {append: (*Encoder).appendSeverity},
	"event.type":            {append: (*Encoder).appendType},
	"log.level":             {append: (*Encoder).appendLevel},
	"message":               {append: (*Encoder).appendMessage},
	"process.args_count":    {append: (*Encoder).appendArgsCount, from: []string{event.AttrProcessCommandArgs}},
	"process.parent.name":   {append: (*Encoder).appendParentName, from: []string{event.AttrProcessParentExecutablePath}},
	"related.hosts":         {append: (*Encoder).appendRelatedHosts, from: []string{event.AttrHostName}},
	"related.ip":            {append: (*Encoder).appendRelatedIP, from: append([]string{event.AttrSourceAddress, event.AttrDestinationAddress}, peers...)},
	"related.user":          {append: (*Encoder).appendRelatedUser, from: []string{event.AttrProcessUserName}},
	"user.id":               {append: (*Encoder).appendUserID, from: []string{event.AttrProcessUserID}},
	"user.name":             {append: (*Encoder).appendUserName, from: []string{event.AttrProcessUserName}},
}

// peers are the attributes that hold an address and a port.
var peers = []string{event.AttrProcessIOStdinPeer, event.AttrProcessIOStdoutPeer, event.AttrProcessIOStderrPeer}

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
	return e.clock.AppendTime(dst, at), true
}

func (e *Encoder) appendCreated(dst []byte) ([]byte, bool) {
	at := e.record.ObservedTimestamp()
	if at == 0 {
		return dst, false
	}
	return e.clock.AppendTime(dst, at), true
}

func (*Encoder) appendVersion(dst []byte) ([]byte, bool) {
	return append(dst, `"`+Version+`"`...), true
}

func (*Encoder) appendModule(dst []byte) ([]byte, bool) {
	return append(dst, `"vedette"`...), true
}

// appendKind writes the kind the record itself names, else what follows from its EventName.
func (e *Encoder) appendKind(dst []byte) ([]byte, bool) {
	if e.taken.has(e.at.kind) && e.values[e.at.kind].Type() != pcommon.ValueTypeStr {
		e.named.add(e.at.kind)
	}
	switch kind := e.text(e.at.kind); {
	case kind != "":
		return jsontext.AppendString(dst, kind), true
	case e.alert:
		return append(dst, `"alert"`...), true
	default:
		return append(dst, `"event"`...), true
	}
}

func (e *Encoder) appendAction(dst []byte) ([]byte, bool) {
	if e.kind.action == "" {
		return jsontext.AppendString(dst, e.about), e.about != ""
	}
	return append(dst, e.kind.action...), true
}

func (e *Encoder) appendCategory(dst []byte) ([]byte, bool) {
	return e.appendPrepared(dst, e.kind.alertCategory, e.kind.category)
}

func (e *Encoder) appendType(dst []byte) ([]byte, bool) {
	return e.appendPrepared(dst, e.kind.alertType, e.kind.typ)
}

func (e *Encoder) appendPrepared(dst []byte, ofAlert, ofEvent string) ([]byte, bool) {
	if e.alert {
		return append(dst, ofAlert...), true
	}
	return append(dst, ofEvent...), ofEvent != ""
}

// appendDataset writes the class of the event; generic for one that is not in the vocabulary.
func (e *Encoder) appendDataset(dst []byte) ([]byte, bool) {
	if e.alert {
		return append(dst, `"vedette.`+classOfAlerts+`"`...), true
	}
	return append(dst, e.kind.dataset...), true
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

// appendLevel writes the name the record gives its severity, else that of its number.
func (e *Encoder) appendLevel(dst []byte) ([]byte, bool) {
	if text := e.record.SeverityText(); text != "" {
		return jsontext.AppendString(dst, text), true
	}
	number := e.record.SeverityNumber()
	if number <= plog.SeverityNumberUnspecified || int(number) >= len(levels) {
		return dst, false
	}
	return append(dst, levels[number]...), true
}

// levels are the names of the numbers of severities, as JSON.
var levels = func() (names [plog.SeverityNumberFatal4 + 1]string) {
	for number := range names {
		names[number] = `"` + strings.ToLower(plog.SeverityNumber(number).String()) + `"`
	}
	return names
}()

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
	args := e.values[e.at.args]
	if args.Type() != pcommon.ValueTypeSlice {
		return dst, false
	}
	return strconv.AppendInt(dst, int64(args.Slice().Len()), 10), true
}

func (e *Encoder) appendParentName(dst []byte) ([]byte, bool) {
	parent := e.text(e.at.parent)
	return jsontext.AppendString(dst, parent[strings.LastIndexByte(parent, '/')+1:]), parent != ""
}

// appendUserID and appendUserName say who acted where Elastic's rules and views look for it: they know
// no user of a process.
func (e *Encoder) appendUserID(dst []byte) ([]byte, bool) {
	return appendScalarText(dst, e.values[e.at.userID])
}

func (e *Encoder) appendUserName(dst []byte) ([]byte, bool) {
	name := e.text(e.at.userName)
	return jsontext.AppendString(dst, name), name != ""
}

func (e *Encoder) appendRelatedHosts(dst []byte) ([]byte, bool) {
	return appendSingle(dst, e.text(e.at.host))
}

func (e *Encoder) appendRelatedUser(dst []byte) ([]byte, bool) {
	return appendSingle(dst, e.text(e.at.userName))
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
	for _, slot := range [...]int{e.at.source, e.at.destination} {
		if text := e.text(slot); text != "" {
			add(netip.ParseAddr(text))
		}
	}
	for _, slot := range e.at.peers {
		if text := e.text(slot); text != "" {
			peer, err := netip.ParseAddrPort(text)
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

func appendSingle(dst []byte, s string) ([]byte, bool) {
	dst = jsontext.AppendString(append(dst, '['), s)
	return append(dst, ']'), s != ""
}
