// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package fallback

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sys/unix"
)

// askers is how many acts are judged at once. One that waits for another process's files must not keep the agent's own from
// being answered.
const askers = 4

// fileGuard watches files by fanotify: one group asks before files are opened or run, the other tells what has changed.
type fileGuard struct {
	enforcer *Enforcer
	ask      *os.File
	tell     *os.File
	renames  bool // the kernel tells of a rename as one event
	done     sync.WaitGroup

	mu          sync.Mutex // never held while a file is opened
	current     *watch
	planning    bool         // the next watch is being made, which may have been looked for before what appears
	appearances []appearance // while that is so
	objects     map[fileKey]object
	directories map[string]string // by handle
	failures    map[string]error  // what could not be watched
	mounts      map[uint64]mount  // by number, as they were met
	own         []mount
	ownAt       time.Time
	judged      *simplelru.LRU[judgedKey, bool] // opens that were told of
	hashes      *simplelru.LRU[hashKey, string]
}

// appearance is a name that something has got.
type appearance struct {
	name  string
	isDir bool
}

// judgedKey is an open that was told of, so that its writing is not told of again.
type judgedKey struct {
	tgid uint32
	path string
}

const (
	mostJudged = 4096
	mostHashes = 4096
)

func openFiles(e *Enforcer) (*fileGuard, error) {
	g := &fileGuard{enforcer: e, objects: map[fileKey]object{}, directories: map[string]string{}, failures: map[string]error{}, mounts: map[uint64]mount{}}
	var err error
	if g.judged, err = simplelru.NewLRU[judgedKey, bool](mostJudged, nil); err != nil {
		return nil, err
	}
	if g.hashes, err = simplelru.NewLRU[hashKey, string](mostHashes, nil); err != nil {
		return nil, err
	}
	g.current = g.newWatch()
	const common = unix.FAN_CLOEXEC | unix.FAN_NONBLOCK | unix.FAN_UNLIMITED_QUEUE | unix.FAN_UNLIMITED_MARKS
	if g.ask, err = group("ask", common|unix.FAN_CLASS_CONTENT|unix.FAN_REPORT_TID); err != nil {
		return nil, err
	}
	if g.tell, err = group("tell", common|unix.FAN_CLASS_NOTIF|unix.FAN_REPORT_DFID_NAME); err != nil {
		return nil, errors.Join(err, g.ask.Close())
	}
	g.probeRenames()
	for range askers {
		g.done.Go(func() { g.read(g.ask, g.answer) })
	}
	g.done.Go(func() { g.read(g.tell, g.noticed) })
	return g, nil
}

func group(name string, flags uint) (*os.File, error) {
	fd, err := unix.FanotifyInit(flags, unix.O_RDONLY|unix.O_LARGEFILE|unix.O_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("fanotify_init: %w", err)
	}
	return os.NewFile(uintptr(fd), "fanotify-"+name), nil
}

// probeRenames finds out how renames are told of, by a directory that is marked for an instant.
func (g *fileGuard) probeRenames() {
	g.renames = true
	g.mark(g.tell, "/", unix.FAN_MARK_ADD, tellRename)
	_, refused := g.failures["/"]
	g.renames = !refused
	if !refused {
		g.mark(g.tell, "/", unix.FAN_MARK_REMOVE, tellRename)
	}
	clear(g.failures)
}

// keep makes a watch, whose marks are set, the only one.
func (g *fileGuard) keep(w *watch) {
	g.mu.Lock()
	old := g.current
	g.current, g.objects, g.directories = w, w.objects, w.directories
	late := g.appearances
	g.planning, g.appearances = false, nil
	g.mu.Unlock()
	for _, a := range late {
		w.appeared(a.name, a.isDir)
	}
	old.remove(w)
}

// abandon takes back a watch that is not to be.
func (g *fileGuard) abandon(w *watch) {
	g.mu.Lock()
	current := g.current
	g.planning, g.appearances = false, nil
	g.mu.Unlock()
	w.remove(current)
}

// appeared watches what has got a name that rules are about.
func (g *fileGuard) appeared(name string, isDir bool) {
	g.mu.Lock()
	current := g.current
	if g.planning {
		g.appearances = append(g.appearances, appearance{name, isDir})
	}
	g.mu.Unlock()
	current.appeared(name, isDir)
}

// read hands on events until the group is closed.
func (g *fileGuard) read(file *os.File, handle func(fileEvent)) {
	buffer := make([]byte, 4096)
	for {
		n, err := file.Read(buffer)
		if err != nil {
			if errors.Is(err, os.ErrClosed) {
				return
			}
			continue // a file that is gone cannot be opened for us; the kernel has answered by itself
		}
		events, err := parseEvents(buffer[:n])
		if err != nil {
			g.enforcer.outbox.lost.Add(1)
		}
		for _, event := range events {
			handle(event)
		}
	}
}

// respond lets an act go on or refuses it.
func (g *fileGuard) respond(fd int32, allow bool) {
	response := uint32(unix.FAN_DENY)
	if allow {
		response = unix.FAN_ALLOW
	}
	var b [8]byte
	binary.NativeEndian.PutUint32(b[:], uint32(fd))
	binary.NativeEndian.PutUint32(b[4:], response)
	if _, err := g.ask.Write(b[:]); err != nil && !errors.Is(err, os.ErrClosed) && !errors.Is(err, unix.ENOENT) {
		g.enforcer.outbox.lost.Add(1) // whoever waited was killed, or the kernel has answered
	}
}

// close lets go of everything that waits.
func (g *fileGuard) close() error {
	err := errors.Join(g.ask.Close(), g.tell.Close())
	g.done.Wait()
	return err
}

// isOwn reports whether a thread is the agent's own, which must never wait for itself.
func isOwn(tid uint32) bool { return unix.Tgkill(os.Getpid(), int(tid), 0) == nil }
