// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"debug/elf"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"

	"github.com/vedette-sec/vedette/test/vm/protocol"
)

//go:embed guest/init.sh
var initScript []byte

// guestSource is where the guest keeps what the module's directory holds here.
const guestSource = "/src"

// image is all that goes into the initramfs of one boot.
type image struct {
	kernel  kernel
	module  module
	busybox string
	bin     binaries
	plan    protocol.Plan
	// programs are extra static programs, put into /usr/bin.
	programs []string
	// dynamic are this host's files for a program that is not static, by where they are in the guest.
	dynamic map[string]string
	// init is the guest's first program.
	init  []byte
	shell bool
}

// write packs the image into a file.
func (i image) write(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("initramfs: %w", err)
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := i.pack(newArchive(w)); err != nil {
		return fmt.Errorf("initramfs: %w", err)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("initramfs: %w", err)
	}
	return f.Close()
}

func (i image) pack(a *archive) error {
	plan, err := json.Marshal(i.plan)
	if err != nil {
		return err
	}
	err = errors.Join(
		a.bytes("/init", 0o755, i.init),
		a.bytes(protocol.PlanPath, 0o644, plan),
		a.file("/bin/busybox", i.busybox),
		a.file("/vedette/runner", i.bin.runner),
		a.file("/usr/bin/vedette", i.bin.program),
		i.packSystem(a),
		i.packModule(a),
	)
	if i.shell {
		err = errors.Join(err, a.bytes("/vedette/shell", 0o644, nil))
	}
	for _, name := range slices.Sorted(maps.Keys(i.dynamic)) {
		err = errors.Join(err, a.file(name, i.dynamic[name]))
	}
	for _, program := range i.programs {
		err = errors.Join(err, a.file(path.Join("/usr/bin", filepath.Base(program)), program))
	}
	return errors.Join(err, a.tree("/", i.kernel.root()), a.close())
}

// packSystem makes the little that programs expect of a system: mount points,
// users and names.
func (i image) packSystem(a *archive) error {
	var err error
	for _, dir := range []string{"dev", "proc", "sys", "tmp", "run", "root", "sbin", "usr/bin", "usr/sbin", "var/log", "var/lib", "home/tester", "etc"} {
		err = errors.Join(err, a.dir(dir))
	}
	files := map[string]string{
		"/etc/passwd": "root:x:0:0:root:/root:/bin/sh\ntester:x:1000:1000:tester:/home/tester:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
		"/etc/group":  "root:x:0:\ntty:x:5:\ntester:x:1000:\nnogroup:x:65534:\n",
		"/etc/hosts":  "127.0.0.1 localhost guest\n::1 localhost\n",
	}
	for _, name := range []string{"/etc/passwd", "/etc/group", "/etc/hosts"} {
		err = errors.Join(err, a.bytes(name, 0o644, []byte(files[name])))
	}
	return errors.Join(err, a.bytes("/etc/shadow", 0o600, []byte("root:*:19000:0:99999:7:::\n")))
}

// packModule puts each test binary, its testdata and the module's config where
// they are found by the same relative paths as here.
func (i image) packModule(a *archive) error {
	err := a.file(guestSource+"/go.mod", filepath.Join(i.module.dir, "go.mod"))
	err = errors.Join(err, i.packTree(a, "config"))
	for rel, binary := range i.bin.tests {
		err = errors.Join(err,
			a.file(guestBinary(rel), binary),
			i.packTree(a, path.Join(rel, "testdata")))
	}
	return err
}

func guestDir(rel string) string { return path.Join(guestSource, rel) }

func guestBinary(rel string) string {
	return path.Join(guestDir(rel), path.Base(rel)+".test")
}

// packTree copies a directory of the module if there is one.
func (i image) packTree(a *archive, rel string) error {
	source := filepath.Join(i.module.dir, filepath.FromSlash(rel))
	if _, err := os.Stat(source); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return a.tree(path.Join(guestSource, rel), source)
}

// findBusybox returns this host's busybox, which must run in a guest that has
// no libraries.
func findBusybox() (string, error) {
	name, err := exec.LookPath("busybox")
	if err != nil {
		return "", errors.New("busybox not found; install the package busybox-static")
	}
	if err := checkStatic(name); err != nil {
		return "", fmt.Errorf("%w; install the package busybox-static", err)
	}
	return name, nil
}

// checkStatic returns an error unless name is a static program for the guests.
func checkStatic(name string) error {
	f, err := elf.Open(name)
	if err != nil {
		return fmt.Errorf("%s is not a program: %w", name, err)
	}
	defer f.Close()
	if f.Machine != elf.EM_X86_64 {
		return fmt.Errorf("%s is for %s, expected x86-64", name, f.Machine)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is not static", name)
		}
	}
	return nil
}

// initramfsMiB is the size of a packed initramfs, rounded up.
func initramfsMiB(name string) (int, error) {
	info, err := os.Stat(name)
	if err != nil {
		return 0, fmt.Errorf("initramfs: %w", err)
	}
	return int(info.Size()>>20) + 1, nil
}
