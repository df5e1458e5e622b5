// SPDX-License-Identifier: Apache-2.0

package baselinereceiver

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/vedette-sec/vedette/internal/baselines"
	"github.com/vedette-sec/vedette/internal/hostconf"
	"github.com/vedette-sec/vedette/internal/reload"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

// judge is what a host is judged by, with what was found before.
type judge struct {
	config      *Config
	scanner     *baseline.Scanner
	sensed      *hostconf.News // what a sensor tells of files
	waivers     []*baseline.Waiver
	fingerprint string // of the files that the templates and waivers are in
	subjects    []*subject
	snapshot    time.Time // of the last one
}

// subject is one template with its profile.
type subject struct {
	template TemplateConfig
	verdicts map[string]baseline.Verdict // of the scan before; nil before the first one
	drifting map[string]baseline.Verdict // verdicts that are not the approved ones, when that was told
}

// finding is what one scan by one template comes to.
type finding struct {
	subject  *subject
	report   *baseline.Report
	id       string
	trigger  trigger
	source   string // of changes of files
	snapshot bool
	previous map[string]baseline.Verdict
	changed  int
	approval *baselines.Approval // nil where nothing was approved
	drifted  int
	begun    map[string]bool // rules that left the approved state
	ended    map[string]bool // and those that are back
}

// newJudge reads the templates. The error says all that is wrong with those that are needed, and with files. news are what a sensor
// tells of files.
func newJudge(config *Config, effort baseline.Effort, news *hostconf.News) (*judge, error) {
	j := &judge{config: config, sensed: news, fingerprint: reload.Fingerprint(config.Directories)}
	set, err := baselines.Load(config.Directories)
	if err != nil {
		return nil, fmt.Errorf("reading templates: %w", err)
	}
	j.waivers = set.Waivers
	j.scanner = baseline.NewScanner(config.Root, effort, config.WalkInterval)
	j.scanner.Hear(news)
	var errs []error
	for _, t := range config.Templates {
		b, err := set.Resolve(t.ID, t.Values)
		if err == nil {
			b.Roles = config.Roles
			err = j.scanner.Add(b, baseline.Options{Profile: t.Profile, Language: config.Language})
		}
		errs = append(errs, err)
		j.subjects = append(j.subjects, &subject{template: t})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, j.scanner.Close())
	}
	return j, nil
}

// inherit takes over what another judge found, so that rules that stay as they are are not told again.
func (j *judge) inherit(before *judge) {
	for _, s := range j.subjects {
		for _, was := range before.subjects {
			if s.template.ID == was.template.ID && s.template.Profile == was.template.Profile {
				s.verdicts, s.drifting = was.verdicts, was.drifting
			}
		}
	}
	j.snapshot = before.snapshot
}

// stale reports whether the files are others than those that were read.
func (j *judge) stale() bool { return reload.Fingerprint(j.config.Directories) != j.fingerprint }

// source is by what changes of files are found.
func (j *judge) source() string {
	if serving, _, _ := j.sensed.State(); serving && j.config.ChangeDelay > 0 {
		return fromSensor
	}
	return fromStamps
}

// judge scans once for a reason. The findings are told with commit, which makes them the ones of the scan before.
func (j *judge) judge(ctx context.Context, why trigger, now time.Time) (findings []*finding, commit func(), err error) {
	approved := &baselines.Approved{}
	if j.config.Approved != "" {
		if approved, err = baselines.ReadApproved(j.config.Approved); err != nil {
			return nil, nil, err
		}
	}
	scan := j.scanner.Scan
	if why == byFiles {
		scan = j.scanner.ScanTold
	}
	reports, err := scan(ctx, j.waivers, now)
	if err != nil {
		return nil, nil, err
	}
	snapshot := j.snapshot.IsZero() || now.Sub(j.snapshot) >= j.config.SnapshotInterval
	for i, report := range reports {
		f := &finding{subject: j.subjects[i], report: report, id: scanID(), trigger: why, source: j.source(), snapshot: snapshot, previous: j.subjects[i].verdicts}
		f.compare(approved.Of(f.subject.template.ID, f.subject.template.Profile))
		findings = append(findings, f)
	}
	return findings, func() {
		if snapshot {
			j.snapshot = now
		}
		for _, f := range findings {
			f.commit()
		}
	}, nil
}

// news reports whether there is something to tell beside that the host was looked at.
func (f *finding) news() bool {
	return f.snapshot || f.changed > 0 || slices.Contains(slices.Collect(maps.Values(f.begun)), true) ||
		slices.Contains(slices.Collect(maps.Values(f.ended)), true)
}

// scanID is different for each scan of any host.
func scanID() string {
	var id [8]byte
	_, _ = rand.Read(id[:]) // it never fails
	return hex.EncodeToString(id[:])
}

// compare finds what changed since the scan before, and what drifted.
func (f *finding) compare(approval *baselines.Approval) {
	for _, r := range f.report.Results {
		if before, known := f.previous[r.Rule.ID]; known && before != r.Verdict {
			f.changed++
		}
	}
	f.approval = approval
	f.begun, f.ended = map[string]bool{}, map[string]bool{}
	if approval == nil {
		return
	}
	now := map[string]bool{}
	for _, d := range approval.Drifted(f.report) {
		now[d.Rule] = true
		told, known := f.subject.drifting[d.Rule]
		f.begun[d.Rule] = !known || told != d.Now
	}
	f.drifted = len(now)
	for rule := range f.subject.drifting {
		f.ended[rule] = !now[rule]
	}
}

func (f *finding) commit() {
	s := f.subject
	s.verdicts, s.drifting = map[string]baseline.Verdict{}, map[string]baseline.Verdict{}
	for _, r := range f.report.Results {
		s.verdicts[r.Rule.ID] = r.Verdict
	}
	if f.approval != nil {
		for _, d := range f.approval.Drifted(f.report) {
			s.drifting[d.Rule] = d.Now
		}
	}
}
