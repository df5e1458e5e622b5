// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"os"
	"time"

	"go.uber.org/zap"

	"github.com/vedette-sec/vedette/internal/rulestatus"
)

// failed notes an attempt to read the rules anew that changed nothing.
func (d *detection) failed(err error) {
	d.writeStatusWith(&rulestatus.Failure{Time: time.Now().UTC(), Error: err.Error()})
}

func (d *detection) writeStatus() { d.writeStatusWith(nil) }

// writeStatusWith tells `vedette rules status` what is in force.
func (d *detection) writeStatusWith(failure *rulestatus.Failure) {
	if d.cfg.StatusFile == "" {
		return
	}
	d.statusMu.Lock()
	defer d.statusMu.Unlock()
	if failure != nil {
		d.lastFailure = failure
	}
	d.mu.RLock()
	g := d.current
	d.mu.RUnlock()
	if d.lastFailure != nil && g.since.After(d.lastFailure.Time) {
		d.lastFailure = nil
	}
	status := rulestatus.Status{
		Processor: d.id.String(), PID: os.Getpid(), Written: time.Now().UTC(), Generation: g.number, Since: g.since.UTC(),
		Counts: g.set.Report.Counts(), Failure: d.lastFailure,
	}
	status.Correlations = g.correlationStatus()
	for _, r := range g.rules {
		status.Add(r.ID, r.Title, r.level.name, r.matches.Load())
	}
	for _, c := range g.set.Correlations {
		r := g.correlations[c.Correlation]
		status.Add(r.ID, r.Title, r.level.name, r.matches.Load())
	}
	if err := status.Write(d.cfg.StatusFile); err != nil && !d.statusRefused {
		d.statusRefused = true
		d.logger.Warn("The status of the rules cannot be written", zap.Error(err))
	}
}
