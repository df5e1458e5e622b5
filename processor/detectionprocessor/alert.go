// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/xpdata"

	"github.com/vedette-sec/vedette/internal/alertmessage"
	"github.com/vedette-sec/vedette/internal/attack"
	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/pkg/sigma"
	"github.com/vedette-sec/vedette/pkg/sigma/correlation"
)

// keywordField stands for the field of a keyword, which has none.
const keywordField = "keyword"

// attributesOfAlert is about how many attributes an alert adds to those of the event.
const attributesOfAlert = 28

// identityAttributes tell apart the events that one process makes in the same nanosecond.
var identityAttributes = []string{
	event.AttrProcessEntityID, event.AttrProcessPID, event.AttrFilePath, event.AttrFileOriginalPath,
	event.AttrSourceAddress, event.AttrSourcePort, event.AttrDestinationAddress, event.AttrDestinationPort,
	event.AttrProcessIORelayEntityID,
}

// write makes the empty record out the alert of a finding.
func (f *finding) write(out plog.LogRecord) {
	out.SetTimestamp(f.log.Timestamp())
	out.SetObservedTimestamp(f.log.ObservedTimestamp())
	out.SetTraceID(f.log.TraceID())
	out.SetSpanID(f.log.SpanID())
	out.SetFlags(f.log.Flags())
	out.SetDroppedAttributesCount(f.log.DroppedAttributesCount())
	out.SetEventName(event.KindSecurityAlert)
	out.Body().SetStr(f.message)
	out.SetSeverityNumber(f.rule.level.severity)
	out.SetSeverityText(f.rule.level.name)
	f.writeAttributes(out.Attributes())
}

// writeAttributes gives the attributes of the event and those of the alert. To put each looks through all that are there,
// so they are appended, and only those of the event that the alert may have too are put where the alert has none.
func (f *finding) writeAttributes(out pcommon.Map) {
	var attrs xpdata.MapBuilder
	attrs.EnsureCapacity(f.log.Attributes().Len() + attributesOfAlert)
	shared := false
	for name, value := range f.log.Attributes().All() {
		if _, ok := namesOfAlert[name]; ok {
			shared = true
			continue
		}
		value.CopyTo(attrs.AppendEmpty(name))
	}
	f.append(&attrs)
	attrs.UnsafeIntoMap(out)
	if !shared {
		return
	}
	for name, value := range f.log.Attributes().All() {
		if _, ok := namesOfAlert[name]; ok {
			if own, has := out.GetOrPutEmpty(name); !has {
				value.CopyTo(own)
			}
		}
	}
}

// namesOfAlert are the attributes that an alert may add to those of its event.
var namesOfAlert = func() map[string]struct{} {
	names := map[string]struct{}{}
	alert, _ := event.KindByName(event.KindSecurityAlert)
	for _, name := range alert.Attributes {
		names[name] = struct{}{}
	}
	return names
}()

// append adds what only the alert says.
func (f *finding) append(attrs *xpdata.MapBuilder) {
	attrs.AppendEmpty(event.AttrEventKind).SetStr("alert")
	attrs.AppendEmpty(event.AttrEventID).SetStr(f.id())
	if name := f.log.EventName(); name != "" {
		attrs.AppendEmpty(event.AttrVedetteEventName).SetStr(name)
	}
	f.describe(attrs.AppendEmpty)
	f.appendRisk(attrs)
	if f.verdict.Suppressed > 0 {
		attrs.AppendEmpty(event.AttrVedetteSuppressedCount).SetInt(f.verdict.Suppressed)
	}
	if f.lossKnown {
		attrs.AppendEmpty(event.AttrVedetteEventsLost).SetInt(f.lost)
	}
}

// describe writes what the rule is and why it matched, into the values that put gives.
func (f *finding) describe(put func(name string) pcommon.Value) {
	for name, value := range f.rule.described.All() {
		value.CopyTo(put(name))
	}
	if f.ofPolicy {
		return // the event says which policies judged, and why
	}
	put(event.AttrVedetteRulesGeneration).SetInt(f.generation)
	if f.firing != nil {
		putCorrelation(put(event.AttrVedetteCorrelation).SetEmptyMap(), f.firing)
		return
	}
	putMatched(put(event.AttrVedetteMatched).SetEmptyMap(), f.match)
}

// describe gives the attributes that all alerts of a rule have.
func (r *rule) describe() pcommon.Map {
	attrs := pcommon.NewMap()
	putText(attrs, event.AttrSecurityRuleUUID, r.ID)
	putText(attrs, event.AttrSecurityRuleName, r.Title)
	putText(attrs, event.AttrSecurityRuleDescription, r.Description)
	putText(attrs, event.AttrSecurityRuleLicense, r.License)
	if len(r.References) > 0 {
		putText(attrs, event.AttrSecurityRuleReference, r.References[0])
	}
	putText(attrs, event.AttrSecurityRuleRulesetName, r.ruleset)
	putText(attrs, event.AttrSecurityRuleVersion, r.version())
	putText(attrs, event.AttrSecurityRuleCategory, r.category)
	putText(attrs, event.AttrSecurityRuleLevel, r.level.name)
	putThreat(attrs, r.tags)
	return attrs
}

// appendRisk writes what the alert says of its host and user.
func (f *finding) appendRisk(attrs *xpdata.MapBuilder) {
	attrs.AppendEmpty(event.AttrEventRiskScore).SetInt(int64(f.scores.added))
	attrs.AppendEmpty(event.AttrHostRiskCalculatedScore).SetInt(int64(f.scores.host))
	if f.scores.count > 1 {
		attrs.AppendEmpty(event.AttrUserRiskCalculatedScore).SetInt(int64(f.scores.user))
	}
}

// putCorrelation writes why a correlation fired.
func putCorrelation(out pcommon.Map, firing *correlation.Firing) {
	out.PutStr("type", string(firing.Correlation.Type))
	out.PutDouble("value", firing.Value)
	out.PutStr("first", firing.First.UTC().Format(time.RFC3339Nano))
	out.PutStr("last", firing.Last.UTC().Format(time.RFC3339Nano))
	group := out.PutEmptyMap("group")
	for _, field := range firing.Group {
		group.PutStr(field.Name, field.Value)
	}
	events := out.PutEmptySlice("events")
	for _, id := range firing.Events {
		events.AppendEmpty().SetStr(hex.EncodeToString(id[:]))
	}
	if firing.Folded > 0 {
		out.PutInt("folded", int64(firing.Folded))
	}
	if firing.Degraded {
		out.PutBool("degraded", true)
	}
}

func putThreat(attrs pcommon.Map, tags attack.Tags) {
	if len(tags.Techniques) == 0 && len(tags.Tactics) == 0 {
		return
	}
	attrs.PutStr(event.AttrThreatFramework, attack.Framework)
	putTechniques(attrs, event.AttrThreatTechniqueID, event.AttrThreatTechniqueName, tags.Techniques)
	putTechniques(attrs, event.AttrThreatTechniqueSubtechniqueID, event.AttrThreatTechniqueSubtechniqueName, tags.Subtechniques)
	putTexts(attrs, event.AttrThreatTacticID, tags.Tactics, func(t attack.Tactic) string { return t.ID })
	putTexts(attrs, event.AttrThreatTacticName, tags.Tactics, func(t attack.Tactic) string { return t.Name })
}

func putTechniques(attrs pcommon.Map, idAttr, nameAttr string, techniques []attack.Technique) {
	putTexts(attrs, idAttr, techniques, func(t attack.Technique) string { return t.ID })
	putTexts(attrs, nameAttr, techniques, func(t attack.Technique) string { return t.Name })
}

// putTexts writes a list with a text of each element; nothing where there is none.
func putTexts[T any](attrs pcommon.Map, name string, list []T, text func(T) string) {
	if len(list) == 0 {
		return
	}
	texts := attrs.PutEmptySlice(name)
	texts.EnsureCapacity(len(list))
	for _, element := range list {
		texts.AppendEmpty().SetStr(text(element))
	}
}

// putMatched writes, for each selection, the fields that matched. A field that matched by several values
// keeps the first.
func putMatched(out pcommon.Map, match sigma.Match) {
	for _, selection := range match.Selections {
		fields := out.PutEmptyMap(selection.Name)
		for _, field := range selection.Fields {
			name := cmp.Or(field.Field, keywordField)
			if _, ok := fields.Get(name); !ok {
				putAny(fields, name, field.Value)
			}
		}
	}
}

// putAny writes a field's value; nothing where the absence of the field was asked for.
func putAny(out pcommon.Map, name string, value any) {
	switch v := value.(type) {
	case nil:
		out.PutEmpty(name)
	case int64:
		out.PutInt(name, v)
	case float64:
		out.PutDouble(name, v)
	case bool:
		out.PutBool(name, v)
	default:
		out.PutStr(name, alertmessage.Text(v))
	}
}

func putText(attrs pcommon.Map, name, value string) {
	if value != "" {
		attrs.PutStr(name, value)
	}
}

// id names the alert for good: the same rule and the same event give the same id.
func (f *finding) id() string {
	id := f.identity()
	return hex.EncodeToString(id[:])
}

func (f *finding) identity() correlation.EventID {
	b := make([]byte, 0, 512)
	b = appendPart(b, f.rule.ID)
	b = appendPart(b, f.rule.Title)
	b = appendPart(b, f.origin.source)
	b = appendPart(b, f.log.EventName())
	b = appendPart(b, strconv.FormatUint(uint64(f.log.Timestamp()), 10))
	if f.log.EventName() == "" {
		b = appendPart(b, f.log.Body().AsString())
	}
	for _, name := range identityAttributes {
		if value, ok := f.log.Attributes().Get(name); ok {
			b = appendPart(b, name, "=", value.AsString())
		}
	}
	if f.firing != nil {
		for _, field := range f.firing.Group {
			b = appendPart(b, field.Name, "=", field.Value)
		}
	}
	sum := sha256.Sum256(b)
	return correlation.EventID(sum[:16])
}

// appendPart appends a text, given in pieces, with its length before it, so that no two lists of texts look alike.
func appendPart(b []byte, pieces ...string) []byte {
	length := 0
	for _, piece := range pieces {
		length += len(piece)
	}
	b = append(strconv.AppendInt(b, int64(length), 10), ':')
	for _, piece := range pieces {
		b = append(b, piece...)
	}
	return b
}
