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
const asked = unix.FAN_CREATE | unix.FAN_MOVED_TO | unix.FAN_ATTRIB | unix.FAN_ONDIR

// Watch remembers changes on the file systems that were added.
type Watch struct {
	events *os.File
	raw    syscall.RawConn // of events
	ended  chan struct{}

	guard   sync.Mutex
	buffer  []byte
	roots   map[[8]byte]root // by file system
	records map[record]bool
	lost    bool
	deaf    bool // nothing is told any more
}

// root is a directory by which a file system is reached.
type root struct {
	path string
	dir  *os.File
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
	w := &Watch{events: events, raw: raw, ended: make(chan struct{}), buffer: make([]byte, 64<<10), roots: map[[8]byte]root{}, records: map[record]bool{}}
	go w.read()
	return w, nil
}

// Add watches the whole file system that is mounted at a directory. It fails where the file system has no lasting handles, as
// overlays have not.
func (w *Watch) Add(mountpoint string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(mountpoint, &fs); err != nil {
		return fmt.Errorf("watching changes of files: %s: %w", mountpoint, err)
	}
	var id [8]byte
	binary.NativeEndian.PutUint32(id[:], uint32(fs.Fsid.Val[0]))
	binary.NativeEndian.PutUint32(id[4:], uint32(fs.Fsid.Val[1]))
	w.guard.Lock()
	defer w.guard.Unlock()
	if _, known := w.roots[id]; known {
		return nil
	}
	dir, err := os.Open(mountpoint)
	if err != nil {
		return fmt.Errorf("watching changes of files: %w", err)
	}
	if err := w.mark(mountpoint); err != nil {
		dir.Close()
		return fmt.Errorf("watching changes of files: %s: %w", mountpoint, err)
	}
	w.roots[id] = root{mountpoint, dir}
	return nil
}

func (w *Watch) mark(mountpoint string) error {
	var failed error
	err := w.raw.Control(func(fd uintptr) {
		failed = unix.FanotifyMark(int(fd), unix.FAN_MARK_ADD|unix.FAN_MARK_FILESYSTEM, asked, unix.AT_FDCWD, mountpoint)
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
	for r := range w.records {
		if full, ok := w.pathOf(r); ok {
			changed = append(changed, Change{full, r.directory, r.made})
		}
	}
	clear(w.records)
	w.lost = false
	return changed, complete
}

func (w *Watch) pathOf(r record) (string, bool) {
	from, ok := w.roots[r.fsid]
	if !ok {
		return "", false
	}
	fd, err := unix.OpenByHandleAt(int(from.dir.Fd()), unix.NewFileHandle(r.kind, []byte(r.handle)), unix.O_PATH|unix.O_CLOEXEC)
	if err != nil {
		return "", false
	}
	defer unix.Close(fd)
	dir, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil || dir != from.path && !strings.HasPrefix(dir, strings.TrimSuffix(from.path, "/")+"/") {
		return "", false
	}
	return path.Join(dir, r.name), true
}

// Close ends the watch. It can be called once.
func (w *Watch) Close() error {
	err := w.events.Close()
	<-w.ended
	w.guard.Lock()
	defer w.guard.Unlock()
	for _, r := range w.roots {
		err = errors.Join(err, r.dir.Close())
	}
	return err
}
