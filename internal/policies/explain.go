// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vedette-sec/vedette/pkg/policy"
)

// Question is what is asked of the policies: may this be done.
type Question struct {
	Object    string // a path, a process id, an address with a port, or the word kernel
	Operation string
	To        string // the new name, of rename and link
	Who       Who
}

// Who is the acting process: a running one, or a supposed one.
type Who struct {
	PID       uint32 // 0 for a supposed one
	As        string // the executable of a supposed one
	User      string // a name or a number; "" for the running process's own user, or root
	Unit      string // of a supposed one
	Container string // of a supposed one
}

// Answer is what the policies say.
type Answer struct {
	Operation string          `json:"operation"`
	Object    string          `json:"object"`
	Actor     policy.Actor    `json:"actor"`
	Decision  policy.Decision `json:"decision"`
	Notes     []string        `json:"notes,omitempty"` // what had to be guessed
}

// Explain answers a question by the policies and the facts of this host.
func Explain(set *policy.Set, q Question) (*Answer, error) {
	h := &facts{host: policy.NewHost("/"), hashes: usesHashes(set)}
	set = set.Resolve(h.host)
	r, err := h.request(set, q)
	if err != nil {
		return nil, err
	}
	if r.Subject, err = h.actor(q.Who); err != nil {
		return nil, err
	}
	return &Answer{q.Operation, h.object, r.Subject, set.Evaluate(r), h.notes}, nil
}

// facts gathers what a request needs to know.
type facts struct {
	host   policy.Host
	hashes bool // whether the policies have any, so that files must be read
	object string
	notes  []string
}

func (h *facts) note(format string, args ...any) {
	h.notes = append(h.notes, fmt.Sprintf(format, args...))
}

var (
	number  = regexp.MustCompile(`\A[0-9]+\z`)
	address = regexp.MustCompile(`\A(.+?)(?:/(tcp|udp))?\z`)
)

func (h *facts) request(set *policy.Set, q Question) (policy.Request, error) {
	h.object = q.Object
	m := address.FindStringSubmatch(q.Object)
	switch {
	case q.Object == "":
		return policy.Request{}, fmt.Errorf("found no object, expected a path, a process id, an address with a port or the word kernel")
	case q.Object == "kernel":
		o, err := operation(q.Operation, policy.KernelOperations)
		return policy.Request{Operation: o}, err
	case number.MatchString(q.Object):
		return h.onProcess(q)
	case m != nil:
		if to, err := netip.ParseAddrPort(m[1]); err == nil {
			o, err := operation(q.Operation, policy.NetworkOperations)
			return policy.Request{Operation: o, Address: &policy.Address{AddrPort: to, Protocol: policy.Protocol(m[2])}}, err
		}
		if _, err := netip.ParseAddr(m[1]); err == nil {
			return policy.Request{}, fmt.Errorf("found the address %s without a port, expected one such as %s", q.Object, netip.AddrPortFrom(netip.MustParseAddr(m[1]), 443))
		}
	}
	return h.onFile(set, q)
}

// operation finds an operation by its name among those of some kinds.
func operation(name string, kinds ...policy.Operation) (policy.Operation, error) {
	var known []string
	for _, kind := range kinds {
		if o := policy.ParseOperation(name, kind); o != 0 {
			return o, nil
		}
		known = append(known, policy.OperationNames(kind)...)
	}
	return 0, fmt.Errorf("found the operation %q, expected one of %s", name, strings.Join(known, ", "))
}

func (h *facts) onProcess(q Question) (policy.Request, error) {
	o, err := operation(q.Operation, policy.ProcessOperations)
	if err != nil {
		return policy.Request{}, err
	}
	pid, err := strconv.ParseUint(q.Object, 10, 32)
	if err != nil {
		return policy.Request{}, fmt.Errorf("process %s: %w", q.Object, err)
	}
	target, err := h.target(uint32(pid))
	if err != nil {
		return policy.Request{}, err
	}
	target.Self = uint32(pid) == q.Who.PID
	h.object = fmt.Sprintf("%s[%d]", target.Executable, pid)
	return policy.Request{Operation: o, Target: target}, nil
}

// ofNames are operations that are done to a name, so that a symbolic link there is meant itself.
const ofNames = policy.Create | policy.Delete | policy.Rename | policy.Link

func (h *facts) onFile(set *policy.Set, q Question) (policy.Request, error) {
	o, err := operation(q.Operation, policy.FileOperations, policy.Run)
	if err != nil {
		return policy.Request{}, err
	}
	name, err := h.named(q.Object, o&ofNames != 0)
	if err != nil {
		return policy.Request{}, err
	}
	h.object = name
	r := policy.Request{Operation: o, File: h.file(set, name)}
	if o == policy.Run && r.File.ChangedSinceBoot {
		h.note("%s has changed since boot; the agent knows whether someone untrusted did that", name)
	}
	if o&(policy.Rename|policy.Link) == 0 {
		return r, nil
	}
	if q.To == "" {
		h.note("only the object is judged, and not the new name: --to gives it")
		return r, nil
	}
	if r.NewPath, err = h.named(q.To, true); err != nil {
		return r, err
	}
	if o == policy.Rename && h.host.Exists(r.NewPath) {
		r.Replaced = h.file(set, r.NewPath)
	}
	return r, nil
}

// named gives a path as the kernel sees it. keepLast leaves a symbolic link at its end as it is.
func (h *facts) named(name string, keepLast bool) (string, error) {
	full, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	if keepLast {
		return h.host.Names(full)[0], nil
	}
	return h.host.Real(full), nil
}

// usesHashes reports whether the policies look at what is in files.
func usesHashes(set *policy.Set) bool {
	hashed := func(s policy.Subject) bool { return s.SHA256 != "" }
	listed := func(p *policy.Programs) bool { return p != nil && len(p.SHA256) > 0 }
	for _, p := range set.Policies {
		for _, r := range p.Rules {
			if slices.ContainsFunc(r.Allow, hashed) || slices.ContainsFunc(r.Who, hashed) ||
				r.Exec != nil && (listed(r.Exec.Deny) || listed(r.Exec.Only)) {
				return true
			}
		}
	}
	return false
}

// WriteText writes the verdict, who acts, and what each rule says.
func (a *Answer) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s %s\n", a.Decision.Verdict, a.Operation, a.Object)
	fmt.Fprintf(&b, "  by       %s\n", who(a.Actor))
	if len(a.Decision.Reasons) == 0 {
		fmt.Fprintln(&b, "  because  no rule is about it")
	}
	for i, r := range a.Decision.Reasons {
		heading := "also"
		if i == 0 {
			heading = "because"
		}
		fmt.Fprintf(&b, "  %-8s %s\n", heading, sentence(r))
	}
	for _, note := range a.Notes {
		fmt.Fprintf(&b, "  note     %s\n", note)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// sentence says what one rule says.
func sentence(r policy.Reason) string {
	text := fmt.Sprintf("%s: policy %s, rule %s: %s", r.Position, r.Policy, r.Rule, r.Verdict)
	if r.Overruled {
		text += ", but another rule of the policy allows it"
	}
	if r.Entry != "" && r.Entry != r.Thing {
		text += fmt.Sprintf(" (%s: %s)", r.Entry, r.Thing)
	}
	return text
}

func who(a policy.Actor) string {
	var chain []string
	for _, p := range a.Lineage {
		name := p.Executable
		if !p.Trusted {
			name += " (not trusted)"
		}
		chain = append(chain, name)
	}
	text := strings.Join(chain, " ‹ ")
	for _, part := range []struct{ name, value string }{{"user", a.User}, {"cgroup", a.Cgroup}, {"container", a.Container}} {
		if part.value != "" {
			text += fmt.Sprintf(", %s %s", part.name, part.value)
		}
	}
	return text
}
