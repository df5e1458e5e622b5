// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package fallback

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
)

// mostPrograms is how many different programs policies may name while the agent runs: the kernel side has a bit for each.
const mostPrograms = 256

// fileKey identifies a file as the kernel does.
type fileKey struct {
	device uint32 // the kernel's own number of the file system's device
	inode  uint64
}

func (k fileKey) bpf() bpf.FallbackProgramKey {
	return bpf.FallbackProgramKey{Inode: k.inode, Device: k.device}
}

// program is a file that policies name as one that acts or is acted on.
type program struct {
	number     int // its bit
	name       string
	script     bool
	key        fileKey
	generation uint32
}

// registry numbers what policies name: programs, units and containers. A number is never given to another one, so that what is
// kept of processes and cgroups stays right from one set of policies to the next.
type registry struct {
	byKey      map[fileKey]*program
	byNumber   []*program
	units      []string
	containers []string
}

// mostNames is how many different units, and how many containers, policies may name while the agent runs.
const mostNames = 64

func newRegistry() *registry { return &registry{byKey: map[fileKey]*program{}} }

// unit gives the bit of a unit; none beyond those that there is room for, of which full tells.
func (r *registry) unit(name string) uint64 { return bitOf(&r.units, name) }

// container gives the bit of a container's id as policies write it.
func (r *registry) container(id string) uint64 { return bitOf(&r.containers, id) }

func bitOf(names *[]string, name string) uint64 {
	i := slices.Index(*names, name)
	if i < 0 {
		i = len(*names)
		*names = append(*names, name)
	}
	return 1 << i
}

func (r *registry) full() error {
	if len(r.units) > mostNames || len(r.containers) > mostNames {
		return fmt.Errorf("found more than %d different units or containers named by policies since the agent started; restart it, or name fewer", mostNames)
	}
	return nil
}

// add gives the program at a path, which is real. It is nil where there is none.
func (r *registry) add(path string) (*program, error) {
	key, err := keyOf(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if p := r.byKey[key]; p != nil && p.leadsTo(path, key) {
		return p, nil
	}
	if len(r.byNumber) == mostPrograms {
		return nil, fmt.Errorf("found more than %d different programs named by policies since the agent started; restart it, or name fewer", mostPrograms)
	}
	p := &program{number: len(r.byNumber), name: path, script: isScript(path), key: key, generation: generationOf(path)}
	r.byKey[key] = p
	r.byNumber = append(r.byNumber, p)
	return p, nil
}

// leadsTo tells whether a program is still the one at a path. A file that is gone may have left its number to another one.
func (p *program) leadsTo(path string, key fileKey) bool {
	if p.name != path {
		if now, err := keyOf(p.name); err != nil || now != key {
			return false
		}
	}
	return p.generation == generationOf(path)
}

// generationOf tells a file from another one that had the number of its inode before, as the kernel does. It is 0 on file systems
// that do not tell.
func generationOf(path string) uint32 {
	file, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer file.Close()
	return generationOfOpen(int(file.Fd()))
}

func generationOfOpen(fd int) uint32 {
	generation, err := unix.IoctlGetUint32(fd, getVersion)
	if err != nil {
		return 0
	}
	return generation
}

// getVersion is FS_IOC_GETVERSION of linux/fs.h, which gives 32 bits whatever its number says.
const getVersion = 0x80087601

// keyOf gives the identity of the file at a path. File systems with subvolumes give stat(2) another device than they use
// themselves, which the list of mounts tells.
func keyOf(path string) (fileKey, error) {
	var stat unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_BASIC_STATS|unix.STATX_MNT_ID, &stat); err != nil {
		return fileKey{}, &os.PathError{Op: "statx", Path: path, Err: err}
	}
	key := fileKey{device: device(stat.Dev_major, stat.Dev_minor), inode: stat.Ino}
	if stat.Mask&unix.STATX_MNT_ID != 0 {
		if m, ok := mountByID(ownMounts, stat.Mnt_id); ok {
			key.device = m.device
		}
	}
	return key, nil
}

// device puts a number together as the kernel does.
func device(major, minor uint32) uint32 { return major<<20 | minor }

func isScript(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	var head [2]byte
	_, err = io.ReadFull(file, head[:])
	return err == nil && string(head[:]) == "#!"
}

// hashOf gives the SHA-256 of what a file holds.
func hashOf(file io.Reader) (string, error) {
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func hashOfPath(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	return hashOf(file)
}

// mount is a line of a list of mounts.
type mount struct {
	id     uint64
	device uint32
	root   string // what of the file system is mounted
	point  string // where
	fsType string
}

const ownMounts = "/proc/self/mountinfo"

// readMounts reads a list of mounts, see proc_pid_mountinfo(5). Lines that are not understood are passed over.
func readMounts(path string) ([]mount, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return parseMounts(file)
}

func parseMounts(r io.Reader) ([]mount, error) {
	var all []mount
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		before, after, _ := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(before)
		if len(fields) < 5 {
			continue
		}
		id, errID := strconv.ParseUint(fields[0], 10, 64)
		major, minor, _ := strings.Cut(fields[2], ":")
		high, errMajor := strconv.ParseUint(major, 10, 32)
		low, errMinor := strconv.ParseUint(minor, 10, 32)
		if errors.Join(errID, errMajor, errMinor) != nil {
			continue
		}
		fsType, _, _ := strings.Cut(after, " ")
		all = append(all, mount{id, device(uint32(high), uint32(low)), unescape.Replace(fields[3]), unescape.Replace(fields[4]), fsType})
	}
	return all, lines.Err()
}

// unescape undoes how the kernel writes what would end a field.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

func mountByID(list string, id uint64) (mount, bool) {
	mounts, err := readMounts(list)
	if err != nil {
		return mount{}, false
	}
	for _, m := range mounts {
		if m.id == id {
			return m, true
		}
	}
	return mount{}, false
}
