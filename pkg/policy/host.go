// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"bytes"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Host answers what policies need to know about a host's files. It looks below a root directory, and follows symbolic links
// as the host would.
type Host struct {
	root string
}

// NewHost is the host whose root directory this is: "/" for this host.
func NewHost(root string) Host { return Host{strings.TrimSuffix(root, "/")} }

// mostLinks is how many symbolic links are followed in one path, as by the kernel.
const mostLinks = 40

// Real gives a path without symbolic links. What is not there is taken as written.
func (h Host) Real(name string) string {
	links := 0
	done, rest := "/", strings.Split(name, "/")
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		if part == ".." {
			done = path.Dir(done)
			continue
		}
		next := path.Join(done, part)
		target, err := os.Readlink(h.root + next)
		if err != nil || links == mostLinks {
			done = next
			continue
		}
		links++
		if path.IsAbs(target) {
			done = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return done
}

// Names gives the path with its directory's symbolic links resolved, then what it leads to if that is a symbolic link, and so
// on: the last is the real path, and each is a name whose change would change what the path leads to.
func (h Host) Names(name string) []string {
	var names []string
	for range mostLinks {
		dir, last := path.Split(name)
		name = path.Join(h.Real(dir), last)
		if slices.Contains(names, name) {
			break
		}
		names = append(names, name)
		target, err := os.Readlink(h.root + name)
		if err != nil {
			break
		}
		if !path.IsAbs(target) {
			target = path.Dir(name) + "/" + target // cleaning it would be wrong where a directory in it is a link
		}
		name = target
	}
	return names
}

// Exists reports whether something is at a path.
func (h Host) Exists(name string) bool {
	_, err := os.Lstat(h.root + h.Real(name))
	return err == nil
}

func (h Host) isDir(name string) bool {
	info, err := os.Stat(h.root + h.Real(name))
	return err == nil && info.IsDir()
}

// othersMayWrite reports whether others than the owner may write a file.
func (h Host) othersMayWrite(name string) bool {
	info, err := os.Stat(h.root + h.Real(name))
	return err == nil && info.Mode().Perm()&0o022 != 0
}

// Glob gives the real paths of the files that a path of programs names now, sorted.
func (h Host) Glob(p Path) []string {
	if p.Kind == Exact {
		if !h.Exists(p.Base) {
			return nil
		}
		return []string{h.Real(p.Base)}
	}
	found := []string{"/"}
	for component := range strings.SplitSeq(strings.TrimPrefix(p.Pattern, "/"), "/") {
		var below []string
		for _, dir := range found {
			below = append(below, h.matching(dir, component)...)
		}
		found = below
	}
	for i, name := range found {
		found[i] = h.Real(name)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func (h Host) matching(dir, pattern string) []string {
	var names []string
	entries, _ := os.ReadDir(h.root + h.Real(dir)) // what cannot be read is not there
	for _, entry := range entries {
		if MatchName(pattern, entry.Name()) {
			names = append(names, path.Join(dir, entry.Name()))
		}
	}
	return names
}

// Init is the real path of the program that is process 1; "" where it is not known.
func (h Host) Init() string {
	if name, err := os.Readlink(h.root + "/proc/1/exe"); err == nil {
		return strings.TrimSuffix(name, " (deleted)")
	}
	for _, name := range []string{"/sbin/init", "/usr/lib/systemd/systemd"} {
		if h.Exists(name) {
			return h.Real(name)
		}
	}
	return ""
}

// InitPrograms are the real paths of the programs that init is, and is before it starts what it was told to. An init that is one of
// many programs in a file, as busybox is, is none of them: everybody runs that.
func (h Host) InitPrograms() []string {
	all := []string{"/usr/lib/systemd/systemd-executor"}
	if name := h.Init(); name != "" && !h.Obeys(name) {
		all = append(all, name)
	}
	return all
}

// Obeys reports whether a program does what whoever starts it tells it, as shells do and files that are many programs.
func (h Host) Obeys(executable string) bool {
	return isOneOf(path.Base(executable), interpreters) || isOneOf(path.Base(h.Real(executable)), interpreters)
}

// interpreter gives the program that a script is run by; "" for what is no script.
func (h Host) interpreter(name string) string {
	file, err := os.Open(h.root + h.Real(name))
	if err != nil {
		return ""
	}
	defer file.Close()
	head := make([]byte, 256)
	n, _ := file.Read(head) // a shorter head is looked at all the same
	line, _, _ := bytes.Cut(head[:n], []byte("\n"))
	command, isScript := bytes.CutPrefix(line, []byte("#!"))
	if fields := bytes.Fields(command); isScript && len(fields) > 0 {
		return h.Real(string(fields[0]))
	}
	return ""
}

// Programs are those that run when a path is executed, as a Lineage has them: a script comes after its interpreter.
func (h Host) Programs(name string) []Program {
	programs := []Program{{Executable: h.Real(name), Trusted: true}}
	if interpreter := h.interpreter(name); interpreter != "" {
		programs = append([]Program{{Executable: interpreter, Trusted: true}}, programs...)
	}
	return programs
}

// expand gives the names of all files in a directory that match a pattern, or the path itself.
func (h Host) expand(name string) []string {
	dir, last := filepath.Split(name)
	if !strings.ContainsAny(last, wildcards) {
		return []string{name}
	}
	return h.matching(strings.TrimSuffix(dir, "/"), last)
}
