// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Found is a file or directory that the walk of the host's file systems gives: one that everybody may write, one that runs
// with its owner's or group's rights, or one whose owner or group is no account.
type Found struct {
	Path             string
	Directory        bool
	Mode             uint32 // permission bits with setuid, setgid and sticky
	NoOwner, NoGroup bool   // by the accounts and groups that can be read
	WorldWritable    bool
	SetUID, SetGID   bool
}

// Walk goes through all local file systems, with several directories at a time. A kept host goes through what changed only, where
// the kernel tells it.
func (h *Host) Walk() ([]Found, error) {
	return cached(h, "walk", func(h *Host) ([]Found, error) {
		w := newWalk(h)
		if h.memory.walker == nil {
			return w.run(h.root)
		}
		return h.memory.walker.walk(h, w)
	})
}

// walk shares out directories. A directory that finds the channel full is read by who found it.
type walk struct {
	root          string
	effort        Effort
	users, groups map[uint32]bool
	work          chan string
	pending       sync.WaitGroup
	guard         sync.Mutex
	found         []Found
	err           error
	failed        atomic.Bool
}

// newWalk knows whose files are somebody's. Where that cannot be read, only root's are, which OwnersKnown tells.
func newWalk(h *Host) *walk {
	w := &walk{root: h.root, effort: h.memory.effort, users: map[uint32]bool{}, groups: map[uint32]bool{}, work: make(chan string, 1<<10)}
	users, unknownUsers := h.users()
	for _, a := range users {
		w.users[uint32(a.UID)] = true
	}
	groups, unknownGroups := h.groups()
	for _, g := range groups {
		w.groups[uint32(g.GID)] = true
	}
	w.users[0] = w.users[0] || unknownUsers != nil
	w.groups[0] = w.groups[0] || unknownGroups != nil
	return w
}

// run goes through directories and what is below them.
func (w *walk) run(dirs ...string) ([]Found, error) {
	w.pending.Add(1) // so that it is not over before it begins
	workers := w.effort.Start(func() {
		buffer := make([]byte, 1<<16)
		for dir := range w.work {
			w.directory(dir, buffer)
			w.pending.Done()
		}
	})
	for _, dir := range dirs {
		w.pending.Add(1)
		w.work <- dir
	}
	w.pending.Done()
	w.pending.Wait()
	close(w.work)
	workers.Wait()
	slices.SortFunc(w.found, func(a, b Found) int { return strings.Compare(a.Path, b.Path) })
	return w.found, w.err
}

func (w *walk) fail(dir string, err error) {
	// What goes away while it is read is not there.
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || w.failed.Swap(true) {
		return
	}
	w.err = fmt.Errorf("walking the file systems: %s: %w", dir, err)
}

func (w *walk) directory(dir string, buffer []byte) {
	if w.failed.Load() {
		return
	}
	if err := w.effort.pause(); err != nil {
		w.fail(dir, err)
		return
	}
	for _, inside := range w.list(dir, buffer) {
		w.enter(inside, buffer)
	}
}

// list judges what is in a directory and gives the directories among it. Nothing is open when it returns, as a file system of which something
// is open cannot be unmounted, and what is below can be much.
func (w *walk) list(dir string, buffer []byte) (inside []string) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		w.fail(dir, err)
		return nil
	}
	defer unix.Close(fd)
	var self unix.Stat_t
	if err := unix.Fstat(fd, &self); err != nil {
		w.fail(dir, err)
		return nil
	}
	var names []string
	for {
		n, err := unix.ReadDirent(fd, buffer)
		if err != nil {
			w.fail(dir, err)
			return nil
		}
		if n == 0 {
			break
		}
		_, _, names = unix.ParseDirent(buffer[:n], -1, names)
	}
	for _, name := range names {
		full := strings.TrimSuffix(dir, "/") + "/" + name
		if w.entry(full, fd, name, &self) {
			inside = append(inside, full)
		}
	}
	return inside
}

// entry judges what a directory has and reports whether it is a directory to enter.
func (w *walk) entry(full string, dir int, name string, parent *unix.Stat_t) bool {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		w.fail(full, err)
		return false
	}
	kind := uint32(st.Mode) & unix.S_IFMT
	if kind == unix.S_IFLNK || kind == unix.S_IFDIR && st.Dev != parent.Dev && !isLocal(full) {
		return false
	}
	w.judge(full, kind, &st)
	return kind == unix.S_IFDIR
}

func (w *walk) enter(dir string, buffer []byte) {
	w.pending.Add(1)
	select {
	case w.work <- dir:
	default:
		w.directory(dir, buffer)
		w.pending.Done()
	}
}

// containerStores are where engines keep the files of containers, for the host's root and, below a home, for a user.
var containerStores = []string{"/var/lib/docker/", "/var/lib/containers/", "/var/lib/containerd/", "/var/lib/kubelet/", "/var/lib/rancher/", "/var/lib/lxc/",
	"/var/lib/machines/", "/.local/share/containers/storage/", "/.local/share/docker/"}

// ofContainers reports whether a file is a container's, whose accounts are others than the host's: that it belongs to none of these is as it should be,
// and its mode is for those who cannot enter the host's directories on the way.
func ofContainers(full string) bool {
	return slices.ContainsFunc(containerStores, func(store string) bool {
		return strings.HasPrefix(full, store) || strings.HasPrefix(store, "/.local/") && strings.Contains(full, store)
	})
}

// judge keeps what somebody may ask for.
func (w *walk) judge(full string, kind uint32, st *unix.Stat_t) {
	mode := uint32(st.Mode) & 0o7777
	f := Found{Mode: mode, Directory: kind == unix.S_IFDIR, NoOwner: !w.users[st.Uid], NoGroup: !w.groups[st.Gid]}
	f.WorldWritable = mode&0o002 != 0 && (kind == unix.S_IFREG || kind == unix.S_IFDIR)
	f.SetUID = kind == unix.S_IFREG && mode&0o4000 != 0
	f.SetGID = kind == unix.S_IFREG && mode&0o2000 != 0
	if !f.NoOwner && !f.NoGroup && !f.WorldWritable && !f.SetUID && !f.SetGID {
		return
	}
	f.Path = "/" + strings.TrimPrefix(strings.TrimPrefix(full, w.root), "/")
	if ofContainers(f.Path) {
		if !f.SetUID && !f.SetGID {
			return
		}
		f.NoOwner, f.NoGroup, f.WorldWritable = false, false, false
	}
	w.guard.Lock()
	w.found = append(w.found, f)
	w.guard.Unlock()
}
