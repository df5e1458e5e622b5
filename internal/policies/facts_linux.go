// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package policies

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/container"
	"github.com/vedette-sec/vedette/internal/process"
	"github.com/vedette-sec/vedette/internal/users"
	"github.com/vedette-sec/vedette/pkg/policy"
)

const procRoot = "/proc"

var proc = process.ProcFS{Root: procRoot}

// deepest is how many ancestors of a process are looked at.
const deepest = 100

// actor gives the facts about who acts.
func (h *facts) actor(w Who) (policy.Actor, error) {
	var a policy.Actor
	var err error
	if w.PID != 0 {
		a, err = h.running(w.PID)
	} else {
		a, err = h.supposed(w)
	}
	if err == nil && w.User != "" {
		a.User, a.UID, err = userOf(w.User)
	}
	return a, err
}

// running is a process of this host with its ancestors.
func (h *facts) running(pid uint32) (policy.Actor, error) {
	s := proc.Read(pid)
	if s == nil {
		return policy.Actor{}, fmt.Errorf("there is no process %d", pid)
	}
	a := policy.Actor{User: users.New("/etc/passwd", time.Now).Name(s.EUID), UID: s.EUID, Cgroup: cgroupOf(pid),
		Container: s.ContainerID, Init: pid == 1}
	for range deepest {
		// A process that only forked has its parent's program.
		if last := len(a.Lineage) - 1; last < 0 || a.Lineage[last].Executable != s.Executable {
			a.Lineage = append(a.Lineage, h.program(s.Executable))
		}
		if s = proc.Read(s.ParentPID); s == nil {
			break
		}
	}
	h.note("which programs the processes ran before the present ones, and whether they are trusted, is guessed: the agent has seen it")
	return a, nil
}

// supposed is a process that runs an executable, started by nobody in particular.
func (h *facts) supposed(w Who) (policy.Actor, error) {
	full, err := filepath.Abs(w.As)
	if err != nil {
		return policy.Actor{}, err
	}
	if !h.host.Exists(full) {
		h.note("%s is not there", full)
	}
	a := policy.Actor{User: "root", Container: w.Container, Lineage: h.host.Programs(full)}
	if w.Unit != "" {
		a.Cgroup = "/" + w.Unit
	}
	for i := range a.Lineage {
		a.Lineage[i].SHA256 = h.hash(a.Lineage[i].Executable)
	}
	return a, nil
}

// program is trusted if it is root's and nobody else may write it.
func (h *facts) program(executable string) policy.Program {
	return policy.Program{Executable: executable, SHA256: h.hash(executable), Trusted: ownedByRoot(executable)}
}

// ownedByRoot reports whether a file is root's and nobody else may write it.
func ownedByRoot(name string) bool {
	var stat unix.Stat_t
	return unix.Stat(name, &stat) == nil && stat.Uid == 0 && stat.Mode&0o022 == 0
}

func userOf(name string) (string, uint32, error) {
	found, err := user.Lookup(name)
	if number.MatchString(name) {
		if found, err = user.LookupId(name); err != nil {
			found, err = &user.User{Uid: name}, nil // nobody has to have the number
		}
	}
	if err != nil {
		return "", 0, fmt.Errorf("the user %q: %w", name, err)
	}
	uid, err := strconv.ParseUint(found.Uid, 10, 32)
	if err != nil {
		return "", 0, fmt.Errorf("the user %q: %w", name, err)
	}
	return found.Username, uint32(uid), nil
}

// cgroupOf gives the cgroup that systemd put a process into; "" where that is not known.
func cgroupOf(pid uint32) string {
	content, _ := os.ReadFile(fmt.Sprintf("%s/%d/cgroup", procRoot, pid)) // the process may be gone
	return container.SystemdCgroup(content)
}

func (h *facts) target(pid uint32) (*policy.Target, error) {
	s := proc.Read(pid)
	if s == nil {
		return nil, fmt.Errorf("there is no process %d", pid)
	}
	return &policy.Target{Executable: s.Executable, Cgroup: cgroupOf(pid)}, nil
}

// file gives the facts about a file. What is not there has a name only.
func (h *facts) file(set *policy.Set, name string) *policy.File {
	f := &policy.File{Paths: []string{name}}
	var stat unix.Stat_t
	if err := unix.Lstat(name, &stat); err != nil {
		if h.host.Exists(name) {
			h.note("%s: %v", name, err)
		}
		return f
	}
	f.SHA256 = h.hash(name)
	f.Origin = originOf(name)
	f.ChangedSinceBoot = stat.Ctim.Sec > bootTime()
	if stat.Nlink > 1 && stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		f.Paths = append(f.Paths, h.otherNames(set, name, stat)...)
	}
	return f
}

// mostEntries is how many files are looked at to find other names of one.
const mostEntries = 200000

// otherNames finds the hard links of a file that policies name. Only places that policies name can matter.
func (h *facts) otherNames(set *policy.Set, name string, file unix.Stat_t) []string {
	var names []string
	left := mostEntries
	visit := func(path string, entry fs.DirEntry, err error) error {
		if left--; left < 0 {
			return fs.SkipAll
		}
		var stat unix.Stat_t
		if err != nil || entry.IsDir() || unix.Lstat(path, &stat) != nil {
			return nil // what cannot be read has no name that could be found
		}
		if path != name && stat.Ino == file.Ino && stat.Dev == file.Dev {
			names = append(names, path)
		}
		return nil
	}
	for _, base := range places(set) {
		_ = filepath.WalkDir(base, visit) // visit makes no errors
	}
	if left < 0 {
		h.note("%s has several names; not all files were looked at to find them", name)
	}
	return names
}

// places are where the policies' paths are, or begin.
func places(set *policy.Set) []string {
	var all []string
	for _, p := range set.Policies {
		for _, r := range p.Rules {
			if r.Files != nil {
				for _, path := range r.Files.Paths {
					all = append(all, path.Base)
				}
			}
		}
	}
	return all
}

// hash gives the SHA-256 of a file where policies have any; "" where it cannot be read.
func (h *facts) hash(name string) string {
	if !h.hashes {
		return ""
	}
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	file, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return ""
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// origins are the types of file systems that rules can name.
var origins = map[int64]policy.Origin{
	unix.TMPFS_MAGIC: policy.Tmpfs, unix.NFS_SUPER_MAGIC: policy.NetworkFS, unix.CIFS_SUPER_MAGIC: policy.NetworkFS,
	unix.SMB2_SUPER_MAGIC: policy.NetworkFS, unix.CEPH_SUPER_MAGIC: policy.NetworkFS, unix.AFS_FS_MAGIC: policy.NetworkFS,
}

func originOf(name string) policy.Origin {
	var stat unix.Statfs_t
	if unix.Statfs(name, &stat) != nil {
		return ""
	}
	return origins[stat.Type]
}

// bootTime is in seconds of the epoch; the largest number where it is not known, so that nothing has changed since.
func bootTime() int64 {
	content, _ := os.ReadFile(procRoot + "/stat")
	for line := range strings.Lines(string(content)) {
		if rest, ok := strings.CutPrefix(line, "btime "); ok {
			if seconds, err := strconv.ParseInt(strings.TrimSpace(rest), 10, 64); err == nil {
				return seconds
			}
		}
	}
	return 1<<63 - 1
}
