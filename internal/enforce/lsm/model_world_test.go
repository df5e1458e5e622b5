// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"errors"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/container"
	"github.com/vedette-sec/vedette/internal/tiny"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// Where the model's world is. Its programs are other names of those of the tests' programs that no test moves.
const (
	modelPrograms = "/opt/model-programs"
	modelRoot     = "/opt/model"
	modelAlias    = "/opt/model-alias" // the directory a, mounted again
	modelUnit     = "test.service"
	modelMachine  = "deb"
)

var modelContainer = strings.Repeat("c0ffee00", 8)

func modelProgram(name string) string { return modelPrograms + "/" + name }

// prepareModel makes what has to be older than the enforcer.
func prepareModel() error {
	if err := errors.Join(os.MkdirAll(modelPrograms, 0o755), os.MkdirAll(modelRoot+"/bin", 0o755)); err != nil {
		return err
	}
	return errors.Join(
		os.Link(trusted, modelProgram("service")), os.Link(stranger, modelProgram("stranger")), os.Link(stranger, modelProgram("second")),
		os.WriteFile(modelProgram("script"), []byte("#!"+modelProgram("stranger")+"\n"), 0o755),
		os.WriteFile(modelRoot+"/bin/tool", tiny.Program(), 0o755),
		os.WriteFile(modelRoot+"/bin/vouched", tiny.Program(), 0o755),
		os.WriteFile(modelRoot+"/bin/script", []byte("#!"+modelRoot+"/bin/tool\n"), 0o755),
	)
}

// world is what acts are about. Every act that changes it is put back.
type world struct {
	t          *testing.T
	e          *Enforcer
	performers []*performer
}

// What is in the world besides its programs. The file hard has two names.
var (
	modelDirs  = []string{"a", "a/sub", "a/sub/more", "b", "mnt/dir"}
	modelFiles = []string{"a/x.conf", "a/y.log", "a/sub/deep", "b/x.conf", "mnt/file"}
	modelHard  = []string{modelRoot + "/a/hard", modelRoot + "/b/hard"}
	modelNew   = []string{"a/new.conf", "a/n", "b/new.conf", "b/other.log", "n", "a/sub/new"}
	modelBin   = []string{"tool", "vouched", "script"}
)

func (w *world) at(name string) string { return modelRoot + "/" + name }

// canonical is the name of an object that does not lead through the alias.
func canonical(name string) string {
	if rest, ok := strings.CutPrefix(name, modelAlias); ok {
		return modelRoot + "/a" + rest
	}
	return name
}

// aliases are the paths that lead to a place in the world.
func aliases(name string) []string {
	name = canonical(name)
	if rest, ok := strings.CutPrefix(name, modelRoot+"/a"); ok && (rest == "" || rest[0] == '/') {
		return []string{name, modelAlias + rest}
	}
	return []string{name}
}

// namesOf are all names of an object, the one that it is reached by first.
func namesOf(reached string) []string {
	others := aliases(reached)
	if slices.Contains(modelHard, others[0]) {
		others = slices.Concat(aliases(modelHard[0]), aliases(modelHard[1]))
	}
	return append([]string{reached}, slices.DeleteFunc(others, func(name string) bool { return name == reached })...)
}

func (w *world) make() {
	t := w.t
	for _, dir := range []string{w.at("mnt"), w.at("a"), modelAlias} {
		require.NoError(t, os.MkdirAll(dir, 0o755))
		require.NoError(t, os.Chmod(dir, 0o777))
	}
	w.mountInner()
	w.tidy()
	require.NoError(t, unix.Mount(w.at("a"), modelAlias, "", unix.MS_BIND, ""))
	t.Cleanup(func() {
		require.NoError(t, errors.Join(unix.Unmount(modelAlias, unix.MNT_DETACH), unix.Unmount(w.at("mnt"), unix.MNT_DETACH)))
		for _, name := range []string{"a", "b", "mnt", "link"} { // the programs are made once
			require.NoError(t, os.RemoveAll(w.at(name)))
		}
	})
}

// mountInner mounts another file system in the world.
func (w *world) mountInner() {
	require.NoError(w.t, unix.Mount("none", w.at("mnt"), "tmpfs", 0, "mode=777"))
}

// tidy makes what is missing and removes what is too much. The file with two names is made anew, as the kernel keeps in mind what
// names it had.
func (w *world) tidy() {
	t := w.t
	for _, name := range modelHard {
		require.NoError(t, os.RemoveAll(name))
	}
	for _, dir := range modelDirs {
		if err := os.Mkdir(w.at(dir), 0o777); err == nil {
			require.NoError(t, os.Chmod(w.at(dir), 0o777))
		}
	}
	for _, file := range modelFiles {
		w.makeFile(w.at(file))
	}
	w.makeFile(modelHard[0])
	require.NoError(t, os.Link(modelHard[0], modelHard[1]))
	if _, err := os.Lstat(w.at("link")); err != nil {
		require.NoError(t, os.Symlink(w.at("a"), w.at("link")))
	}
	require.NoError(t, os.Chmod(modelRoot, 0o777))
	for _, name := range modelNew {
		require.NoError(t, os.RemoveAll(w.at(name)))
	}
}

// makeFile makes an empty file without opening it, so that nobody has written it.
func (w *world) makeFile(name string) {
	if unix.Mknod(name, unix.S_IFREG|0o666, 0) == nil {
		require.NoError(w.t, unix.Chmod(name, 0o666))
	}
}

// vouch lets a program whom a policy allows it write one of the world's programs.
func (w *world) vouch() {
	load(w.t, w.e, `
policy: vouch
rules: [{name: all, files: {paths: [`+w.at("bin/vouched")+`], operations: [write]}, allow: [{executable: `+modelProgram("service")+`}]}]
`)
	w.does(w.performers[0], "write-tiny", w.at("bin/vouched"))
}

func (w *world) does(p *performer, words ...string) {
	number, err := p.tell(words...)
	require.NoError(w.t, err)
	require.Zero(w.t, number, "%s: %v", p.name, words)
}

// populate starts the performers while a policy names all their programs, so that the kernel knows of each what led to it.
func (w *world) populate() {
	require.NoError(w.t, copyFile(stranger, modelProgram("changed")))
	load(w.t, w.e, `
policy: programs
rules:
  - name: all
    files: {paths: [/nowhere], operations: [write]}
    who: [{executable: `+modelPrograms+`/s*}, {executable: `+strings.Join(modelExecutables(), "}, {executable: ")+`}]
`)
	w.perform("service", "", nil, "service")
	w.perform("stranger", "", nil, "stranger")
	w.perform("second", "", nil, "second")
	w.perform("child of the service", "", nil, "service", "stranger")
	w.perform("script of the service", "", nil, "service", "script")
	w.perform("child of the second", "", nil, "second", "service")
	w.perform("changed program of the service", "", nil, "service", "changed")
	w.perform("child of a changed program", "", nil, "service", "changed", "second")
	w.perform("in a unit", "system.slice/"+modelUnit+"/inner", nil, "stranger")
	w.perform("in a container", "system.slice/docker-"+modelContainer+".scope", nil, "service")
	w.perform("in a machine", "machine.slice/machine-"+modelMachine+".scope/payload", nil, "second")
	w.perform("another user", "", &syscall.Credential{Uid: 1000, Gid: 1000}, "stranger")
}

func modelExecutables() []string {
	return []string{modelProgram("service"), modelProgram("stranger"), modelProgram("second"), modelProgram("script"), modelProgram("changed")}
}

// perform starts a performer by the programs that lead to it.
func (w *world) perform(name, cgroup string, user *syscall.Credential, chain ...string) {
	p := &performer{name: name, actor: policy.Actor{User: "root", Cgroup: "/" + cgroup}}
	words := []string{"serve"}
	for i, program := range slices.Backward(chain) {
		trust := program != "changed"
		if program == "script" {
			p.actor.Lineage = append(p.actor.Lineage, policy.Program{Executable: modelProgram("stranger"), Trusted: true})
		}
		p.actor.Lineage = append(p.actor.Lineage, policy.Program{Executable: modelProgram(program), Trusted: trust})
		if i > 0 {
			words = append([]string{"host", modelProgram(program)}, words...)
		}
	}
	c := command(modelProgram(chain[0]), words...)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: user}
	if user != nil {
		p.actor.User, p.actor.UID = "tester", user.Uid
	}
	if cgroup != "" {
		dir := openCgroup(w.t, cgroup)
		defer dir.Close()
		c.SysProcAttr.UseCgroupFD, c.SysProcAttr.CgroupFD = true, int(dir.Fd())
	}
	p.actor.Container, _ = container.FromCgroup("/" + cgroup)
	require.NoError(w.t, p.start(c))
	w.performers = append(w.performers, p)
	w.t.Cleanup(func() { require.NoError(w.t, p.end(), name) })
}

func openCgroup(t *testing.T, cgroup string) *os.File {
	t.Helper()
	name := path.Join("/sys/fs/cgroup", cgroup)
	require.NoError(t, os.MkdirAll(name, 0o755))
	dir, err := os.Open(name)
	require.NoError(t, err)
	return dir
}

// fileAt gives the facts about an object of the world.
func (w *world) fileAt(reached string) *policy.File {
	f := &policy.File{Paths: namesOf(reached), Origin: policy.Tmpfs}
	if strings.HasPrefix(reached, w.at("bin/")) {
		f.ChangedSinceBoot = reached != w.at("bin/vouched")
	}
	return f
}
