// SPDX-License-Identifier: Apache-2.0

package fschange

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// mostRecords bounds what is remembered. Beyond it somebody has to look at everything again.
const mostRecords = 1 << 15

// asked are the changes that matter: what goes away is found to be gone.
const (
	asked      = unix.FAN_CREATE | unix.FAN_MOVED_TO | unix.FAN_ATTRIB | unix.FAN_ONDIR
	neverAsked = unix.FAN_DELETE
)

// Watch remembers changes on the file systems that were added.
type Watch struct {
	events *os.File
	raw    syscall.RawConn // of events
	ended  chan struct{}

	guard   sync.Mutex
	buffer  []byte
	roots   map[[8]byte]string // the directory by which a file system is reached, by its id
	records map[record]bool
	lost    bool
	deaf    bool // nothing is told any more
}

// New begins to remember. It needs CAP_SYS_ADMIN and a kernel from 5.9 on. Close ends it.
func New() (*Watch, error) {
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_NOTIF|unix.FAN_REPORT_DFID_NAME|unix.FAN_NONBLOCK|unix.FAN_CLOEXEC, unix.O_RDONLY|unix.O_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("watching changes of files by fanotify: %w", err)
	}
	events := os.NewFile(uintptr(fd), "fanotify")
	raw, err := events.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, events.Close())
	}
	w := &Watch{events: events, raw: raw, ended: make(chan struct{}), buffer: make([]byte, 64<<10), roots: map[[8]byte]string{}, records: map[record]bool{}}
	go w.read()
	return w, nil
}

// Add watches the whole file system that is mounted at a directory, and reports whether it begins to: what changed on it before is not
// told. It can be called again and again, as a file system that was unmounted is no longer watched, even if it is mounted again. Nothing
// of it is kept open, so that it can be unmounted. Add fails where the file system has no lasting handles, as overlays have not.
func (w *Watch) Add(mountpoint string) (begun bool, err error) {
	fd, id, err := look(mountpoint)
	if err != nil {
		return false, fmt.Errorf("watching changes of files: %s: %w", mountpoint, err)
	}
	defer unix.Close(fd)
	w.guard.Lock()
	defer w.guard.Unlock()
	// The kernel knows best whether it is the one that was watched: to take away what was not asked for fails where nothing was.
	if w.mark(unix.FAN_MARK_REMOVE, neverAsked, fd) != nil {
		if err := w.mark(unix.FAN_MARK_ADD, asked, fd); err != nil {
			return false, fmt.Errorf("watching changes of files: %s: %w", mountpoint, err)
		}
		begun = true
	}
	if known, ok := w.roots[id]; !ok || !holds(known, id) {
		w.roots[id] = mountpoint
	}
	return begun, nil
}

// look gives what a path leads to, and the id of its file system, without mounting what is only mounted when somebody enters it.
func look(path string) (fd int, id [8]byte, err error) {
	if fd, err = unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0); err != nil {
		return -1, id, err
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		unix.Close(fd)
		return -1, id, err
	}
	binary.NativeEndian.PutUint32(id[:], uint32(fs.Fsid.Val[0]))
	binary.NativeEndian.PutUint32(id[4:], uint32(fs.Fsid.Val[1]))
	return fd, id, nil
}

// holds reports whether a path leads into a file system.
func holds(path string, id [8]byte) bool {
	fd, found, err := look(path)
	if err != nil {
		return false
	}
	unix.Close(fd)
	return found == id
}

func (w *Watch) mark(flags uint, mask uint64, dir int) error {
	var failed error
	err := w.raw.Control(func(fd uintptr) {
		failed = unix.FanotifyMark(int(fd), flags|unix.FAN_MARK_FILESYSTEM, mask, dir, ".")
	})
	return errors.Join(err, failed)
}

// read ends when the file is closed.
func (w *Watch) read() {
	defer close(w.ended)
	err := w.raw.Read(func(fd uintptr) bool {
		w.guard.Lock()
		defer w.guard.Unlock()
		w.drain(int(fd))
		return w.deaf
	})
	if err != nil {
		w.guard.Lock()
		w.deaf = true
		w.guard.Unlock()
	}
}

// catchUp remembers what the kernel has told by now: a change that was made before the call is not missed. The guard is held.
func (w *Watch) catchUp() {
	if err := w.raw.Control(func(fd uintptr) { w.drain(int(fd)) }); err != nil {
		w.deaf = true
	}
}

// mostReads is how often is read at once, so that a host that changes all the time cannot keep who asks.
const mostReads = 1024

// drain reads what there is. The guard is held, so that nobody asks between reading and remembering.
func (w *Watch) drain(fd int) {
	for range mostReads {
		n, err := unix.Read(fd, w.buffer)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return
		case err != nil:
			w.deaf = true
			return
		}
		records, overflow, err := parse(w.buffer[:n])
		if overflow || err != nil {
			w.lose()
		}
		w.keep(records)
	}
}

func (w *Watch) lose() {
	w.lost = true
	clear(w.records)
}

func (w *Watch) keep(records []record) {
	for _, r := range records {
		if w.lost {
			return
		}
		if len(w.records) == mostRecords {
			w.lost = true
			clear(w.records)
			return
		}
		w.records[r] = true
	}
}

// Pending reports whether Take has something to tell.
func (w *Watch) Pending() bool {
	w.guard.Lock()
	defer w.guard.Unlock()
	w.catchUp()
	return w.lost || w.deaf || len(w.records) > 0
}

// Take gives what changed since it was last asked; complete is false where there was more than could be remembered. What is gone
// already, and what cannot be reached from where its file system was added, is left out.
func (w *Watch) Take() (changed []Change, complete bool) {
	w.guard.Lock()
	defer w.guard.Unlock()
	w.catchUp()
	complete = !w.lost && !w.deaf
	of := map[[8]byte][]record{}
	for r := range w.records {
		of[r.fsid] = append(of[r.fsid], r)
	}
	for id, root := range w.roots {
		if !holds(root, id) {
			delete(w.roots, id)
		} else if len(of[id]) > 0 {
			changed = append(changed, resolve(of[id], root, id)...)
		}
	}
	clear(w.records)
	w.lost = false
	return changed, complete
}

// resolve finds the paths of records of one file system. Its root is open for no longer than that takes.
func resolve(records []record, root string, id [8]byte) (changed []Change) {
	place, found, err := look(root)
	if err != nil {
		return nil
	}
	defer unix.Close(place)
	if found != id { // it is gone, and what is at its place now was not asked about
		return nil
	}
	dir, err := unix.Openat(place, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(dir)
	for _, r := range records {
		if full, ok := pathOf(r, root, dir); ok {
			changed = append(changed, Change{full, r.directory, r.made})
		}
	}
	return changed
}

func pathOf(r record, root string, dir int) (string, bool) {
	fd, err := unix.OpenByHandleAt(dir, unix.NewFileHandle(r.kind, []byte(r.handle)), unix.O_PATH|unix.O_CLOEXEC)
	if err != nil {
		return "", false
	}
	defer unix.Close(fd)
	parent, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil || parent != root && !strings.HasPrefix(parent, strings.TrimSuffix(root, "/")+"/") {
		return "", false
	}
	return path.Join(parent, r.name), true
}

// Close ends the watch. It can be called once.
func (w *Watch) Close() error {
	err := w.events.Close()
	<-w.ended
	return err
}
