// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/fschange"
)

// Walker knows what the last walk found, and by the kernel which files have changed since.
type Walker struct {
	every time.Duration
	watch *fschange.Watch // nil where changes are not told

	guard   sync.Mutex
	news    *News // of a sensor, which stands in where the kernel does not tell; nil where there is none
	why     error // why changes are not told, of one file system at least
	answer  uint64
	walked  time.Time // the last walk through everything; zero before there was one, and where changes were missed since
	mounted []tree    // file systems that were walked
	begun   []string  // those of which changes are told since the last walk: what changed before nobody knows
	untold  []string  // those in memory of which changes are not told: they are small and walked each time
	found   map[string]Found
	by      *walk // by whose owners it was judged
}

// NewWalker gives one that goes through everything at least as often as this. Close ends it.
func NewWalker(every time.Duration) *Walker {
	w := &Walker{every: every}
	w.watch, w.why = fschange.New()
	return w
}

// Unwatched says why changes of files are not told, so that they are seen by walks through everything only; nil where they are.
func (w *Walker) Unwatched() error {
	w.guard.Lock()
	defer w.guard.Unlock()
	return w.why
}

// Hear lets a sensor's news stand in where the kernel does not tell of changes.
func (w *Walker) Hear(n *News) {
	w.guard.Lock()
	defer w.guard.Unlock()
	w.news = n
}

// state gives the paths of what was found, and whether the kernel does not tell of changes.
func (w *Walker) state() (found []string, unwatched bool) {
	w.guard.Lock()
	defer w.guard.Unlock()
	return slices.Collect(maps.Keys(w.found)), w.why != nil
}

// Close ends the watch of files.
func (w *Walker) Close() error {
	if w.watch == nil {
		return nil
	}
	return w.watch.Close()
}

// stamp changes when there is something to walk.
func (w *Walker) stamp(h *Host) stamp {
	w.guard.Lock()
	defer w.guard.Unlock()
	if w.pending(h) || w.due() {
		w.answer++
	}
	return stamp{bytes: w.answer}
}

func (w *Walker) pending(h *Host) bool {
	mounted := h.localMounts()
	w.cover(mounted)
	switch {
	case w.why != nil && (w.news == nil || !w.news.serves()):
		return false
	case !slices.Equal(w.mounted, mounted) || w.gone(h.root):
		return true
	case w.why != nil:
		return w.news.walkPending()
	}
	return len(w.begun) > 0 || len(w.untold) > 0 || w.watch.Pending()
}

// gone reports whether something that was found is not there any more, which nobody tells.
func (w *Walker) gone(root string) bool {
	for known := range w.found {
		var st unix.Stat_t
		if errors.Is(unix.Lstat(filepath.Join(root, known), &st), unix.ENOENT) {
			return true
		}
	}
	return false
}

func (w *Walker) due() bool { return w.walked.IsZero() || time.Since(w.walked) >= w.every }

// walk brings what was found up to date.
func (w *Walker) walk(h *Host, by *walk) ([]Found, error) {
	w.guard.Lock()
	defer w.guard.Unlock()
	h.note(Look{changesAnywhere, ""}, stamp{bytes: w.answer})
	mounted := h.localMounts()
	w.cover(mounted)
	added := slices.Clone(w.begun)
	for _, m := range mounted {
		if !slices.Contains(w.mounted, m) {
			added = append(added, m.path)
		}
	}
	changed, complete := w.changes(h.root, mounted)
	if w.due() || !complete || w.by != nil && !w.by.sameOwners(by) {
		return w.everything(h, by, mounted)
	}
	return w.part(h, by, changed, added, mounted)
}

// cover watches what is mounted now. It is asked to at each look: of what was unmounted and mounted again between two of them the paths
// say nothing, and what could not be watched may be gone. Those in memory cannot be watched before Linux 5.14.
func (w *Walker) cover(mounted []tree) {
	if w.watch == nil {
		return
	}
	before := w.why
	w.why, w.untold = nil, nil
	for _, m := range mounted {
		switch begun, err := w.watch.Add(m.path); {
		case err == nil && begun:
			w.begun = append(w.begun, m.path)
		case err == nil || LeadsNowhere(err): // it may have gone meanwhile
		case isInMemory(m.path):
			w.untold = append(w.untold, m.path)
		case w.why == nil:
			w.why = err
		}
	}
	if before != nil && w.why == nil {
		w.walked = time.Time{} // what changed until now was not told
	}
}

func (w *Walker) changes(root string, mounted []tree) ([]fschange.Change, bool) {
	switch {
	case w.why == nil:
		return w.watch.Take()
	case w.news == nil:
		return nil, false
	}
	names, complete := w.news.takeNames()
	return changesOf(root, names, mounted), complete
}

// changesOf makes changes of the names that a sensor tells. They are those of processes whose root directory may be the host's, some
// are told as the process wrote them, with links on the way, and some are of file systems that are not walked.
func changesOf(root string, names map[string]bool, mounted []tree) []fschange.Change {
	devices := map[uint64]bool{}
	for _, m := range mounted {
		devices[m.device] = true
	}
	var all []fschange.Change
	for name := range names {
		if !within(root, name) {
			name = filepath.Join(root, name)
		}
		dir, err := filepath.EvalSymlinks(filepath.Dir(name))
		if err != nil {
			continue
		}
		var above, st unix.Stat_t
		full := filepath.Join(dir, filepath.Base(name))
		if unix.Stat(dir, &above) != nil || !devices[uint64(above.Dev)] && !isLocal(dir) || unix.Lstat(full, &st) != nil {
			continue
		}
		directory := uint32(st.Mode)&unix.S_IFMT == unix.S_IFDIR
		all = append(all, fschange.Change{Path: full, Directory: directory, Made: directory})
	}
	return all
}

func (w *Walker) everything(h *Host, by *walk, mounted []tree) ([]Found, error) {
	w.walked = time.Time{}
	started := time.Now()
	found, err := by.run(h.root)
	if err != nil {
		return nil, err
	}
	w.found = map[string]Found{}
	for _, f := range found {
		w.found[f.Path] = f
	}
	w.walked, w.mounted, w.begun, w.by = started, mounted, nil, by
	return found, nil
}

// part looks at what changed, at file systems that were added, and at what was found before, as that may be gone.
func (w *Walker) part(h *Host, by *walk, changed []fschange.Change, added []string, mounted []tree) ([]Found, error) {
	look := map[string]bool{}
	trees := slices.Concat(added, w.untold)
	for _, c := range changed {
		if !within(h.root, c.Path) {
			continue
		}
		look[c.Path] = true
		if c.Directory && c.Made {
			trees = append(trees, c.Path)
		}
	}
	for known := range w.found {
		look[filepath.Join(h.root, known)] = true
	}
	for full := range look {
		by.one(full)
	}
	if _, err := by.run(outermost(trees)...); err != nil {
		w.walked = time.Time{} // what changed is no longer known
		return nil, err
	}
	w.found = map[string]Found{}
	for _, f := range by.found {
		w.found[f.Path] = f
	}
	w.mounted, w.begun, w.by = mounted, nil, by
	found := slices.Collect(maps.Values(w.found))
	slices.SortFunc(found, func(a, b Found) int { return strings.Compare(a.Path, b.Path) })
	return found, nil
}

func within(root, full string) bool {
	return root == "/" || full == root || strings.HasPrefix(full, root+"/")
}

// outermost leaves out directories that are below others of them.
func outermost(dirs []string) []string {
	slices.Sort(dirs)
	var kept []string
	for _, d := range dirs {
		if len(kept) == 0 || !within(kept[len(kept)-1], d) {
			kept = append(kept, d)
		}
	}
	return kept
}

// sameOwners reports whether another walk judges owners alike.
func (w *walk) sameOwners(other *walk) bool {
	return maps.Equal(w.users, other.users) && maps.Equal(w.groups, other.groups)
}

// one judges a single file or directory; what is not there is nothing.
func (w *walk) one(full string) {
	var st unix.Stat_t
	if err := unix.Lstat(full, &st); err != nil {
		return
	}
	if kind := uint32(st.Mode) & unix.S_IFMT; kind != unix.S_IFLNK {
		w.judge(full, kind, &st)
	}
}

// localTypes are the types of file systems that the walk enters, as the kernel's list of mounts has them.
var localTypes = []string{"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "tmpfs", "devtmpfs", "reiserfs", "vfat", "msdos", "zfs"}

// tree is a file system at a place, or a part of one. As long as the kernel goes on telling of a file system, those that are equal are
// the same.
type tree struct {
	path          string
	device, inode uint64
}

// localMounts are the file systems that are walked: that of the root whatever it is, and the local ones below it. What is unmounted
// meanwhile or has another file system mounted over it is none of them.
func (h *Host) localMounts() []tree {
	paths := []string{h.root}
	if h.root == "/" {
		paths = append(paths, h.localPaths()...)
	}
	var trees []tree
	for _, path := range paths {
		var st unix.Stat_t
		if path != h.root && !isLocal(path) || unix.Stat(path, &st) != nil || uint32(st.Mode)&unix.S_IFMT != unix.S_IFDIR {
			continue
		}
		trees = append(trees, tree{path, uint64(st.Dev), uint64(st.Ino)})
	}
	return trees
}

// localPaths are where the kernel's list of mounts has local file systems beside that of the root, in order.
func (h *Host) localPaths() []string {
	lines, err := h.unnoticed().readLines("/proc/self/mounts")
	if err != nil {
		return nil
	}
	var paths []string
	for _, line := range lines {
		if f := strings.Fields(line.Text); len(f) >= 4 && slices.Contains(localTypes, f[2]) && f[1] != "/" {
			paths = append(paths, unescape(f[1]))
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// readLines reads a file whatever is known of it.
func (h *Host) readLines(path string) ([]Line, error) {
	data, err := h.read(path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return linesOf(path, data), nil
}
