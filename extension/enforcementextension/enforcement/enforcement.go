// SPDX-License-Identifier: Apache-2.0

// Package enforcement names what other components may ask of the enforcement extension, so that
// they depend on these few types and not on the extension.
//
// Requests are asynchronous. To answer one takes milliseconds at best (the journal is brought to
// disk) and seconds at worst (a file is copied to another file system), and a pipeline that waited
// for it would hold up the alerts behind it. So Submit puts the request into a bounded queue and
// returns at once, and each outcome, also that of a full queue, comes to all who subscribed.
package enforcement

import (
	"net/netip"
	"time"

	"go.opentelemetry.io/collector/component"
)

// Action is what is done in response to an alert.
type Action string

// The actions.
const (
	// KillProcess ends Request.Process.
	KillProcess Action = "kill_process"
	// KillTree ends Request.Process and everything that descends from it.
	KillTree Action = "kill_tree"
	// Suspend stops Request.Process until it is undone or expires.
	Suspend Action = "suspend"
	// BlockAddress refuses all traffic with Request.Address until it is undone or expires.
	BlockAddress Action = "block_address"
	// QuarantineFile moves Request.File to where nobody can run or read it.
	QuarantineFile Action = "quarantine_file"
	// BlockExecutable refuses to run Request.File, by whatever name, until it is undone or expires.
	BlockExecutable Action = "block_executable"
	// IsolateHost refuses all traffic but that with the configured peers until it is undone or expires.
	IsolateHost Action = "isolate_host"
)

// Actions returns every action.
func Actions() []Action {
	return []Action{KillProcess, KillTree, Suspend, BlockAddress, QuarantineFile, BlockExecutable, IsolateHost}
}

// Outcome is what became of a request.
type Outcome string

// The outcomes.
const (
	// Done says that the action took effect.
	Done Outcome = "done"
	// DryRun says that the action would have been taken, were dry_run not set.
	DryRun Outcome = "dry_run"
	// Refused says that the target is protected, or not what the request says it is.
	Refused Outcome = "refused"
	// Failed says that the action was tried without success.
	Failed Outcome = "failed"
	// RateLimited says that there were too many requests.
	RateLimited Outcome = "rate_limited"
	// NotAllowed says that the configuration does not allow the action.
	NotAllowed Outcome = "not_allowed"
)

// Step says which part of an action's life a result is about.
type Step string

// The steps.
const (
	// Apply is the action itself.
	Apply Step = "apply"
	// Undo is the end of an action because an operator asked for it.
	Undo Step = "undo"
	// Expire is the end of an action because its time was up.
	Expire Step = "expire"
)

// Process names a process. EntityID tells it from another one that got the same id later: without it
// no process is touched.
type Process struct {
	PID        uint32 `json:"pid,omitempty"`
	EntityID   string `json:"entity_id,omitempty"`
	Executable string `json:"executable,omitempty"`
}

// File names a file. Without its inode, it must be the executable of the request's process.
type File struct {
	Path  string `json:"path,omitempty"`
	Inode uint64 `json:"inode,omitempty"`
}

// Rule names the detection rule that asks.
type Rule struct {
	ID    string `json:"id,omitempty"`
	Title string `json:"title,omitempty"`
}

// Request asks for an action.
type Request struct {
	Action  Action     `json:"action"`
	Process Process    `json:"process,omitzero"` // the target, or for the other actions who acted
	Address netip.Addr `json:"address,omitzero"`
	// Port tells where the peer was seen. The whole address is blocked.
	Port    uint16 `json:"port,omitempty"`
	File    File   `json:"file,omitzero"`
	Rule    Rule   `json:"rule,omitzero"`
	AlertID string `json:"alert_id,omitempty"`
	Reason  string `json:"reason,omitempty"`
	// Expiry is after which time the action ends by itself. 0 is the configured one.
	Expiry time.Duration `json:"expiry,omitempty"`
}

// Result is the outcome of a request.
type Result struct {
	Request Request
	Step    Step
	Outcome Outcome
	Reason  string // why not, or what else is to be said
	// UndoID is what an operator names to end the action; empty where there is nothing to undo.
	UndoID  string
	Time    time.Time
	Expires time.Time // zero: never
}

// Responder is the enforcement extension.
type Responder interface {
	component.Component
	// Submit queues the request and returns at once. The outcome comes to the subscribers.
	Submit(Request)
	// Subscribe returns a channel on which every result arrives that happens from now on, and what
	// ends it. A subscriber for which more than buffer results wait loses the further ones, which are
	// counted and logged. The channel is closed when the extension shuts down.
	Subscribe(buffer int) (results <-chan Result, cancel func())
}

// Find returns the enforcement extension among the host's, and false where there is none.
func Find(host component.Host) (Responder, bool) {
	for _, extension := range host.GetExtensions() {
		if responder, ok := extension.(Responder); ok {
			return responder, true
		}
	}
	return nil, false
}
