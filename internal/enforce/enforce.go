// SPDX-License-Identifier: Apache-2.0

// Package enforce says what it is to keep policies in force: what is loaded, how strongly each rule holds, and what is told
// about an act that a rule forbids. Its subpackages do it, each with what a kernel offers.
package enforce

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/vedette-sec/vedette/pkg/policy"
)

// ErrClosed is what an enforcer gives after Close.
var ErrClosed = errors.New("the enforcer is closed")

// Enforcer keeps a set of policies in force. All methods may be called at the same time.
type Enforcer interface {
	// Load puts a set in force in place of the one that is. Every act is judged by one of the two, never by none and never by
	// halves. After an error the old one is still in force.
	Load(set *policy.Set) error

	// Next waits for the next verdict. It gives the context's error when that ends, and ErrClosed after Close.
	Next(ctx context.Context) (Verdict, error)

	// Status tells how strongly the rules in force hold, and what was counted about them.
	Status() Status

	// AuditOnly makes every rule only report, whatever its mode, until it is called with false.
	AuditOnly(on bool) error

	// Close lets go of everything but what is pinned, which stays in force.
	Close() error

	// Release takes everything down and closes.
	Release() error
}

// Held is what an agent put in force and keeps, or kept while it was there.
type Held struct {
	Running  bool          `json:"running"` // an agent keeps it
	Silent   time.Duration `json:"silent"`  // for how long none did
	Policies []HeldPolicy  `json:"policies"`
}

// HeldPolicy is a policy that does not need its agent.
type HeldPolicy struct {
	Name        string           `json:"name"`
	OnAgentLoss policy.AgentLoss `json:"on_agent_loss"`
	LossAfter   time.Duration    `json:"loss_after,omitempty"` // for how long no agent must have run for that
	Over        bool             `json:"over"`                 // it was that long
}

// Strength is what becomes of an act that a rule in mode enforce forbids.
type Strength string

// The strengths, from the best on.
const (
	Prevented Strength = "prevented"            // it fails with EPERM
	Killed    Strength = "killed after the act" // whoever does it is killed, perhaps when it is done
	Detected  Strength = "detected only"        // it is reported
	Unseen    Strength = "not seen"             // nothing notices it
)

// Status is what is in force.
type Status struct {
	Generation uint64 // counts the sets that were loaded
	AuditOnly  bool
	Rules      []RuleStatus // in the order of the set
	Lost       uint64       // verdicts that took effect but could not be told
	Missing    []string     // what the kernel does not have, and what that means, a sentence each
}

// RuleStatus is what is known of one rule.
type RuleStatus struct {
	Policy, Rule string
	Strength     Strength // the weakest of its parts
	Weaker       []Weak   // the parts that do not reach Prevented
	Denied       uint64   // acts refused
	Audited      uint64   // acts reported
	Folded       uint64   // verdicts about them that are told as a sum with a later one
	Lost         uint64   // verdicts about them that could not be told
}

// Weak is a part of a rule that does not reach the best strength.
type Weak struct {
	Operation policy.Operation
	Strength  Strength
	Reason    string // a sentence that also says what can be done about it
}

// Verdict is what was told about one act that a rule forbids.
type Verdict struct {
	Time         time.Time
	Policy, Rule string
	Mode         policy.Mode // Enforce where the act was refused, Audit where it was only reported
	Strength     Strength    // what became of the act
	Hook         string      // what noticed it, such as inode_unlink
	Operation    policy.Operation
	Errno        int // what the caller got: 1 for EPERM, 0 where the act went on

	// The subject, as it was at that moment.
	PID, TID uint32 // in the first pid namespace
	Start    uint64 // when the process started, in nanoseconds since boot
	UID      uint32 // effective
	Comm     string
	CgroupID uint64

	Object Object

	// Folded is how many more verdicts like this one were counted and not told since the last that was.
	Folded uint64
}

// Object is what an act was about. What does not belong to its kind is zero.
type Object struct {
	Path     string // of a file; as far as it is known
	NewPath  string // of a rename or link
	Device   uint64 // as stat(2) tells it
	Inode    uint64
	PID      uint32 // of a process
	Address  netip.AddrPort
	Protocol policy.Protocol
	Name     string // of what has no place in a file system: a module, a bpf command
}
