// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"context"
	"net/netip"
	"strconv"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/vedette-sec/vedette/extension/enforcementextension/enforcement"
	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/processor/detectionprocessor/internal/metadata"
)

// responses asks the enforcement extension for what rules say is to be done. Whether it is done is for the
// extension to decide.
type responses struct {
	responder enforcement.Responder // nil where there is none
	results   <-chan enforcement.Result
	leave     func()

	mu       sync.Mutex
	resource pcommon.Resource // of the latest alert that asked; what comes of it is about the same host
}

// outcomesWaiting is how many outcomes may wait to be passed on.
const outcomesWaiting = 1024

// newResponses subscribes to outcomes before anything can be asked for.
func newResponses(host component.Host) *responses {
	r := &responses{resource: pcommon.NewResource(), leave: func() {}}
	if responder, ok := enforcement.Find(host); ok {
		r.responder = responder
		r.results, r.leave = responder.Subscribe(outcomesWaiting)
	}
	return r
}

// ask submits the responses of the alerts that pass. It comes before they are passed on: to stop what happens
// is more urgent than to tell of it.
func (r *responses) ask(findings []*finding) {
	if r.responder == nil {
		return
	}
	for _, f := range findings {
		if !f.verdict.Passes || f.asked || len(f.rule.Response) == 0 {
			continue
		}
		f.asked = true
		r.remember(f.resource.Resource())
		for _, action := range f.rule.Response {
			r.responder.Submit(f.request(enforcement.Action(action)))
		}
	}
}

func (r *responses) remember(resource pcommon.Resource) {
	r.mu.Lock()
	defer r.mu.Unlock()
	resource.CopyTo(r.resource)
}

// request is what an alert asks for.
func (f *finding) request(action enforcement.Action) enforcement.Request {
	attrs := f.log.Attributes()
	address, port := peerOf(attrs)
	inode, _ := strconv.ParseUint(textOf(attrs, event.AttrFileInode), 10, 64)
	pid, _ := strconv.ParseUint(textOf(attrs, event.AttrProcessPID), 10, 32)
	return enforcement.Request{
		Action: action,
		Process: enforcement.Process{
			PID: uint32(pid), EntityID: textOf(attrs, event.AttrProcessEntityID), Executable: textOf(attrs, event.AttrProcessExecutablePath),
		},
		Address: address,
		Port:    port,
		File:    fileOf(attrs, inode),
		Rule:    enforcement.Rule{ID: f.rule.ID, Title: f.rule.Title},
		AlertID: f.id(),
		Reason:  f.message,
	}
}

// peerOf gives the other side of the connection an event is about.
func peerOf(attrs pcommon.Map) (netip.Addr, uint16) {
	address, port := event.AttrDestinationAddress, event.AttrDestinationPort
	if textOf(attrs, event.AttrNetworkDirection) == "ingress" {
		address, port = event.AttrSourceAddress, event.AttrSourcePort
	}
	peer, err := netip.ParseAddr(textOf(attrs, address))
	if err != nil {
		return netip.Addr{}, 0
	}
	number, _ := strconv.ParseUint(textOf(attrs, port), 10, 16)
	return peer, uint16(number)
}

// fileOf gives the file an event is about, or else the program that acted.
func fileOf(attrs pcommon.Map, inode uint64) enforcement.File {
	if path := textOf(attrs, event.AttrFilePath); path != "" {
		return enforcement.File{Path: path, Inode: inode}
	}
	return enforcement.File{Path: textOf(attrs, event.AttrProcessExecutablePath)}
}

func textOf(attrs pcommon.Map, name string) string {
	value, ok := attrs.Get(name)
	if !ok {
		return ""
	}
	return value.AsString()
}

// tell passes on an event for each outcome until the context ends or the extension does. Those that are there by then are told.
func (d *detection) tell(ctx context.Context) {
	defer d.responses.leave()
	for {
		select {
		case <-ctx.Done():
			for range len(d.responses.results) {
				d.tellOutcome(context.WithoutCancel(ctx), <-d.responses.results)
			}
			return
		case result, ok := <-d.responses.results:
			if !ok {
				return
			}
			d.tellOutcome(context.WithoutCancel(ctx), result)
		}
	}
}

func (d *detection) tellOutcome(ctx context.Context, result enforcement.Result) {
	if err := d.next.ConsumeLogs(ctx, d.responses.event(result)); err != nil {
		d.tel.ProcessorDetectionAlertsLost.Add(ctx, 1)
		d.logger.Error("The pipeline refused the outcome of a response; it is lost",
			zap.String("action", string(result.Request.Action)), zap.String("outcome", string(result.Outcome)), zap.Error(err))
	}
}

// event makes the log record of an outcome.
func (r *responses) event(result enforcement.Result) plog.Logs {
	logs := plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	r.mu.Lock()
	r.resource.CopyTo(resource.Resource())
	r.mu.Unlock()
	scope := resource.ScopeLogs().AppendEmpty()
	scope.Scope().SetName(metadata.ScopeName)
	result.FillRecord(scope.LogRecords().AppendEmpty())
	return logs
}
