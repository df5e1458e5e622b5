// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package fallback

import (
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// noticed tells of a change that has happened, where a rule forbids it, and watches what has got a name that rules are about.
func (g *fileGuard) noticed(event fileEvent) {
	if event.mask&unix.FAN_Q_OVERFLOW != 0 {
		g.enforcer.outbox.lost.Add(1)
		return
	}
	changes := g.changes(event)
	if event.id == uint32(os.Getpid()) {
		return
	}
	l := g.enforcer.current.Load()
	var who *actor
	for _, c := range changes {
		if c.operation == policy.Write && g.wasTold(event.id, c.name) {
			continue
		}
		r, f := c.request()
		if who == nil {
			found := g.enforcer.kernel.actorOf(event.id, l.programs)
			who = &found
		}
		r.Subject = who.policy
		g.judge(l, who, r, f, c.hook, enforce.Detected)
	}
}

// change is something that was done to a name.
type change struct {
	operation policy.Operation
	hook      string
	name, to  string
}

func (c change) request() (policy.Request, *fileFacts) {
	f := &fileFacts{}
	if c.name != "" {
		f.paths = []string{c.name}
	}
	f.about = policy.File{Paths: f.paths}
	shown := c.name
	if shown == "" {
		shown = c.to
	}
	var stat unix.Stat_t
	if unix.Lstat(shown, &stat) == nil {
		f.device, f.inode = stat.Dev, stat.Ino
	}
	return policy.Request{Operation: c.operation, File: &f.about, NewPath: c.to}, f
}

// changes are what one event tells of: fanotify may fold several into one.
func (g *fileGuard) changes(event fileEvent) []change {
	g.mu.Lock()
	name := g.resolve(event.names[unix.FAN_EVENT_INFO_TYPE_DFID_NAME])
	from := g.resolve(event.names[unix.FAN_EVENT_INFO_TYPE_OLD_DFID_NAME])
	to := g.resolve(event.names[unix.FAN_EVENT_INFO_TYPE_NEW_DFID_NAME])
	g.mu.Unlock()
	isDir := event.mask&unix.FAN_ONDIR != 0
	for _, appeared := range []string{name, to} {
		if appeared != "" && event.mask&(unix.FAN_CREATE|unix.FAN_MOVED_TO|unix.FAN_RENAME) != 0 {
			g.appeared(appeared, isDir)
		}
	}
	var all []change
	for _, one := range []struct {
		bit    uint64
		change change
	}{
		{unix.FAN_CREATE, change{policy.Create, "fanotify_create", name, ""}},
		{unix.FAN_DELETE, change{policy.Delete, "fanotify_delete", name, ""}},
		{unix.FAN_RENAME, change{policy.Rename, "fanotify_rename", from, to}},
		{unix.FAN_MOVED_FROM, change{policy.Rename, "fanotify_moved_from", name, ""}},
		{unix.FAN_MOVED_TO, change{policy.Rename, "fanotify_moved_to", "", name}},
		{unix.FAN_ATTRIB, change{policy.Attributes, "fanotify_attrib", name, ""}},
		{unix.FAN_MODIFY, change{policy.Write, "fanotify_modify", name, ""}},
	} {
		if event.mask&one.bit != 0 && one.change.name+one.change.to != "" {
			all = append(all, one.change)
		}
	}
	return all
}

// resolve gives the path of a name in a directory that is watched; "" in another one.
func (g *fileGuard) resolve(n dirName) string {
	dir, ok := g.directories[n.dir]
	if !ok || n.name == "" {
		return ""
	}
	return path.Join(dir, n.name)
}

func (g *fileGuard) wasTold(tgid uint32, name string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.judged.Contains(judgedKey{tgid, name})
}
