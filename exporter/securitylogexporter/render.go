// SPDX-License-Identifier: Apache-2.0

package securitylogexporter

import (
	"fmt"
	"net"
	"path"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/visible"
)

// maxText is the length, in bytes, beyond which a text is cut on the terminal.
const maxText = 1000

// ANSI sequences for the terminal.
const (
	reset = "\x1b[0m"
	bold  = "\x1b[1m"
	faint = "\x1b[2m"
)

// severity is how one range of OTel severity numbers is shown.
type severity struct {
	below  plog.SeverityNumber
	label  string
	colour string
}

var severities = [...]severity{
	{plog.SeverityNumberInfo2, "INFORMATIONAL", "\x1b[2m"},
	{plog.SeverityNumberWarn, "LOW", "\x1b[36m"},
	{plog.SeverityNumberError, "MEDIUM", "\x1b[33m"},
	{plog.SeverityNumberFatal, "HIGH", "\x1b[31m"},
	{plog.SeverityNumberFatal4 + 1, "CRITICAL", "\x1b[1;97;41m"},
}

func severityOf(n plog.SeverityNumber) severity {
	for _, s := range severities {
		if n < s.below {
			return s
		}
	}
	return severities[len(severities)-1]
}

// renderer turns a record into lines for a person to read.
type renderer struct {
	location *time.Location
	colour   bool
}

// append adds the record: a line with time, severity and message, then one line for each thing known.
func (r renderer) append(dst []byte, lr plog.LogRecord) []byte {
	at := lr.Timestamp()
	if at == 0 {
		at = lr.ObservedTimestamp()
	}
	message := lr.Body().AsString()
	if message == "" {
		message = lr.EventName()
	}
	s := severityOf(lr.SeverityNumber())
	dst = r.paint(dst, faint, at.AsTime().In(r.location).Format("2006-01-02 15:04:05"))
	dst = r.paint(append(dst, ' '), s.colour, s.label)
	dst = r.paint(append(dst, ' '), bold, plain(message))
	dst = append(dst, '\n')
	a := textsOf(lr.Attributes())
	for _, d := range [...]struct{ name, text string }{
		{"rule", a.one(event.AttrSecurityRuleName)},
		{"technique", a.techniques()},
		{"chain", a.chain()},
		{"user", a.one(event.AttrProcessUserName)},
		{"container", a.container()},
		{"peer", a.peer()},
	} {
		if d.text != "" {
			dst = append(dst, "    "...)
			dst = r.paint(dst, faint, fmt.Sprintf("%-10s", d.name))
			dst = append(append(append(dst, ' '), plain(d.text)...), '\n')
		}
	}
	return dst
}

func (r renderer) paint(dst []byte, colour, text string) []byte {
	if !r.colour {
		return append(dst, text...)
	}
	return append(append(append(dst, colour...), text...), reset...)
}

// plain makes text harmless, and not too long.
func plain(text string) string {
	cut := ""
	if len(text) > maxText {
		text, cut = strings.ToValidUTF8(text[:maxText], ""), "…"
	}
	return visible.Text(text) + cut
}

// texts are the attributes of a record as text, lists as lists.
type texts map[string][]string

func textsOf(attributes pcommon.Map) texts {
	t := make(texts, attributes.Len())
	for name, value := range attributes.All() {
		if value.Type() != pcommon.ValueTypeSlice {
			t[name] = []string{value.AsString()}
			continue
		}
		for _, element := range value.Slice().All() {
			t[name] = append(t[name], element.AsString())
		}
	}
	return t
}

func (t texts) one(attribute string) string {
	if values := t[attribute]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// techniques lists id and name of each sub-technique and of each technique without one.
func (t texts) techniques() string {
	subs := t[event.AttrThreatTechniqueSubtechniqueID]
	var list []string
	for i, id := range t[event.AttrThreatTechniqueID] {
		if !slices.ContainsFunc(subs, func(sub string) bool { return strings.HasPrefix(sub, id+".") }) {
			list = append(list, named(id, t[event.AttrThreatTechniqueName], i))
		}
	}
	for i, id := range subs {
		list = append(list, named(id, t[event.AttrThreatTechniqueSubtechniqueName], i))
	}
	return strings.Join(list, ", ")
}

func named(id string, names []string, i int) string {
	if i >= len(names) {
		return id
	}
	return id + " " + names[i]
}

// chain is the way from init to the process, each as name[pid].
func (t texts) chain() string {
	var steps []string
	for _, ancestor := range t[event.AttrProcessAncestors] {
		steps = append(steps, path.Base(ancestor))
	}
	slices.Reverse(steps)
	name := t.one(event.AttrProcessExecutableName)
	if name == "" && t.one(event.AttrProcessExecutablePath) != "" {
		name = path.Base(t.one(event.AttrProcessExecutablePath))
	}
	if name != "" {
		steps = append(steps, name+"["+t.one(event.AttrProcessPID)+"]")
	}
	return strings.Join(steps, " › ")
}

func (t texts) container() string {
	id, runtime := t.one(event.AttrContainerID), t.one(event.AttrContainerRuntimeName)
	if id == "" || runtime == "" {
		return id
	}
	return id + " (" + runtime + ")"
}

// peer is the other side of the connection, or of the standard streams.
func (t texts) peer() string {
	address, port := t.one(event.AttrDestinationAddress), t.one(event.AttrDestinationPort)
	if t.one(event.AttrNetworkDirection) == "ingress" {
		address, port = t.one(event.AttrSourceAddress), t.one(event.AttrSourcePort)
	}
	switch {
	case address != "" && port != "":
		return net.JoinHostPort(address, port)
	case address != "":
		return address
	}
	for _, a := range [...]string{event.AttrProcessIOStdinPeer, event.AttrProcessIOStdoutPeer, event.AttrProcessIOStderrPeer} {
		if peer := t.one(a); peer != "" {
			return peer
		}
	}
	return ""
}
