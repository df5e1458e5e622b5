// SPDX-License-Identifier: Apache-2.0

package policy

import "net/netip"

// Request is one act that is to be judged: one operation, who does it, and to what. The part that belongs to the
// operation is set: File for operations on files and Run, Target for those on processes, Address for the network.
type Request struct {
	Operation Operation // exactly one bit
	Subject   Actor

	File     *File  // the object; for Create what is to be made
	NewPath  string // Rename and Link: the new name; "" to judge what is there only
	Replaced *File  // Rename: the object that has the new name now; nil for none
	Target   *Target
	Address  *Address
}

// File are the facts about a file, a directory or a name.
type File struct {
	// Paths are all names of the object, absolute and without symbolic links: a file with hard links has several. The
	// first is the one it is reached by: Delete removes it and Rename moves it.
	Paths []string

	Origin           Origin
	SHA256           string
	ChangedSinceBoot bool // by someone untrusted
}

// Target are the facts about the process that is acted on.
type Target struct {
	Self       bool // it is the acting process
	Executable string
	Cgroup     string
}

// Address is an address of the internet protocols.
type Address struct {
	AddrPort netip.AddrPort
	Protocol Protocol
}

// Actor are the facts about the acting process.
type Actor struct {
	// Lineage are the programs that led to the act: the running one first, then the one that executed it, and so on,
	// through all of the process's own execs and then its parent's. A fork adds nothing. A script is a program that was
	// executed first, and executed its interpreter.
	Lineage []Program `json:"lineage"`

	// Init says that it is the host's init: process 1, or a child of it that has run nothing but init's own programs yet.
	Init bool `json:"init,omitempty"`

	User      string `json:"user,omitempty"` // the name of the effective user, if it has one
	UID       uint32 `json:"uid"`
	Cgroup    string `json:"cgroup,omitempty"`    // such as /system.slice/nginx.service
	Container string `json:"container,omitempty"` // the id; empty outside of containers
}

// Program is one executed file.
type Program struct {
	Executable string `json:"executable"`
	SHA256     string `json:"sha256,omitempty"`

	// Trusted says that nobody untrusted could have written what ran: the file, and everything that it mapped as code. A
	// file whose SHA-256 is demanded, and is right, counts as unwritten.
	Trusted bool `json:"trusted"`
}

// Verdict is what becomes of an act.
type Verdict string

// The verdicts, from the mildest on.
const (
	Allowed Verdict = "allowed"
	Audited Verdict = "audited" // it is allowed and reported
	Denied  Verdict = "denied"  // it is refused with EPERM and reported
)

// Decision is what a set of policies says to a request.
type Decision struct {
	Verdict Verdict  `json:"verdict"`
	Reasons []Reason `json:"reasons,omitempty"` // of every rule that has a say, the ones that decide first
}

// Reason is what one rule says about one thing that the act touches.
type Reason struct {
	Policy    string   `json:"policy"`
	Rule      string   `json:"rule"`
	Verdict   Verdict  `json:"verdict"`             // of the rule by itself
	Overruled bool     `json:"overruled,omitempty"` // a denial that another rule of the policy beats by allowing
	Thing     string   `json:"thing,omitempty"`     // what the act touches: a path, an executable, an address
	Entry     string   `json:"entry,omitempty"`     // how the rule names it
	Position  Position `json:"position"`            // of the line that decides: the entry, or the subject that is allowed
}
