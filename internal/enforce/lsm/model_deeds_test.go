// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"math/rand/v2"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/pkg/policy"
)

// deed is what a performer is told to do, and what that is for policies.
type deed struct {
	by    *performer
	words []string

	// The kernel judges the requests of a step together, and comes to the next step only if it refuses none of them.
	steps [][]policy.Request

	natural   []unix.Errno // what it may fail with where no policy has a say; nil: it must not fail
	undo      func() error // nil for what changes nothing
	remounts  bool         // mounts are others meanwhile
	unmounted bool         // the inner file system is gone
}

func pick[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// doer makes random deeds of one performer.
type doer struct {
	*world
	r  *rand.Rand
	by *performer
}

// deed chooses one; none where the performer could not do it whatever policies say.
func (w *world) deed(r *rand.Rand) *deed {
	d := doer{w, r, pick(r, w.performers...)}
	made := pick(r, d.content, d.content, d.names, d.names, d.names, d.renames, d.renames, d.links, d.attributes, d.executes, d.executes,
		d.mounts, d.processes, d.processes, d.network, d.kernel)()
	if made != nil {
		made.by = d.by
	}
	return made
}

func (d doer) root() bool { return d.by.actor.UID == 0 }

// request is one of the performer's.
func (d doer) request(o policy.Operation, f *policy.File) policy.Request {
	return policy.Request{Operation: o, Subject: d.by.actor, File: f}
}

func step(requests ...policy.Request) []policy.Request { return requests }

func does(words ...string) *deed { return &deed{words: words} }

func (d *deed) in(steps ...[]policy.Request) *deed {
	d.steps = steps
	return d
}

// reached gives one of the paths that lead to a place.
func (d doer) reached(name string) string {
	name = d.at(name)
	if rest, ok := strings.CutPrefix(name, modelRoot+"/a/"); ok {
		return pick(d.r, name, name, modelAlias+"/"+rest)
	}
	return name
}

func (d doer) file() string {
	return d.reached(pick(d.r, append([]string{"a/hard", "b/hard"}, modelFiles...)...))
}
func (d doer) free() string { return d.reached(pick(d.r, modelNew...)) }

// nothing is to be undone but what tidying does.
func nothing() error { return nil }

func (d doer) content() *deed {
	file, dir := d.file(), d.reached(pick(d.r, modelDirs...))
	switch d.r.IntN(4) {
	case 0:
		return does("open", "read", file).in(step(d.request(policy.Read, d.fileAt(file))))
	case 1:
		return does("open", "read", dir).in(step(d.request(policy.Read, d.fileAt(dir))))
	case 2:
		return does("truncate", file).in(step(d.request(policy.Write, d.fileAt(file))))
	}
	return does("open", pick(d.r, "write", "cut"), file).in(step(d.request(policy.Write, d.fileAt(file))))
}

func (d doer) names() *deed {
	free := d.free()
	create := step(d.request(policy.Create, d.fileAt(free)))
	var made *deed
	switch d.r.IntN(7) {
	case 0:
		made = does("open", "make", free).in(create, step(d.request(policy.Write, d.fileAt(free))))
	case 1, 2:
		made = does(pick(d.r, "mkdir", "mknod", "pipe", "symlink"), free).in(create)
	case 3, 4:
		file := d.file()
		made = does("unlink", file).in(step(d.request(policy.Delete, d.fileAt(file))))
	case 5:
		link := d.at("link")
		made = does("unlink", link).in(step(d.request(policy.Delete, d.fileAt(link))))
	default:
		dir := d.reached(pick(d.r, "a", "a/sub", "a/sub/more", "b", "mnt/dir"))
		made = does("rmdir", dir).in(step(d.request(policy.Delete, d.fileAt(dir))))
		made.natural = []unix.Errno{unix.ENOTEMPTY}
	}
	made.undo = nothing
	return made
}

// renaming is a request to rename, once for each path that leads to the new place.
func (d doer) renaming(from, to string, replaced *policy.File) []policy.Request {
	var all []policy.Request
	for _, name := range aliases(to) {
		one := d.request(policy.Rename, d.fileAt(from))
		one.NewPath, one.Replaced = name, replaced
		all = append(all, one)
	}
	return all
}

func (d doer) renames() *deed {
	from, to := d.file(), d.free()
	switch d.r.IntN(4) {
	case 0: // of a directory
		from, to = d.at(pick(d.r, "a", "b", "a/sub", "a/sub/more")), d.at("n")
		fallthrough
	case 1:
		made := does("rename", from, to).in(d.renaming(from, to, nil))
		made.undo = func() error { return unix.Rename(to, from) }
		return d.onOneDevice(made, from, to)
	case 2: // over another
		to = d.file()
		made := does("rename", from, to).in(d.renaming(from, to, d.fileAt(to)))
		made.undo = nothing
		return d.onOneDevice(made, from, to)
	}
	to = pick(d.r, d.file(), d.reached("a/sub/more"), d.at("b"))
	made := does("exchange", from, to).in(d.renaming(to, from, d.fileAt(from)), d.renaming(from, to, d.fileAt(to)))
	made.undo = func() error { return exchange(from, to) }
	return d.onOneDevice(made, from, to)
}

// onOneDevice leaves out what the kernel does not do: over the border of a mount, onto itself, into itself.
func (d doer) onOneDevice(made *deed, from, to string) *deed {
	a, b := canonical(from), canonical(to)
	same := a == b || slices.Contains(modelHard, a) && slices.Contains(modelHard, b)
	if same || mountOf(from) != mountOf(to) || isWithin(a, b) || isWithin(b, a) {
		return nil
	}
	return made
}

// mountOf is the place of the mount that a path is on.
func mountOf(name string) string {
	for _, place := range []string{modelAlias, modelRoot + "/mnt"} {
		if isWithin(name, place) {
			return place
		}
	}
	return "/"
}

func (d doer) links() *deed {
	from, to := d.file(), d.free()
	create := d.request(policy.Create, d.fileAt(to))
	made := does("link", from, to).in(step(d.request(policy.Link, d.fileAt(from)), create))
	made.undo = nothing
	return d.onOneDevice(made, from, to)
}

func (d doer) attributes() *deed {
	object := pick(d.r, d.file(), d.reached(pick(d.r, modelDirs...)), d.at("mnt"), modelAlias)
	made := does(pick(d.r, "chmod", "times"), object).in(step(d.request(policy.Attributes, d.fileAt(object))))
	if !d.root() {
		made.natural = []unix.Errno{unix.EPERM}
	}
	return made
}

// code is what running or mapping a file is.
func (d doer) code(f *policy.File) []policy.Request {
	return step(d.request(policy.Execute, f), d.request(policy.Run, f))
}

func (d doer) executes() *deed {
	file := d.at("bin/" + pick(d.r, modelBin...))
	f := d.fileAt(file)
	switch d.r.IntN(4) {
	case 0:
		return does("map", file).in(step(d.request(policy.Read, f)), d.code(f))
	case 1:
		return does("run-memory").in(d.code(&policy.File{Origin: policy.Memfd, ChangedSinceBoot: true}))
	}
	made := does("run", file).in(d.code(f))
	if path.Base(file) == "script" {
		then := d
		by := *d.by
		by.actor.Lineage = append([]policy.Program{{Executable: file, Trusted: true}}, by.actor.Lineage...)
		then.by = &by
		made.steps = append(made.steps, then.code(d.fileAt(d.at("bin/tool"))))
	}
	return made
}

func (d doer) mounts() *deed {
	if !d.root() {
		return nil
	}
	any := d.request(policy.KernelMount, nil)
	if d.r.IntN(4) == 0 {
		inner := d.at("mnt")
		made := does("unmount", inner).in(step(any, d.request(policy.Mount, d.fileAt(inner))))
		made.undo, made.remounts, made.unmounted = nothing, true, true
		return made
	}
	dir := d.reached(pick(d.r, "a", "a/sub", "b", "mnt", "mnt/dir"))
	made := does("mount", dir).in(step(any, d.request(policy.Mount, d.fileAt(dir))))
	made.undo, made.remounts = func() error { return unix.Unmount(dir, unix.MNT_DETACH) }, true
	return made
}

func (d doer) processes() *deed {
	if !d.root() {
		return nil
	}
	p := pick(d.r, d.performers...)
	target := &policy.Target{Self: p == d.by, Executable: p.running(), Cgroup: p.actor.Cgroup}
	on := func(o policy.Operation) policy.Request {
		return policy.Request{Operation: o, Subject: d.by.actor, Target: target}
	}
	word := pick(d.r, "signal", "nice", "take", "memory")
	made := does(word, strconv.Itoa(p.pid))
	switch any := d.request(policy.KernelPtrace, nil); {
	case word == "signal":
		made.in(step(on(policy.Signal)))
	case word == "nice":
		made.in(step(on(policy.Priority)))
	case target.Self: // nobody is asked
		made.in()
	case word == "take":
		made.in(step(on(policy.Ptrace), any))
	default:
		made.in(step(on(policy.Memory), any))
	}
	if word == "memory" {
		made.natural = []unix.Errno{unix.EFAULT}
	}
	return made
}

// offline are errors of calls whose success does not matter here.
var offline = []unix.Errno{unix.EINPROGRESS, unix.ECONNREFUSED, unix.EACCES, unix.EADDRINUSE, unix.EADDRNOTAVAIL, unix.ENETUNREACH, unix.EINVAL,
	unix.ENODEV, unix.ENOENT, unix.ENOSYS, unix.EFAULT, unix.ENXIO}

func (d doer) network() *deed {
	if d.r.IntN(2) == 0 {
		return d.accepts()
	}
	at := netip.MustParseAddrPort(pick(d.r, "127.0.0.1:7001", "127.0.0.1:7002", "127.0.0.9:7001", "[::1]:7001", "[::1]:80", "[::ffff:127.0.0.1]:7001", "127.0.0.1:80"))
	protocol := pick(d.r, policy.TCP, policy.UDP)
	what := pick(d.r, "connect", "bind", "send")
	operation := policy.Connect
	switch what {
	case "bind":
		operation = policy.Bind
	case "send":
		protocol = policy.UDP
	}
	made := does("socket", what, string(protocol), at.String())
	made.in(step(policy.Request{Operation: operation, Subject: d.by.actor, Address: &policy.Address{AddrPort: at, Protocol: protocol}}))
	made.natural = offline
	return made
}

// accepts is a program that connects to itself: from one address, to one that it listens at.
func (d doer) accepts() *deed {
	at := netip.MustParseAddrPort(pick(d.r, "127.0.0.1:7002", "[::]:7002", "[::1]:7002"))
	peer := netip.MustParseAddrPort(pick(d.r, "127.0.0.1:7001", "127.0.0.9:7001", "127.0.0.1:7009", "127.0.0.1:80"))
	if at.Addr() == netip.IPv6Loopback() {
		peer = netip.MustParseAddrPort(pick(d.r, "[::1]:7001", "[::1]:80"))
	}
	if peer.Port() == 80 && !d.root() {
		return nil
	}
	to := at
	if at.Addr().IsUnspecified() {
		to = netip.AddrPortFrom(peer.Addr(), at.Port())
	}
	about := func(o policy.Operation, address netip.AddrPort) []policy.Request {
		return step(policy.Request{Operation: o, Subject: d.by.actor, Address: &policy.Address{AddrPort: address, Protocol: policy.TCP}})
	}
	made := does("accept", at.String(), peer.String())
	return made.in(about(policy.Bind, at), about(policy.Bind, peer), about(policy.Connect, to), about(policy.Accept, peer))
}

func (d doer) kernel() *deed {
	if !d.root() {
		return nil
	}
	word := pick(d.r, "modules", "bpf", "kexec", "raw_devices", "time")
	made := does("kernel", word).in(step(d.request(policy.ParseOperation(word, policy.KernelOperations), nil)))
	made.natural = offline
	return made
}
