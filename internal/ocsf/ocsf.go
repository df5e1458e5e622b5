// SPDX-License-Identifier: Apache-2.0

// Package ocsf writes alerts as Detection Findings of the Open Cybersecurity Schema Framework.
package ocsf

import (
	"maps"
	"path"
	"slices"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/ecs"
	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/jsontext"
)

// Version is the version of the schema.
const Version = "1.4.0"

// Numbers of the schema.
const (
	categoryFindings = 2
	classFinding     = 2004 // Detection Finding
	activityCreate   = 1
	statusNew        = 1
	analyticRule     = 1
	fileRegular      = 1
	deviceServer     = 1
	osLinux          = 200
)

// Encoder writes records one after the other. It must not be used by two goroutines at once.
type Encoder struct {
	attributes map[string]pcommon.Value // of the record and its resource
	used       map[string]bool          // those that have a place in the schema
	dst        []byte
}

// NewEncoder returns one that has written nothing.
func NewEncoder() *Encoder {
	return &Encoder{attributes: map[string]pcommon.Value{}, used: map[string]bool{}}
}

// AppendDocument appends the record as one line of JSON, without a line end, and returns the extended slice: an alert
// as a Detection Finding, any other record as a Base Event. What has no place in the schema is under unmapped, so
// that every attribute is in the document.
func (e *Encoder) AppendDocument(dst []byte, resource pcommon.Resource, record plog.LogRecord) []byte {
	clear(e.attributes)
	clear(e.used)
	for name, value := range record.Attributes().All() {
		e.attributes[name] = value
	}
	for name, value := range resource.Attributes().All() {
		if _, taken := e.attributes[name]; taken {
			name = "resource." + name
		}
		e.attributes[name] = value
	}
	e.dst = append(dst, '{')
	e.head(record)
	if kind, _ := e.text(event.AttrEventKind); ecs.Class(record.EventName(), kind) == "alert" {
		e.finding(record)
	} else {
		e.number("class_uid", 0)
		e.number("category_uid", 0)
		e.number("activity_id", 0)
		e.number("type_uid", 0)
	}
	e.device()
	e.unmapped(record)
	dst, e.dst = append(e.dst, '}'), nil
	return dst
}

func millis(at pcommon.Timestamp) int64 { return int64(at / 1_000_000) }

func (e *Encoder) head(record plog.LogRecord) {
	at := record.Timestamp()
	if at == 0 {
		at = record.ObservedTimestamp()
	}
	e.number("time", millis(at))
	id, name := severity(record.SeverityNumber())
	e.number("severity_id", int64(id))
	e.string("severity", name)
	e.string("message", record.Body().AsString())
	e.object("metadata", func() {
		e.string("version", Version)
		e.object("product", func() {
			e.string("name", "Vedette")
			e.string("vendor_name", "Vedette")
		})
		e.take("uid", event.AttrEventID)
		e.take("event_code", event.AttrVedetteEventName)
		if observed := record.ObservedTimestamp(); observed != 0 {
			e.number("logged_time", millis(observed))
		}
	})
}

// severity returns the schema's number and name for an OTel severity.
func severity(n plog.SeverityNumber) (int, string) {
	switch {
	case n == plog.SeverityNumberUnspecified:
		return 0, "Unknown"
	case n <= plog.SeverityNumberInfo:
		return 1, "Informational"
	case n < plog.SeverityNumberWarn:
		return 2, "Low"
	case n < plog.SeverityNumberError:
		return 3, "Medium"
	case n < plog.SeverityNumberFatal:
		return 4, "High"
	default:
		return 5, "Critical"
	}
}

func (e *Encoder) finding(record plog.LogRecord) {
	e.number("class_uid", classFinding)
	e.string("class_name", "Detection Finding")
	e.number("category_uid", categoryFindings)
	e.string("category_name", "Findings")
	e.number("activity_id", activityCreate)
	e.string("activity_name", "Create")
	e.number("type_uid", classFinding*100+activityCreate)
	e.number("status_id", statusNew)
	e.take("risk_score", event.AttrEventRiskScore)
	e.used[event.AttrEventKind] = true
	e.object("finding_info", func() {
		e.take("uid", event.AttrEventID)
		e.take("title", event.AttrSecurityRuleName)
		e.take("desc", event.AttrSecurityRuleDescription)
		e.take("src_url", event.AttrSecurityRuleReference)
		e.number("created_time", millis(record.ObservedTimestamp()))
		e.object("analytic", func() {
			e.number("type_id", analyticRule)
			e.string("type", "Rule")
			e.take("uid", event.AttrSecurityRuleUUID)
			e.take("name", event.AttrSecurityRuleName)
			e.take("version", event.AttrSecurityRuleVersion)
			e.take("category", event.AttrSecurityRuleCategory)
		})
		e.attacks()
	})
	e.evidence()
}

// attacks lists tactics, techniques and sub-techniques, each by itself: the alert does not say which belongs to which.
func (e *Encoder) attacks() {
	e.open("attacks", '[')
	for _, kind := range [...]struct{ key, ids, names string }{
		{"tactic", event.AttrThreatTacticID, event.AttrThreatTacticName},
		{"technique", event.AttrThreatTechniqueID, event.AttrThreatTechniqueName},
		{"sub_technique", event.AttrThreatTechniqueSubtechniqueID, event.AttrThreatTechniqueSubtechniqueName},
	} {
		ids, names := e.list(kind.ids), e.list(kind.names)
		for i, id := range ids {
			e.dst = append(jsontext.Comma(e.dst), '{')
			e.object(kind.key, func() {
				e.string("uid", id)
				if i < len(names) {
					e.string("name", names[i])
				}
			})
			e.dst = append(e.dst, '}')
		}
	}
	e.dst = append(e.dst, ']')
}

func (e *Encoder) evidence() {
	e.open("evidences", '[')
	e.dst = append(e.dst, '{')
	e.object("process", func() {
		e.process(event.AttrProcessEntityID, event.AttrProcessPID, event.AttrProcessExecutablePath, event.AttrProcessCommandLine)
		e.object("user", func() {
			e.takeText("uid", event.AttrProcessUserID)
			e.take("name", event.AttrProcessUserName)
		})
		e.object("parent_process", func() {
			e.process(event.AttrProcessParentEntityID, event.AttrProcessParentPID, event.AttrProcessParentExecutablePath, event.AttrProcessParentCommandLine)
		})
		e.object("container", func() {
			e.take("uid", event.AttrContainerID)
			e.take("runtime", event.AttrContainerRuntimeName)
		})
	})
	e.object("file", func() { e.file(event.AttrFilePath) })
	e.endpoint("src_endpoint", event.AttrSourceAddress, event.AttrSourcePort)
	e.endpoint("dst_endpoint", event.AttrDestinationAddress, event.AttrDestinationPort)
	e.dst = append(e.dst, '}', ']')
}

func (e *Encoder) process(entity, pid, executable, commandLine string) {
	e.take("uid", entity)
	e.take("pid", pid)
	e.take("cmd_line", commandLine)
	if file, ok := e.text(executable); ok {
		e.string("name", path.Base(file))
		e.object("file", func() { e.file(executable) })
	}
}

func (e *Encoder) file(attribute string) {
	if file, ok := e.text(attribute); ok {
		e.take("path", attribute)
		e.string("name", path.Base(file))
		e.number("type_id", fileRegular)
	}
}

func (e *Encoder) endpoint(key, address, port string) {
	e.object(key, func() {
		e.take("ip", address)
		e.take("port", port)
	})
}

func (e *Encoder) device() {
	e.object("device", func() {
		e.take("hostname", event.AttrHostName)
		e.take("uid", event.AttrHostID)
		e.take("boot_uid", event.AttrHostBootID)
		if _, ok := e.text(event.AttrOSType); ok {
			e.number("type_id", deviceServer)
			e.object("os", func() {
				e.take("name", event.AttrOSType)
				e.number("type_id", osLinux)
				e.take("kernel_release", event.AttrOSVersion)
			})
		}
	})
}

// unmapped keeps the rest, in the order of the names, with the record's own event name.
func (e *Encoder) unmapped(record plog.LogRecord) {
	e.object("unmapped", func() {
		e.string("event_name", record.EventName())
		for _, name := range slices.Sorted(maps.Keys(e.attributes)) {
			if !e.used[name] {
				e.key(name)
				e.dst = jsontext.AppendValue(e.dst, e.attributes[name])
			}
		}
	})
}

// text returns a text attribute.
func (e *Encoder) text(attribute string) (string, bool) {
	v, ok := e.attributes[attribute]
	if !ok || v.Type() != pcommon.ValueTypeStr {
		return "", false
	}
	return v.Str(), true
}

// list returns an attribute that is a list, as text.
func (e *Encoder) list(attribute string) []string {
	v, ok := e.attributes[attribute]
	if !ok || v.Type() != pcommon.ValueTypeSlice {
		return nil
	}
	e.used[attribute] = true
	var list []string
	for _, element := range v.Slice().All() {
		list = append(list, element.AsString())
	}
	return list
}

// take writes an attribute as it is, and remembers that it has its place.
func (e *Encoder) take(key, attribute string) {
	if v, ok := e.attributes[attribute]; ok {
		e.used[attribute] = true
		e.key(key)
		e.dst = jsontext.AppendValue(e.dst, v)
	}
}

// takeText does so for a number that the schema has as text.
func (e *Encoder) takeText(key, attribute string) {
	if v, ok := e.attributes[attribute]; ok {
		e.used[attribute] = true
		e.string(key, v.AsString())
	}
}

func (e *Encoder) key(key string) {
	e.dst = append(jsontext.AppendString(jsontext.Comma(e.dst), key), ':')
}

func (e *Encoder) open(key string, delimiter byte) {
	e.key(key)
	e.dst = append(e.dst, delimiter)
}

// object writes an object unless it would be empty.
func (e *Encoder) object(key string, members func()) {
	before := len(e.dst)
	e.open(key, '{')
	inside := len(e.dst)
	members()
	if len(e.dst) == inside {
		e.dst = e.dst[:before]
		return
	}
	e.dst = append(e.dst, '}')
}

func (e *Encoder) string(key, value string) {
	if value != "" {
		e.key(key)
		e.dst = jsontext.AppendString(e.dst, value)
	}
}

func (e *Encoder) number(key string, value int64) {
	e.key(key)
	e.dst = strconv.AppendInt(e.dst, value, 10)
}
