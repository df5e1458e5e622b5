// SPDX-License-Identifier: Apache-2.0

package baselinereceiver

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/vedette-sec/vedette/internal/baselines"
	"github.com/vedette-sec/vedette/internal/hostid"
	"github.com/vedette-sec/vedette/pkg/baseline"
	"github.com/vedette-sec/vedette/receiver/baselinereceiver/internal/metadata"
)

// gauge is a metric that is being written.
type gauge struct {
	points pmetric.NumberDataPointSlice
	at     pcommon.Timestamp
}

// metricsOf writes what metadata.yaml describes.
func metricsOf(findings []*finding, host hostid.Host, observed time.Time) pmetric.Metrics {
	all := pmetric.NewMetrics()
	resource := all.ResourceMetrics().AppendEmpty()
	host.Describe(resource.Resource())
	scope := resource.ScopeMetrics().AppendEmpty()
	scope.Scope().SetName(metadata.ScopeName)
	begin := func(name, description, unit string) gauge {
		m := scope.Metrics().AppendEmpty()
		m.SetName(name)
		m.SetDescription(description)
		m.SetUnit(unit)
		return gauge{m.SetEmptyGauge().DataPoints(), pcommon.NewTimestampFromTime(observed)}
	}
	rules := begin("baseline.rules", "Number of rules, by verdict.", "{rules}")
	score := begin("baseline.score", "Of the rules that passed or failed, those that passed, by weight.", "%")
	drift := begin("baseline.drift", "Number of rules with another verdict than in the approved state.", "{rules}")
	stale := begin("baseline.waivers.stale", "Number of waivers that have expired or are about no rule.", "{waivers}")
	duration := begin("baseline.scan.duration", "How long the scan took.", "s")
	for _, f := range findings {
		for _, verdict := range baseline.Verdicts {
			point := rules.point(f)
			point.SetIntValue(int64(f.report.Count(verdict)))
			point.Attributes().PutStr("result", string(verdict))
		}
		if percent, ok := baselines.Score(f.report.Results); ok {
			score.point(f).SetIntValue(int64(percent))
		}
		if f.approval != nil {
			drift.point(f).SetIntValue(int64(f.drifted))
		}
		stale.point(f).SetIntValue(int64(len(f.report.Stale)))
		duration.point(f).SetDoubleValue(f.report.Took.Seconds())
	}
	scope.Metrics().RemoveIf(func(m pmetric.Metric) bool { return m.Gauge().DataPoints().Len() == 0 })
	return all
}

func (g gauge) point(f *finding) pmetric.NumberDataPoint {
	point := g.points.AppendEmpty()
	point.SetTimestamp(g.at)
	point.Attributes().PutStr("template", f.subject.template.ID)
	point.Attributes().PutStr("profile", f.subject.template.Profile)
	return point
}
