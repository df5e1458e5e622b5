// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"errors"
	"hash/maphash"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Looking at a host again and again: a Host that is kept remembers what each fact was read from and how that looked, so that the
// next one reads only what changed.

// Look is a question that was asked of the host.
type Look struct {
	about aspect
	path  string
}

// aspect is what of a path was looked at.
type aspect uint8

const (
	bytesOf         aspect = iota // the bytes of a file
	attributesOf                  // type, mode, owner and size of what a path leads to
	ownAttributesOf               // the same of the path's last name, a link or not
	linkOf                        // what a link says
	activityOf                    // whether a unit is active, as systemd says
	namesOf                       // the names in a directory
	incomparable                  // something that cannot be compared: it counts as changed each time
	theDay                        // what day it is
	changesAnywhere               // files anywhere, for the walk
)

// stamp is the answer, or what changes with it. Stamps are compared as a whole.
type stamp struct {
	device, inode, size uint64
	mode, uid, gid      uint32
	modified, changed   int64
	bytes               uint64 // a hash, of what has no time
	problem             string // instead of all else
}

// seen are the looks of one fact or one reader.
type seen struct {
	guard sync.Mutex
	looks map[Look]bool
}

// memory is shared by all that read one host at one time.
type memory struct {
	values   sync.Map // fact by name: *once
	tracking bool
	stamps   sync.Map // look: stamp
	racy     sync.Map // look: true where a change might not show in the times
	walker   *Walker  // nil where each walk goes through everything
	news     *News    // of a sensor; nil where nobody listens
	effort   Effort
	programs []string // that may be run

	noKernelAudit bool // of the kernel's audit rules nothing is known
}

// once is a fact that is read when it is first asked for, and what it was read from.
type once[T any] struct {
	guard sync.Once
	value T
	err   error
	from  []Look
}

func (o *once[T]) looks() []Look { return o.from }

func (o *once[T]) failed() bool { return o.err != nil }

// fact is a once of any type.
type fact interface {
	looks() []Look
	failed() bool
}

// contentOf is before the paths of files whose bytes are facts. Those are let go when a scan ends.
const contentOf = "content of "

// cached gives a fact that is read once.
func cached[T any](h *Host, name string, read func(h *Host) (T, error)) (T, error) {
	entry, _ := h.memory.values.LoadOrStore(name, &once[T]{})
	known := entry.(*once[T])
	known.guard.Do(func() {
		inner := h.Watched()
		known.value, known.err = read(inner)
		known.from = inner.Looks()
	})
	h.seeAll(known.from)
	return known.value, known.err
}

// With gives the host whose root directory this is, read with an effort.
func With(root string, effort Effort) *Host {
	h := New(root)
	h.memory.effort = effort
	return h
}

// Kept gives the host whose root directory this is, to be looked at again and again with Next.
func Kept(root string, effort Effort, walker *Walker) *Host {
	h := With(root, effort)
	h.memory.tracking, h.memory.walker = true, walker
	return h
}

// Hear lets a sensor say where to look, for the walk too.
func (h *Host) Hear(n *News) {
	h.memory.news = n
	h.memory.walker.Hear(n)
}

// Watched gives the same host, which remembers what was looked at through it.
func (h *Host) Watched() *Host {
	if !h.memory.tracking {
		return h
	}
	return &Host{h.root, h.memory, &seen{looks: map[Look]bool{}}}
}

// Looks are what was looked at through a watched host.
func (h *Host) Looks() []Look {
	if h.seen == nil {
		return nil
	}
	h.seen.guard.Lock()
	defer h.seen.guard.Unlock()
	return slices.Collect(maps.Keys(h.seen.looks))
}

func (h *Host) seeAll(looks []Look) {
	if h.seen == nil {
		return
	}
	h.seen.guard.Lock()
	defer h.seen.guard.Unlock()
	for _, l := range looks {
		h.seen.looks[l] = true
	}
}

// note remembers a look. The first answer counts: what changed after it counts as changed.
func (h *Host) note(l Look, at stamp) {
	if h.seen == nil {
		return
	}
	h.seeAll([]Look{l})
	if _, known := h.memory.stamps.LoadOrStore(l, at); !known && at.isRacy(time.Now()) {
		h.memory.racy.Store(l, true)
	}
}

// cannotCompare says that a fact is to be read anew each time.
func (h *Host) cannotCompare(what string) { h.note(Look{incomparable, what}, stamp{}) }

// unnoticed gives the same host for looks that are not to be remembered.
func (h *Host) unnoticed() *Host { return &Host{h.root, h.memory, nil} }

// settled is how long ago a file must have been changed for another change to show in its times, whose steps are those of the
// kernel's clock.
const settled = 50 * time.Millisecond

func (s stamp) isRacy(now time.Time) bool {
	return s.changed != 0 && now.Sub(time.Unix(0, max(s.changed, s.modified))) < settled
}

// Next gives the host for another scan. It keeps the facts of which nothing changed; changed tells of looks, as of Looks, whether
// one of them has another answer now.
func (h *Host) Next() (next *Host, changed func(looks []Look) bool) {
	if h.memory.news != nil {
		h.memory.news.take(true)
	}
	return h.next(func(Look) bool { return true })
}

// NextTold is Next for what a sensor told of since: all else is taken to be as it was.
func (h *Host) NextTold() (next *Host, changed func(looks []Look) bool) {
	told := h.memory.news.take(false)
	return h.next(func(l Look) bool { return told[l] })
}

func (h *Host) next(asked func(Look) bool) (next *Host, changed func(looks []Look) bool) {
	next = Kept(h.root, h.memory.effort, h.memory.walker)
	next.memory.news = h.memory.news
	next.Allow(h.memory.programs)
	answers := map[Look]bool{}
	h.memory.stamps.Range(func(key, value any) bool {
		l := key.(Look)
		_, racy := h.memory.racy.Load(l)
		if !asked(l) {
			answers[l] = false
			next.memory.stamps.Store(l, value)
			if racy {
				next.memory.racy.Store(l, true)
			}
			return true
		}
		now := next.ask(l)
		answers[l] = racy || now != value.(stamp) || l.about == incomparable
		next.memory.stamps.Store(l, now)
		if now.isRacy(time.Now()) {
			next.memory.racy.Store(l, true)
		}
		return true
	})
	changed = func(looks []Look) bool {
		return slices.ContainsFunc(looks, func(l Look) bool {
			other, known := answers[l]
			return other || !known
		})
	}
	h.memory.values.Range(func(name, value any) bool {
		f := value.(fact)
		if !strings.HasPrefix(name.(string), contentOf) && !f.failed() && !changed(f.looks()) {
			next.memory.values.Store(name, value)
		}
		return true
	})
	return next, changed
}

// Settle ends a scan: it lets go of the bytes of files, which only a scan needs, and of looks that nobody has any use for.
func (h *Host) Settle(used ...[]Look) {
	needed := map[Look]bool{}
	need := func(looks []Look) {
		for _, l := range looks {
			needed[l] = true
		}
	}
	for _, looks := range used {
		need(looks)
	}
	h.memory.values.Range(func(name, value any) bool {
		if strings.HasPrefix(name.(string), contentOf) {
			h.memory.values.Delete(name)
		} else {
			need(value.(fact).looks())
		}
		return true
	})
	h.memory.stamps.Range(func(l, _ any) bool {
		if !needed[l.(Look)] {
			h.memory.stamps.Delete(l)
		}
		return true
	})
	if h.memory.news != nil {
		h.memory.news.follow(h.newInterest())
	}
}

// ask gives the present answer to a look.
func (h *Host) ask(l Look) stamp {
	quiet := h.unnoticed()
	switch l.about {
	case incomparable:
		return stamp{}
	case theDay:
		return stamp{size: uint64(DayOf(time.Now()))}
	case changesAnywhere:
		return h.memory.walker.stamp(h)
	case activityOf:
		_, _, at := quiet.askActive(l.path)
		return at
	case attributesOf:
		return stampOfAttributes(quiet.Stat(l.path))
	case ownAttributesOf:
		return stampOfAttributes(quiet.Lstat(l.path))
	case linkOf:
		target, err := quiet.Readlink(l.path)
		return stampOfBytes([]byte(target), err)
	case namesOf:
		return quiet.askNames(l.path)
	}
	return quiet.askContent(l.path)
}

func (h *Host) askContent(path string) stamp {
	if isMade(path) {
		_, at, _ := h.readStamped(path)
		return at
	}
	full, err := h.real(path)
	if err != nil {
		return failed(err)
	}
	info, err := os.Stat(full)
	if err != nil {
		return failed(err)
	}
	return stampOfContent(info)
}

func (h *Host) askNames(dir string) stamp {
	if isMade(dir) {
		names, err := h.Names(dir)
		return stampOfBytes([]byte(strings.Join(names, "/")), err)
	}
	full, err := h.real(dir)
	if err != nil {
		return failed(err)
	}
	return stampOfNames(full)
}

// isMade reports whether the kernel makes up what is at a path when it is read, so that its times mean nothing.
func isMade(path string) bool {
	return strings.HasPrefix(path, "/proc/") || path == "/proc" || strings.HasPrefix(path, "/sys/")
}

// failed is the stamp of what could not be read; of errors only their kind counts.
func failed(err error) stamp {
	var number syscall.Errno
	if errors.As(err, &number) {
		return stamp{problem: number.Error()}
	}
	return stamp{problem: err.Error()}
}

// stampOfContent changes whenever the bytes of a file do.
func stampOfContent(info fs.FileInfo) stamp {
	at := stamp{size: uint64(info.Size()), mode: uint32(info.Mode().Type()), modified: info.ModTime().UnixNano()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		at.device, at.inode, at.changed = uint64(st.Dev), st.Ino, changeTime(st)
	}
	return at
}

// stampOfNames changes whenever the names in a directory do; there are none where there is no directory.
func stampOfNames(full string) stamp {
	info, err := os.Stat(full)
	if err != nil {
		return failed(err)
	}
	return stampOfContent(info)
}

// stampOfAttributes is what callers can see of a file.
func stampOfAttributes(info fs.FileInfo, err error) stamp {
	if err != nil {
		return failed(err)
	}
	at := stamp{mode: uint32(info.Mode())}
	if info.Mode().IsRegular() {
		at.size = uint64(info.Size())
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		at.uid, at.gid = st.Uid, st.Gid
	}
	return at
}

var seed = maphash.MakeSeed()

func stampOfBytes(data []byte, err error) stamp {
	if err != nil {
		return failed(err)
	}
	return stamp{bytes: maphash.Bytes(seed, data), size: uint64(len(data))}
}
