// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/pkg/sigma/correlation"
)

// mostContexts bounds the records that are kept for alerts of correlations.
const mostContexts = 4096

// contexts keeps copies of the records that correlations count, so that the alert of one can say who acted:
// it carries the latest of them.
type contexts struct {
	mu    sync.Mutex
	known *simplelru.LRU[correlation.EventID, plog.Logs]
}

func newContexts() *contexts {
	known, err := simplelru.NewLRU[correlation.EventID, plog.Logs](mostContexts, nil)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &contexts{known: known}
}

func (c *contexts) remember(id correlation.EventID, resource plog.ResourceLogs, scope plog.ScopeLogs, log plog.LogRecord) {
	logs := plog.NewLogs()
	r := logs.ResourceLogs().AppendEmpty()
	resource.Resource().CopyTo(r.Resource())
	r.SetSchemaUrl(resource.SchemaUrl())
	s := r.ScopeLogs().AppendEmpty()
	scope.Scope().CopyTo(s.Scope())
	s.SetSchemaUrl(scope.SchemaUrl())
	log.CopyTo(s.LogRecords().AppendEmpty())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known.Add(id, logs)
}

// of gives the record of the latest event of a firing that is still known, with the firing's time; an empty
// one where none is.
func (c *contexts) of(firing *correlation.Firing) (plog.ResourceLogs, plog.ScopeLogs, plog.LogRecord) {
	logs := plog.NewLogs()
	c.mu.Lock()
	for i := len(firing.Events) - 1; i >= 0; i-- {
		if found, ok := c.known.Get(firing.Events[i]); ok {
			found.CopyTo(logs)
			break
		}
	}
	c.mu.Unlock()
	if logs.ResourceLogs().Len() == 0 {
		logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	}
	resource := logs.ResourceLogs().At(0)
	scope := resource.ScopeLogs().At(0)
	log := scope.LogRecords().At(0)
	log.SetTimestamp(pcommon.NewTimestampFromTime(firing.Time))
	return resource, scope, log
}
