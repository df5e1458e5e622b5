// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package ebpfreceiver

import (
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/fileevent"
	"github.com/vedette-sec/vedette/internal/sensor"
)

// actsOn are the acts that other parts of the agent are told of, where all of them are seen.
var actsOn = map[sensor.Kind]fileevent.Act{
	sensor.KindOpen: fileevent.Opened, sensor.KindCreate: fileevent.Made, sensor.KindRename: fileevent.Renamed,
	sensor.KindDelete: fileevent.Removed, sensor.KindAttributes: fileevent.Attributed,
}

// seesFiles reports whether a sensor sees all that happens to files.
func seesFiles(tiers []sensor.KindTier) bool {
	seen := 0
	for _, t := range tiers {
		if _, wanted := actsOn[t.Kind]; wanted && t.Err == nil && t.Absent == "" {
			seen++
		}
	}
	return seen == len(actsOn)
}

// concernsFiles reports whether one of the lost events may have been one that others were to be told of. What the pipeline refused
// was told.
func concernsFiles(l loss) bool {
	if l.kind == "" {
		return l.cause == "malformed"
	}
	kind, known := kindOf(l.kind)
	_, wanted := actsOn[kind]
	return known && wanted
}

// tellFile lets others know of an act on a file. Those that failed changed nothing.
func (r *ebpfReceiver) tellFile(kind sensor.Kind, e *bpf.SensorFileEvent, s sensor.FileStrings) {
	act, wanted := actsOn[kind]
	if !wanted || e.Ret < 0 || !r.news.Wanted() {
		return
	}
	path, from := string(s.Path), ""
	if kind == sensor.KindRename {
		from = string(s.Path2)
	}
	if e.Flags&uint32(bpf.SensorFileFlagsFILE_USER_PATH) != 0 {
		path = join(string(s.Base), path)
		if from != "" {
			from = join(string(s.Base2), from)
		}
	}
	r.news.Tell(fileevent.Event{Act: act, Path: path, From: from, Mode: e.Mode, Truncated: e.Path.Truncated != 0 || e.Base.Truncated != 0})
}

// tellAttributes lets others know of other attributes. Owners and extended attributes have no mode.
func (r *ebpfReceiver) tellAttributes(e *bpf.SensorAttributeEvent, s sensor.AttributeStrings) {
	if !r.news.Wanted() {
		return
	}
	told := fileevent.Event{Act: fileevent.Attributed, Path: attributedPath(e, s), Truncated: e.Path.Truncated != 0 || e.Base.Truncated != 0}
	if bpf.SensorAttributeChange(e.Change) == bpf.SensorAttributeChangeATTRIBUTE_MODE {
		told.Mode = e.Mode&unix.S_IFMT | e.NewMode
	}
	r.news.Tell(told)
}
