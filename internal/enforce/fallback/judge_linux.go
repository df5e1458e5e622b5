// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package fallback

import (
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// answer judges an act that waits, and lets it go on or refuses it.
func (g *fileGuard) answer(event fileEvent) {
	if event.fd < 0 {
		return // the queue overflowed, or it is no permission event: nobody waits
	}
	defer unix.Close(int(event.fd))
	if isOwn(event.id) {
		g.respond(event.fd, true)
		return
	}
	g.respond(event.fd, g.allows(event))
}

func (g *fileGuard) allows(event fileEvent) bool {
	l := g.enforcer.current.Load()
	f, err := g.facts(event, l)
	if err != nil {
		return true // what has no identity was never marked
	}
	var operations []policy.Operation
	if event.mask&askExec != 0 {
		g.script(event, f)
		operations = append(operations, policy.Execute, policy.Run)
	}
	if event.mask&askOpen != 0 {
		operations = append(operations, f.opened(event.id)...)
	}
	if len(operations) == 0 {
		return true
	}
	who := g.enforcer.kernel.actorOf(event.id, l.programs)
	for _, o := range operations {
		if !g.judge(l, &who, f.request(o, who.policy), f, hookOf(o), enforce.Prevented) {
			return false
		}
	}
	return true
}

func hookOf(o policy.Operation) string {
	if o&(policy.Execute|policy.Run) != 0 {
		return "fanotify_open_exec"
	}
	return "fanotify_open"
}

// judge decides about one operation, and tells it where a rule forbids it. True: it may go on.
func (g *fileGuard) judge(l *loaded, who *actor, r policy.Request, f *fileFacts, hook string, best enforce.Strength) bool {
	decision := l.set.Evaluate(r)
	if decision.Verdict == policy.Allowed {
		return true
	}
	refuses := decision.Verdict == policy.Denied && best == enforce.Prevented && !g.enforcer.auditOnly.Load()
	mode := policy.Audit
	v := enforce.Verdict{
		Time: time.Now(), Mode: policy.Audit, Strength: enforce.Detected, Hook: hook, Operation: r.Operation,
		PID: who.tgid, TID: who.tid, Start: who.start, UID: who.policy.UID, Comm: who.comm, CgroupID: who.cgroup,
		Object: enforce.Object{Path: f.name(), NewPath: r.NewPath, Device: f.device, Inode: f.inode},
	}
	if refuses {
		mode = policy.Enforce
		v.Mode, v.Strength, v.Errno = mode, enforce.Prevented, int(unix.EPERM)
	}
	for _, reason := range decision.Reasons {
		if reason.Overruled || reason.Verdict == policy.Allowed {
			continue
		}
		l.states[[2]string{reason.Policy, reason.Rule}].count(reasonMode(reason, refuses))
	}
	first := decision.Reasons[0]
	g.enforcer.outbox.put(l.states[[2]string{first.Policy, first.Rule}], v)
	g.mu.Lock()
	g.judged.Add(judgedKey{who.tgid, f.name()}, true)
	g.mu.Unlock()
	return !refuses
}

func reasonMode(reason policy.Reason, refuses bool) policy.Mode {
	if refuses && reason.Verdict == policy.Denied {
		return policy.Enforce
	}
	return policy.Audit
}

// fileFacts are what is known of the file that an event is about.
type fileFacts struct {
	paths  []string
	device uint64 // as stat tells it
	inode  uint64
	mode   uint32
	uid    uint32
	rdev   uint64
	key    fileKey
	about  policy.File
}

func (f *fileFacts) name() string {
	if len(f.paths) == 0 {
		return ""
	}
	return f.paths[0]
}

func (g *fileGuard) facts(event fileEvent, l *loaded) (*fileFacts, error) {
	self := "/proc/self/fd/" + strconv.Itoa(int(event.fd))
	var stat unix.Statx_t
	if err := unix.Statx(int(event.fd), "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS|unix.STATX_MNT_ID, &stat); err != nil {
		return nil, err
	}
	link, err := os.Readlink(self)
	if err != nil {
		return nil, err
	}
	link = strings.TrimSuffix(link, " (deleted)")
	m := g.mountOf(stat.Mnt_id, event.id)
	f := &fileFacts{
		device: unix.Mkdev(stat.Dev_major, stat.Dev_minor), inode: stat.Ino, mode: uint32(stat.Mode), uid: stat.Uid,
		rdev: unix.Mkdev(stat.Rdev_major, stat.Rdev_minor),
		key:  fileKey{m.device, stat.Ino},
	}
	if m.device == 0 {
		f.key.device = device(stat.Dev_major, stat.Dev_minor)
	}
	f.paths = append(g.named(f.key, int(event.fd)), g.hostNames(m, link)...)
	f.about = policy.File{Paths: f.paths}
	if event.mask&askExec != 0 {
		f.about.Origin = originOf(event.fd)
		f.about.ChangedSinceBoot = stat.Ctime.Sec > bootTime().Unix() && (f.uid != 0 || f.mode&0o022 != 0)
		if l.hashes {
			f.about.SHA256 = g.hash(self, f.key, &stat)
		}
	}
	return f, nil
}

// named gives the names that rules have for a file that is open here.
func (g *fileGuard) named(key fileKey, fd int) []string {
	g.mu.Lock()
	o, ok := g.objects[key]
	g.mu.Unlock()
	if !ok || o.handle != objectHandle(fd, "", unix.AT_EMPTY_PATH) {
		return nil // it has the number of a file that is gone
	}
	return slices.Clone(o.names)
}

// mountOf finds a mount of this process's or else of the acting one's namespace.
func (g *fileGuard) mountOf(id uint64, tid uint32) mount {
	g.mu.Lock()
	m, ok := g.mounts[id]
	g.mu.Unlock()
	if ok {
		return m
	}
	for _, list := range []string{ownMounts, "/proc/" + strconv.Itoa(int(tid)) + "/mountinfo"} {
		if m, ok = mountByID(list, id); ok {
			g.mu.Lock()
			g.mounts[id] = m
			g.mu.Unlock()
			return m
		}
	}
	return mount{}
}

// hostNames gives the names that a file has on the host, when it was reached by a mount: by that one and by all others of the same file
// system. Another mount, or one of a container, must not hide what it is.
func (g *fileGuard) hostNames(m mount, link string) []string {
	if m.id == 0 {
		return []string{link}
	}
	inside := path.Join(m.root, strings.TrimPrefix(link, m.point))
	mounts, err := g.ownMounts()
	if err != nil {
		return []string{link}
	}
	var names []string
	for _, other := range mounts {
		rest, ok := strings.CutPrefix(inside, strings.TrimSuffix(other.root, "/"))
		if ok && other.device == m.device && (rest == "" || rest[0] == '/') {
			names = append(names, path.Join(other.point, rest))
		}
	}
	if len(names) == 0 {
		names = []string{link}
	}
	return names
}

// mountsFor is for how long a list of mounts is taken to be right.
const mountsFor = time.Second

// ownMounts gives the mounts of the host.
func (g *fileGuard) ownMounts() ([]mount, error) {
	now := time.Now()
	g.mu.Lock()
	known, at := g.own, g.ownAt
	g.mu.Unlock()
	if now.Sub(at) < mountsFor {
		return known, nil
	}
	mounts, err := readMounts(ownMounts)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.own, g.ownAt = mounts, now
	clear(g.mounts) // numbers of mounts are given again
	return mounts, nil
}

// hashKey is a file and the state of its content.
type hashKey struct {
	fileKey
	size        uint64
	seconds     int64
	nanoseconds uint32
}

// hash gives the SHA-256 of what is to be run, which is remembered until it changes.
func (g *fileGuard) hash(self string, key fileKey, stat *unix.Statx_t) string {
	at := hashKey{key, stat.Size, stat.Ctime.Sec, stat.Ctime.Nsec}
	g.mu.Lock()
	known, ok := g.hashes.Get(at)
	g.mu.Unlock()
	if ok {
		return known
	}
	found, err := hashOfPath(self)
	if err != nil {
		return ""
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hashes.Add(at, found)
	return found
}

var origins = map[int64]policy.Origin{
	unix.TMPFS_MAGIC: policy.Tmpfs, unix.NFS_SUPER_MAGIC: policy.NetworkFS, unix.CIFS_SUPER_MAGIC: policy.NetworkFS,
	unix.SMB2_SUPER_MAGIC: policy.NetworkFS, unix.CEPH_SUPER_MAGIC: policy.NetworkFS, unix.AFS_FS_MAGIC: policy.NetworkFS,
}

func originOf(fd int32) policy.Origin {
	var stat unix.Statfs_t
	if unix.Fstatfs(int(fd), &stat) != nil {
		return ""
	}
	return origins[stat.Type]
}

// request asks about one operation on the file.
func (f *fileFacts) request(o policy.Operation, who policy.Actor) policy.Request {
	r := policy.Request{Operation: o, Subject: who}
	if o != policy.RawDevices {
		r.File = &f.about
	}
	return r
}

// script notes that a thread runs a script that policies name: the kernel side sees its interpreter only.
func (g *fileGuard) script(event fileEvent, f *fileFacts) {
	for _, p := range g.enforcer.current.Load().programs.byNumber {
		if !p.script || f.key != p.key || p.generation != generationOfOpen(int(event.fd)) {
			continue
		}
		value := uint32(p.number + 1)
		if f.uid != 0 || f.mode&0o022 != 0 {
			value |= uint32(bpf.FallbackProgramFlagsPROGRAM_UNTRUSTED)
		}
		_ = g.enforcer.kernel.maps.Maps[bpf.FallbackMapScripts].Put(event.id, value) // without it the script is not trusted
	}
}
