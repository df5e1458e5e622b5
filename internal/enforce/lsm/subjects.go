// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/container"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// program is what a subject demands of an executable.
type program struct {
	path   string // or the pattern of paths
	sha256 string // "" for any content
}

// numbers gives each program a bit for as long as the agent keeps lineages: a bit in a lineage must never come to mean another program.
type numbers struct {
	bits map[program]int
	key  [2]uint64 // of the hashes of names; nobody else knows it
}

var errPrograms = fmt.Errorf("found more than %d programs as subjects since the agent started, expected less; restart it", maxPrograms)

func (n *numbers) bit(p program) (int, error) {
	if bit, ok := n.bits[p]; ok {
		return bit, nil
	}
	if len(n.bits) == maxPrograms {
		return 0, errPrograms
	}
	n.bits[p] = len(n.bits)
	return n.bits[p], nil
}

// The kinds of places, as in the kernel.
const (
	unitPlace      = 0
	containerPlace = 1
	containerID    = 2
	containerName  = 3
)

func (c *compiler) addSubjects(r placed) error {
	k := &c.kernel[r.bit]
	var err error
	if k.Who, k.Whos, err = c.addList(r, r.Who); err != nil {
		return err
	}
	if k.Allow, k.Allows, err = c.addList(r, r.Allow); err != nil || r.Processes == nil {
		return err
	}
	k.Target, k.Targets, err = c.addList(r, targets(r.Processes))
	return err
}

// targets are the processes that a rule protects, as subjects: by what they run themselves, or by their unit.
func targets(p *policy.Processes) []policy.Subject {
	var all []policy.Subject
	for _, e := range p.Executables {
		all = append(all, policy.Subject{Executable: e, Position: e.Position})
	}
	for _, u := range p.Units {
		all = append(all, policy.Subject{Unit: u.Name, Position: u.Position})
	}
	return all
}

func (c *compiler) addList(r placed, list []policy.Subject) (first, count uint32, err error) {
	if len(list) > subjectsOf || len(c.subjects)+len(list) > maxSubjects {
		return 0, 0, fmt.Errorf("%s: policy %s, rule %s: found %d subjects, expected at most %d in a list and %d in all", r.Position,
			r.policy.Name, r.Name, len(list), subjectsOf, maxSubjects)
	}
	first = uint32(len(c.subjects))
	for _, s := range list {
		subject, err := c.subject(s)
		if err != nil {
			return 0, 0, fmt.Errorf("%s: %w", s.Position, err)
		}
		c.subjects = append(c.subjects, subject)
	}
	return first, uint32(len(list)), nil
}

// nobody is a user that no process has.
const nobody = ^uint32(0)

func (c *compiler) subject(s policy.Subject) (k bpf.EnforceSubject, err error) {
	k.Program, k.Unit, k.Container = noProgram, noPlace, noPlace
	if s.Lineage {
		k.Flags |= lineageFlag
	}
	if s.User != "" {
		k.Flags |= userFlag
		k.Uid = userID(s.User)
	}
	if s.Executable.Kind != 0 {
		bit, err := c.addProgram(s)
		if err != nil {
			return k, err
		}
		k.Program = uint16(bit)
	}
	if s.Unit != "" {
		if k.Unit, err = c.addPlace(unitPlace, c.numbers.hash(s.Unit)); err != nil {
			return k, err
		}
	}
	if s.Container != "" {
		k.Container, err = c.addContainer(s.Container)
	}
	return k, err
}

func userID(name string) uint32 {
	if u, err := user.Lookup(name); err == nil {
		name = u.Uid
	}
	id, err := strconv.ParseUint(name, 10, 32)
	if err != nil {
		return nobody
	}
	return uint32(id)
}

func (c *compiler) addProgram(s policy.Subject) (int, error) {
	return c.numbers.bit(program{s.Executable.Base + s.Executable.Pattern, s.SHA256})
}

// addExecutables finds the paths of all programs that have a bit. Those that only sets before this one named are among them: a set
// that names them again asks for what has run meanwhile too.
func (c *compiler) addExecutables() {
	for p, bit := range c.numbers.bits {
		if p.sha256 != "" {
			continue
		}
		for _, name := range c.filesOf(p) {
			set := c.executables[name]
			set.add(bit)
			c.executables[name] = set
		}
	}
}

// addPlace gives a place its bit; two kinds never share one.
func (c *compiler) addPlace(kind uint32, value uint64) (uint8, error) {
	key := bpf.EnforcePlaceKey{Kind: kind, Value: value}
	if bit, ok := c.places[key]; ok {
		return bitNumber(bit), nil
	}
	bit, err := c.freePlace()
	if err != nil {
		return 0, err
	}
	c.places[key] = 1 << bit
	return bit, nil
}

func bitNumber(bit uint64) uint8 {
	n := uint8(0)
	for bit > 1 {
		bit >>= 1
		n++
	}
	return n
}

func (c *compiler) freePlace() (uint8, error) {
	if c.lastPlace == maxPlaces {
		return 0, fmt.Errorf("found more than %d units and containers as subjects, expected less", maxPlaces)
	}
	c.settings.HasPlaces = 1
	c.lastPlace++
	return c.lastPlace - 1, nil
}

// addContainer gives a container its bit. Where it is, is looked for when the kernel knows what to look for itself.
func (c *compiler) addContainer(wanted string) (uint8, error) {
	if bit, ok := c.containers[wanted]; ok {
		return bit, nil
	}
	bit, err := c.freePlace()
	if err != nil {
		return 0, err
	}
	c.containers[wanted] = bit
	if id, ok := idNumber(wanted); ok {
		c.places[bpf.EnforcePlaceKey{Kind: containerID, Value: id}] |= 1 << bit
	}
	names, inSlice := container.CgroupsOfMachine(wanted)
	for _, name := range names {
		c.places[bpf.EnforcePlaceKey{Kind: containerName, Value: c.numbers.hash(name)}] |= 1 << bit
	}
	for _, name := range inSlice {
		value := c.numbers.hash(container.MachineSlice) + c.numbers.hash(name)
		c.places[bpf.EnforcePlaceKey{Kind: containerName, Value: value}] |= 1 << bit
	}
	return bit, nil
}

const (
	idDigits = 12
	idFound  = 1 << 48 // no id is 0 so
)

// idNumber is the beginning of a container's id as the kernel compares it; names of machines have none.
func idNumber(id string) (uint64, bool) {
	if len(id) < idDigits {
		return 0, false
	}
	n, err := strconv.ParseUint(id[:idDigits], 16, 64)
	return n | idFound, err == nil
}

// findContainers finds the cgroups of containers.
func (c *compiled) findContainers() map[uint64]uint64 {
	found := map[uint64]uint64{}
	if len(c.containers) == 0 {
		return found
	}
	root := cgroupRoot()
	_ = filepath.WalkDir(root, func(dir string, entry fs.DirEntry, err error) error { // no call gives an error
		if err != nil || !entry.IsDir() {
			return nil // it ended meanwhile, or is no cgroup
		}
		id, _ := container.FromCgroup(strings.TrimPrefix(dir, root))
		info, err := os.Stat(dir)
		if err != nil || id == "" {
			return nil
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		for wanted, bit := range c.containers {
			if ok && policy.IsContainer(id, wanted) {
				found[stat.Ino] |= 1 << bit
			}
		}
		return nil
	})
	return found
}

// cgroupRoot is where the hierarchy of cgroups is that the kernel's programs look at.
func cgroupRoot() string {
	const root, pids = "/sys/fs/cgroup", "/sys/fs/cgroup/pids"
	if _, err := os.Stat(filepath.Join(pids, "cgroup.procs")); err == nil {
		return pids
	}
	return root
}

// readHashes reads the files whose content matters: executables whose SHA-256 a subject demands, and programs for rules that list
// contents.
func (c *compiler) readHashes() error {
	for p, bit := range c.numbers.bits {
		if p.sha256 == "" {
			continue
		}
		for _, name := range c.filesOf(p) {
			if err := c.readHash(name, func(sum string, h *bpf.EnforceHashed) {
				if sum == p.sha256 {
					h.Programs.Words[bit/64] |= 1 << (bit % 64)
				}
			}); err != nil {
				return err
			}
		}
	}
	return c.readListed()
}

// filesOf are the paths that a path of programs names: all that match now, or the one that is to be.
func (c *compiler) filesOf(p program) []string {
	if strings.ContainsAny(p.path, "*?[") {
		return c.host.Glob(policy.Path{Kind: policy.GlobPaths, Pattern: p.path})
	}
	return []string{c.host.Real(p.path)}
}

// programDirectories are where programs are looked for whose content rules list.
var programDirectories = []string{"/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/bin", "/sbin"}

func (c *compiler) readListed() error {
	listing := map[string]ruleSet{}
	for _, r := range c.rules {
		if r.Exec == nil {
			continue
		}
		for _, p := range []*policy.Programs{r.Exec.Deny, r.Exec.Only} {
			if p == nil {
				continue
			}
			for _, h := range p.SHA256 {
				set := listing[h.Value]
				set.add(r.bit)
				listing[h.Value] = set
			}
		}
	}
	if len(listing) == 0 {
		return nil
	}
	for _, dir := range programDirectories {
		entries, err := os.ReadDir(c.host.Real(dir))
		if err != nil {
			continue // not every host has each
		}
		for _, entry := range entries {
			if err := c.readHash(c.host.Real(filepath.Join(dir, entry.Name())), func(sum string, h *bpf.EnforceHashed) {
				set := listing[sum]
				for w := range set {
					h.Rules.Words[w] |= set[w]
				}
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// readHash notes what a file's content is good for. A file that changes while it is read is good for nothing.
func (c *compiler) readHash(name string, note func(sum string, h *bpf.EnforceHashed)) error {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the content of a program: %w", err)
	}
	defer file.Close()
	var before, after unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &before); err != nil || before.Mode&unix.S_IFMT != unix.S_IFREG {
		return err
	}
	at := c.mounts.locations(name)
	key := inode{at[len(at)-1].device, before.Ino}
	sum, known := c.sums[key]
	if !known {
		content := sha256.New()
		if _, err := io.Copy(content, file); err != nil {
			return fmt.Errorf("read the content of %s: %w", name, err)
		}
		if err := unix.Fstat(int(file.Fd()), &after); err != nil || before.Ctim != after.Ctim {
			return err
		}
		sum = hex.EncodeToString(content.Sum(nil))
		c.sums[key] = sum
	}
	h := c.hashes[key]
	h.Changed = uint64(before.Ctim.Nano())
	note(sum, &h)
	if h.Programs.Words != (programSet{}) || h.Rules.Words != (ruleSet{}) {
		c.hashes[key] = h
		c.settings.HasHashes = 1
	}
	return nil
}
