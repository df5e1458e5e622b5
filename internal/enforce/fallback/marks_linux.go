// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package fallback

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/pkg/policy"
)

// What is asked for before it happens, and what is told when it has.
const (
	askOpen = unix.FAN_OPEN_PERM
	askExec = unix.FAN_OPEN_EXEC_PERM

	tellNames   = unix.FAN_CREATE | unix.FAN_DELETE | tellRename | unix.FAN_ONDIR
	tellRename  = unix.FAN_RENAME // where the kernel has it, else the next
	tellMove    = unix.FAN_MOVED_FROM | unix.FAN_MOVED_TO
	tellContent = unix.FAN_ATTRIB | unix.FAN_MODIFY
)

// mostDirectories bounds the directories of trees that are watched.
const mostDirectories = 1 << 16

// watch is which files are to be watched how, for a set of policies.
type watch struct {
	guard       *fileGuard
	ask, tell   map[string]uint64 // masks by path
	filesystems []string          // everything that is run from them is asked about
	exact       map[string]uint64 // what is asked about files of these names, also those that are yet to be
	trees       map[string]uint64
	objects     map[fileKey]object
	directories map[string]string // paths of the directories that are told of, by handle
	devices     bool
	beyond      bool // there are more directories than are watched
}

// object is a file that rules name.
type object struct {
	handle string // tells it from a file that has got its number since
	names  []string
}

func (o object) with(names ...string) object {
	for _, name := range names {
		if !slices.Contains(o.names, name) {
			o.names = append(slices.Clone(o.names), name)
		}
	}
	return o
}

// objectHandle identifies a file for as long as its file system lives. It is empty on file systems that have no handles.
func objectHandle(dir int, path string, flags int) string {
	handle, _, err := unix.NameToHandleAt(dir, path, flags)
	if err != nil {
		return ""
	}
	return strconv.Itoa(int(handle.Type())) + ":" + string(handle.Bytes())
}

func (g *fileGuard) newWatch() *watch {
	return &watch{guard: g, ask: map[string]uint64{}, tell: map[string]uint64{}, exact: map[string]uint64{}, trees: map[string]uint64{},
		objects: map[fileKey]object{}, directories: map[string]string{}}
}

// plan tells what a set needs.
func (g *fileGuard) plan(next *loaded) *watch {
	g.mu.Lock()
	g.planning, g.appearances = true, nil
	g.mu.Unlock()
	w := g.newWatch()
	runs := false
	for _, p := range next.set.Policies {
		for _, r := range p.Rules {
			if r.Exec != nil {
				runs = w.programs(r.Exec) || runs
			}
			if r.Files != nil {
				for _, path := range r.Files.Paths {
					w.file(path, r.Files.Operations)
				}
			}
			w.devices = w.devices || r.Operations()&policy.RawDevices != 0
		}
	}
	for _, p := range next.programs.byNumber {
		if p.script {
			w.ask[p.name] |= askExec
		}
	}
	if runs {
		w.filesystems = mountedFilesystems()
	}
	if w.devices {
		w.rawDevices()
	}
	return w
}

// programs watches the files that a rule names, under all of their names. True: it is about others too, so that everything that is
// run must be asked about.
func (w *watch) programs(e *policy.Exec) bool {
	if e.Only != nil || len(e.Deny.SHA256) > 0 || e.Deny.ChangedSinceBoot {
		return true
	}
	for _, p := range e.Deny.Paths {
		if p.Kind != policy.Exact {
			return true
		}
		w.exact[p.Base] |= askExec
		w.object(p.Base, askExec, policy.Run)
		w.tell[path.Dir(p.Base)] |= tellNames
	}
	// What is in memory only is judged in the kernel.
	return slices.ContainsFunc(e.Deny.Origins, func(o policy.Origin) bool { return o != policy.Memfd })
}

// asked is which events tell of operations before they happen.
func asked(o policy.Operation) uint64 {
	var mask uint64
	if o&(policy.Read|policy.Write) != 0 {
		mask |= askOpen
	}
	if o&policy.Execute != 0 {
		mask |= askExec
	}
	return mask
}

const changes = policy.Create | policy.Delete | policy.Rename | policy.Link | policy.Attributes | policy.Write

func (w *watch) file(p policy.Path, o policy.Operation) {
	mask := asked(o)
	onDir := uint64(0)
	if o&policy.Read != 0 {
		onDir = unix.FAN_ONDIR
	}
	switch p.Kind {
	case policy.Exact:
		w.exact[p.Base] |= mask
		w.object(p.Base, mask|onDir, o)
	case policy.Tree:
		w.trees[p.Base] |= mask
		w.tree(p.Base, mask, o)
	case policy.Glob:
		w.ask[p.Base] |= mask | unix.FAN_EVENT_ON_CHILD
		if o&changes != 0 {
			w.tell[p.Base] |= tellNames | tellContent | unix.FAN_EVENT_ON_CHILD
		}
	}
	if o&changes != 0 {
		for dir := path.Dir(p.Base); dir != "/"; dir = path.Dir(dir) {
			w.tell[path.Dir(dir)] |= tellNames // where it leads would change with a directory above
		}
		w.tell[path.Dir(p.Base)] |= tellNames
	}
}

// object watches one file, by whichever name it is opened.
func (w *watch) object(name string, mask uint64, o policy.Operation) {
	key, err := keyOf(name)
	if err != nil {
		return // it may be made later
	}
	w.ask[name] |= mask
	w.objects[key] = object{objectHandle(unix.AT_FDCWD, name, unix.AT_SYMLINK_FOLLOW), w.objects[key].names}.with(name)
	if o&changes != 0 {
		w.tell[name] |= tellContent
	}
}

// tree watches a directory and all below it, and files there that have other names too.
func (w *watch) tree(root string, mask uint64, o policy.Operation) {
	onDir := uint64(0)
	if o&policy.Read != 0 {
		onDir = unix.FAN_ONDIR
	}
	_ = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error { // the function makes no errors
		if err != nil {
			return nil // what is gone needs no watching
		}
		if entry.IsDir() {
			if len(w.ask)+len(w.tell) > mostDirectories {
				w.beyond = true
				return fs.SkipAll
			}
			w.ask[name] |= mask | onDir | unix.FAN_EVENT_ON_CHILD
			if o&changes != 0 {
				w.tell[name] |= tellNames | unix.FAN_ATTRIB | unix.FAN_EVENT_ON_CHILD
			}
			return nil
		}
		var stat unix.Stat_t
		if entry.Type().IsRegular() && unix.Lstat(name, &stat) == nil && stat.Nlink > 1 {
			w.object(name, mask, o)
		}
		return nil
	})
}

// rawDevices watches the nodes of memory, ports and block devices that there are.
func (w *watch) rawDevices() {
	for _, name := range []string{"/dev/mem", "/dev/kmem", "/dev/port"} {
		if _, err := os.Stat(name); err == nil {
			w.ask[name] |= askOpen
		}
	}
	entries, _ := os.ReadDir("/dev") // without any there is nothing to watch
	for _, entry := range entries {
		if entry.Type()&fs.ModeDevice != 0 && entry.Type()&fs.ModeCharDevice == 0 {
			w.ask["/dev/"+entry.Name()] |= askOpen
		}
	}
}

// unmarkable are the file systems that no permission events exist for, and that nothing can be run from.
var unmarkable = []string{"proc", "sysfs", "cgroup", "cgroup2", "devpts", "bpf", "tracefs", "debugfs", "securityfs", "mqueue", "pstore",
	"configfs", "fusectl", "binfmt_misc", "efivarfs", "hugetlbfs", "selinuxfs", "rpc_pipefs", "nsfs"}

// mountedFilesystems gives a place in each file system that programs can be run from.
func mountedFilesystems() []string {
	mounts, err := readMounts(ownMounts)
	if err != nil {
		return nil
	}
	var places []string
	known := map[uint32]bool{}
	for _, m := range mounts {
		if !known[m.device] && !slices.Contains(unmarkable, m.fsType) {
			known[m.device] = true
			places = append(places, m.point)
		}
	}
	return places
}

// add sets the marks that are not set yet. What is gone is passed over: its name is watched.
func (w *watch) add() {
	g := w.guard
	for name, mask := range w.ask {
		g.mark(g.ask, name, unix.FAN_MARK_ADD, mask)
	}
	for _, place := range w.filesystems {
		g.mark(g.ask, place, unix.FAN_MARK_ADD|unix.FAN_MARK_FILESYSTEM, askExec)
	}
	for name, mask := range w.tell {
		w.addTold(name, mask)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for key, o := range w.objects {
		if known := g.objects[key]; known.handle == o.handle {
			o = known.with(o.names...)
		}
		g.objects[key] = o
	}
}

func (w *watch) addTold(name string, mask uint64) {
	g := w.guard
	info, err := os.Lstat(name)
	if err != nil {
		return
	}
	if !info.IsDir() {
		mask = tellContent
	} else if key, err := handleOf(name); err == nil {
		w.directories[key] = name
		g.mu.Lock()
		g.directories[key] = name
		g.mu.Unlock()
	}
	g.mark(g.tell, name, unix.FAN_MARK_ADD, mask)
}

// remove takes away the marks that another watch does not have.
func (w *watch) remove(other *watch) {
	g := w.guard
	g.mu.Lock() // something may appear, and be watched by either
	ask, tell := without(w.ask, other.ask), without(w.tell, other.tell)
	g.mu.Unlock()
	for name, mask := range ask {
		g.mark(g.ask, name, unix.FAN_MARK_REMOVE, mask)
	}
	for _, place := range w.filesystems {
		if !slices.Contains(other.filesystems, place) {
			g.mark(g.ask, place, unix.FAN_MARK_REMOVE|unix.FAN_MARK_FILESYSTEM, askExec)
		}
	}
	for name, mask := range tell {
		g.mark(g.tell, name, unix.FAN_MARK_REMOVE, mask)
	}
}

// without gives the masks less those of others.
func without(masks, others map[string]uint64) map[string]uint64 {
	rest := map[string]uint64{}
	for name, mask := range masks {
		if mask &^= others[name]; mask != 0 {
			rest[name] = mask
		}
	}
	return rest
}

// mark changes a mark. Files that are not there any more, and file systems that have no such events, are no failures.
func (g *fileGuard) mark(file *os.File, name string, flags uint, mask uint64) {
	raw, err := file.SyscallConn()
	if err != nil {
		return // it is closed
	}
	if mask&tellRename != 0 && !g.renames {
		mask = mask&^tellRename | tellMove
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.FanotifyMark(int(fd), flags|unix.FAN_MARK_DONT_FOLLOW, mask, unix.AT_FDCWD, name)
	})
	if err = errors.Join(err, failed); err == nil || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, os.ErrClosed) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failures[name] = err
}

// appeared watches what has got a name that rules are about.
func (w *watch) appeared(name string, isDir bool) {
	more := w.guard.newWatch()
	more.exact, more.trees = w.exact, w.trees
	if mask, ok := w.exact[name]; ok {
		more.object(name, mask, changes)
	}
	for root, mask := range w.trees {
		if isDir && (policy.Path{Kind: policy.Tree, Base: root}).Matches(name) {
			more.tree(name, mask, changes)
		}
	}
	if len(more.ask)+len(more.tell) == 0 {
		return
	}
	more.add()
	w.guard.mu.Lock()
	defer w.guard.mu.Unlock()
	for name, mask := range more.ask {
		w.ask[name] |= mask
	}
	for name, mask := range more.tell {
		w.tell[name] |= mask
	}
}
