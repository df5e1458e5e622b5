// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"net/netip"
	"time"
)

// Set is what is in force together: every policy of a host, in the order of their names.
type Set struct {
	Policies []*Policy
}

// Policy is one document: rules that belong together and are switched together.
type Policy struct {
	Name        string // unique in a set; small letters, digits and dashes, at most 63
	Description string
	Mode        Mode          // of the rules that have none of their own: Audit or Enforce
	Severity    Severity      // of the alerts about its violations
	Attack      []string      // techniques of ATT&CK that a violation is, such as T1565.001
	OnAgentLoss AgentLoss     // what becomes of the policy while no agent runs
	LossAfter   time.Duration // how long no agent must have run for that
	Confirm     time.Duration // commit_confirm: enforcing ends after this time unless confirmed; 0 for never
	Override    []string      // refusals of Check that the author has overridden, such as lockout
	Rules       []*Rule
	Position    Position
}

// ModeOf is the mode of one of the policy's rules: its own or else the policy's.
func (p *Policy) ModeOf(r *Rule) Mode {
	if r.Mode != "" {
		return r.Mode
	}
	return p.Mode
}

// Mode says what becomes of an act that a rule forbids.
type Mode string

// The modes. A rule without one of its own has "".
const (
	Audit   Mode = "audit"   // it is reported
	Enforce Mode = "enforce" // it is refused with EPERM and reported
)

// Severity is the level of an alert.
type Severity string

// The severities.
const (
	Low      Severity = "low"
	Medium   Severity = "medium"
	High     Severity = "high"
	Critical Severity = "critical"
)

// AgentLoss says what becomes of a policy when no agent runs any more.
type AgentLoss string

// What becomes of a policy without an agent.
const (
	KeepOnLoss    AgentLoss = "keep"    // it stays in force
	AuditOnLoss   AgentLoss = "audit"   // it stops refusing
	ReleaseOnLoss AgentLoss = "release" // it is taken down
)

// Rule forbids operations on objects to everybody but those it allows. Exactly one of Files, Processes, Exec, Network
// and Kernel is set.
type Rule struct {
	Name string // unique in its policy
	Mode Mode   // "" for the policy's

	Files     *Files
	Processes *Processes
	Exec      *Exec
	Network   *Network
	Kernel    *Kernel

	// Who are those the rule is about; empty: everybody. A subject confines here: what it starts stays confined, whatever
	// program that is.
	Who []Subject

	// Allow are those who may nevertheless; empty: nobody. A subject is trusted here: what it starts is trusted as long
	// as nothing runs that someone untrusted could have written.
	Allow []Subject

	Position Position
}

// Operations are those the rule is about.
func (r *Rule) Operations() Operation {
	switch {
	case r.Files != nil:
		return r.Files.Operations
	case r.Processes != nil:
		return r.Processes.Operations
	case r.Exec != nil:
		return Run
	case r.Network != nil:
		return r.Network.Operations
	case r.Kernel != nil:
		return r.Kernel.Operations
	}
	return 0
}

// Files protects files, directories and their names.
type Files struct {
	Paths      []Path
	Except     []Path
	Operations Operation // bits of FileOperations
}

// Processes protects running processes: those of one of the executables and those in one of the units. A process may
// always do what it likes to itself.
type Processes struct {
	Executables []Path
	Units       []Unit
	Operations  Operation // bits of ProcessOperations
}

// Exec says which files may not be run, or mapped as code. Exactly one of Deny and Only is set.
type Exec struct {
	Deny *Programs // what must not be run
	Only *Programs // what may be run; nothing else may
}

// Programs are the files that are named by any of the lists.
type Programs struct {
	Paths            []Path
	Origins          []Origin
	SHA256           []Hash
	ChangedSinceBoot bool // files that someone untrusted has changed since boot; not in Only
	Position         Position
}

// Network says which addresses of the internet protocols are out of bounds. Exactly one of Deny and Only is set; an Only
// may be empty, which leaves no address.
type Network struct {
	Operations Operation // bits of NetworkOperations
	Deny       []Endpoint
	Only       []Endpoint
	HasOnly    bool
}

// Kernel protects the kernel itself. It has no objects.
type Kernel struct {
	Operations Operation // bits of KernelOperations
}

// Subject is who acts. All parts that are given must hold together; at least one is given.
type Subject struct {
	List       string // the name of the list of subjects it comes from; "" where it is written in the rule
	Executable Path   // its Kind is 0 where none is given
	SHA256     string // of the executable, in small hexadecimal digits
	User       string // a name or a number: the effective user of the acting process
	Unit       string // a unit of the system's systemd whose cgroup holds the acting process
	Container  string // the id of the acting process's container; of a hexadecimal one 12 digits or more of its beginning
	Lineage    bool   // whether what the executable starts is the subject too
	Position   Position
}

// Path names files by where they are. It is absolute, without empty components, "." and "..".
type Path struct {
	Text     string   // as it is written
	Kind     PathKind // how it is to be read
	Base     string   // Exact: the path; Tree: the directory; Glob: the directory of the names
	Pattern  string   // Glob: the pattern of names; GlobPaths: the pattern of paths
	Position Position
}

// PathKind is how a path is to be read.
type PathKind int

// Kinds of paths.
const (
	Exact     PathKind = 1 + iota // the object, and its name in its directory
	Tree                          // dir/**: the directory and everything below
	Glob                          // wildcards in the last component: those names in the directory, also ones that are yet to be
	GlobPaths                     // wildcards in any component, looked up when a policy is loaded; of executables only
)

// Unit is the name of a unit of the system's systemd: a service, a scope or a slice.
type Unit struct {
	Name     string
	Position Position
}

// Origin is where a file that is run comes from; "" for any place that rules cannot name.
type Origin string

// The origins.
const (
	Memfd     Origin = "memfd"   // memory without a name in any file system
	Tmpfs     Origin = "tmpfs"   // a file system in memory
	NetworkFS Origin = "network" // a file system of another host
)

// Hash is the SHA-256 of a file, in small hexadecimal digits.
type Hash struct {
	Value    string
	Position Position
}

// Endpoint is a set of addresses with ports and protocols.
type Endpoint struct {
	Text                string       // as it is written
	Prefix              netip.Prefix // not valid for every address of both families
	FirstPort, LastPort uint16       // 0 and 65535 for every port
	Protocol            Protocol     // "" for every protocol
	Position            Position
}

// Protocol is a transport protocol.
type Protocol string

// The protocols that rules can name.
const (
	TCP Protocol = "tcp"
	UDP Protocol = "udp"
)

// Position is a place in a file. Line and Column count from 1.
type Position struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

// String gives "file:line:column".
func (p Position) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }
