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
	walked  time.Time // the last walk through everything; zero before there was one
	mounted []string  // file systems that were walked
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
	if w.due() || w.pending(h) {
		w.answer++
	}
	return stamp{bytes: w.answer}
}

func (w *Walker) pending(h *Host) bool {
	if w.why == nil {
		return len(w.untold) > 0 || w.watch.Pending() || w.gone(h.root) || !slices.Equal(w.mounted, h.localMounts())
	}
	return w.news != nil && w.news.serves() && (w.news.walkPending() || w.gone(h.root) || !slices.Equal(w.mounted, h.localMounts()))
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
	added := slices.DeleteFunc(slices.Clone(mounted), func(m string) bool { return slices.Contains(w.mounted, m) })
	if w.why == nil {
		w.why = w.cover(added)
	}
	w.untold = slices.DeleteFunc(w.untold, func(m string) bool { return !slices.Contains(mounted, m) })
	changed, complete := w.changes(h.root, mounted)
	if w.due() || !complete || w.by != nil && !w.by.sameOwners(by) {
		return w.everything(h, by, mounted)
	}
	return w.part(h, by, changed, added, mounted)
}

// cover watches file systems. Those in memory cannot be watched before Linux 5.14.
func (w *Walker) cover(mounts []string) error {
	for _, m := range mounts {
		switch err := w.watch.Add(m); {
		case err == nil:
		case isInMemory(m):
			w.untold = append(w.untold, m)
		default:
			return err
		}
	}
	return nil
}

func (w *Walker) changes(root string, mounted []string) ([]fschange.Change, bool) {
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
func changesOf(root string, names map[string]bool, mounted []string) []fschange.Change {
	devices := map[uint64]bool{}
	for _, m := range mounted {
		if st := (unix.Stat_t{}); unix.Stat(m, &st) == nil {
			devices[uint64(st.Dev)] = true
		}
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

func (w *Walker) everything(h *Host, by *walk, mounted []string) ([]Found, error) {
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
	w.walked, w.mounted, w.by = started, mounted, by
	return found, nil
}

// part looks at what changed, at file systems that were added, and at what was found before, as that may be gone.
func (w *Walker) part(h *Host, by *walk, changed []fschange.Change, added, mounted []string) ([]Found, error) {
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
	w.mounted, w.by = mounted, by
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

// localMounts are the file systems that are walked: that of the root whatever it is, and the local ones below it.
func (h *Host) localMounts() []string {
	if h.root != "/" {
		return []string{h.root}
	}
	mounts := []string{"/"}
	lines, err := h.unnoticed().readLines("/proc/self/mounts")
	if err != nil {
		return mounts
	}
	for _, line := range lines {
		if f := strings.Fields(line.Text); len(f) >= 4 && slices.Contains(localTypes, f[2]) && f[1] != "/" {
			mounts = append(mounts, unescape(f[1]))
		}
	}
	slices.Sort(mounts)
	return slices.Compact(mounts)
}

// readLines reads a file whatever is known of it.
func (h *Host) readLines(path string) ([]Line, error) {
	data, err := h.read(path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return linesOf(path, data), nil
}
