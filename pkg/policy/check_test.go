// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hostFiles are those of a small host as Debian makes it, with links as "name -> target" and scripts as "name: text".
const hostFiles = `
bin -> usr/bin
sbin -> usr/sbin
lib -> usr/lib
usr/sbin/init -> /lib/systemd/systemd
usr/lib/systemd/systemd
usr/lib/systemd/systemd-executor
usr/lib/systemd/system/ssh.service
usr/bin/sh -> dash
usr/bin/dash
usr/bin/bash
usr/bin/dpkg
usr/bin/apt
usr/bin/dnf -> dnf-3
usr/bin/dnf-3: #!/usr/bin/python3 -s
usr/bin/python3 -> python3.11
usr/bin/python3.11
usr/bin/rsync
usr/bin/sudo
usr/bin/login
usr/bin/backup: #! /bin/sh
usr/bin/env
usr/sbin/sshd
usr/sbin/nginx
usr/lib/postgresql/15/bin/postgres
usr/lib/postgresql/16/bin/postgres
usr/local/bin/anyones
var/www/index.html
var/lib/dpkg/info/x.postinst
var/lib/dpkg/status
var/lib/rpm/rpmdb.sqlite
var/lib/systemd/x
var/log/syslog
var/lock -> ../run/lock
run/lock/x
etc/passwd
etc/shadow
etc/sudoers
etc/pam.d/sshd
etc/ssh/sshd_config
etc/ssh/ssh_host_rsa_key
etc/alternatives/editor -> /usr/bin/sh
usr/bin/editor -> /etc/alternatives/editor
etc/loop -> loop
`

func testHost(t *testing.T) Host {
	root := t.TempDir()
	for line := range strings.FieldsFuncSeq(hostFiles, func(r rune) bool { return r == '\n' }) {
		name, target, isLink := strings.Cut(line, " -> ")
		name, text, _ := strings.Cut(name, ": ")
		name = filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		if isLink {
			require.NoError(t, os.Symlink(target, name))
			continue
		}
		require.NoError(t, os.WriteFile(name, []byte(text+"\n"), 0o755))
	}
	require.NoError(t, os.Chmod(filepath.Join(root, "usr/local/bin/anyones"), 0o777))
	return NewHost(root)
}

func TestHost(t *testing.T) {
	h := testHost(t)
	for name, want := range map[string]string{
		"/":                   "/",
		"/bin/bash":           "/usr/bin/bash",
		"/sbin/init":          "/usr/lib/systemd/systemd",
		"/var/lock/x":         "/run/lock/x",
		"/var/lock/../x":      "/run/x",
		"/bin/none/x":         "/usr/bin/none/x",
		"/../../usr/bin/bash": "/usr/bin/bash",
		"/etc/loop":           "/etc/loop",
	} {
		assert.Equal(t, want, h.Real(name), name)
	}
	assert.Equal(t, []string{"/usr/bin/editor", "/etc/alternatives/editor", "/usr/bin/sh", "/usr/bin/dash"}, h.Names("/bin/editor"))
	assert.Equal(t, []string{"/var/lock", "/run/lock"}, h.Names("/var/lock"))
	assert.Equal(t, []string{"/etc/loop"}, h.Names("/etc/loop"))
	assert.Equal(t, []string{"/"}, h.Names("/"))
	assert.Equal(t, "/usr/lib/systemd/systemd", h.Init())
	assert.Empty(t, NewHost(t.TempDir()).Init())
	assert.Contains(t, h.InitPrograms(), "/usr/lib/systemd/systemd")
	for name, want := range map[string]bool{"/bin/bash": true, "/bin/editor": true, "/sbin/init": false, "/usr/bin/none": false} {
		assert.Equal(t, want, h.Obeys(name), name)
	}
	assert.Equal(t, []string{"/usr/lib/postgresql/15/bin/postgres", "/usr/lib/postgresql/16/bin/postgres"},
		h.Glob(Path{Kind: GlobPaths, Pattern: "/lib/postgresql/*/bin/postgres"}))
	assert.Equal(t, []Program{{Executable: "/usr/bin/python3.11", Trusted: true}, {Executable: "/usr/bin/dnf-3", Trusted: true}}, h.Programs("/bin/dnf"))
	assert.Equal(t, "/", NewHost("/").Real("/"))
}

// An init that is one of many programs in a file is none that only init runs, and a subject by one of its names is a shell.
func TestHostOfManyProgramsInOneFile(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"bin", "sbin"} {
		require.NoError(t, os.Mkdir(filepath.Join(root, dir), 0o755))
	}
	require.NoError(t, os.WriteFile(filepath.Join(root, "bin/busybox"), nil, 0o755))
	require.NoError(t, os.Symlink("/bin/busybox", filepath.Join(root, "sbin/init")))
	require.NoError(t, os.Symlink("busybox", filepath.Join(root, "bin/dpkg")))
	h := NewHost(root)
	assert.NotContains(t, h.InitPrograms(), "/bin/busybox")
	set := setOfText(t, `policy: p
rules: [{name: r, files: {paths: [/bin/**], operations: tamper}, allow: [{executable: /bin/dpkg, lineage: false}]}]
`)
	var kinds []string
	for _, f := range Check(set, h) {
		kinds = append(kinds, f.Kind)
	}
	assert.Contains(t, kinds, "interpreter")
}

func TestResolve(t *testing.T) {
	set := setOfText(t, `policy: p
mode: enforce
rules:
  - {name: r, files: {paths: [/bin/editor, /var/lock/**, "/lib/postgresql/*"], operations: tamper}, allow: [{executable: /bin/sh}]}
  - {name: p, processes: {executables: ["/lib/postgresql/*/bin/postgres"]}}
  - {name: e, exec: {deny: {paths: [/var/lock/**]}}}
`)
	resolved := set.Resolve(testHost(t))
	for _, tt := range []struct {
		r            Request
		before, then Verdict
	}{
		{Request{Operation: Write, File: file("/usr/bin/dash")}, Allowed, Denied},
		{Request{Operation: Rename, File: file("/etc/alternatives/editor"), NewPath: "/x"}, Allowed, Denied},
		{Request{Operation: Create, File: file("/run/lock/y")}, Allowed, Denied},
		{Request{Operation: Create, File: file("/run/lock/y"), Subject: by("/usr/bin/dash")}, Allowed, Allowed},
		{Request{Operation: Delete, File: file("/var/lock")}, Denied, Denied},
		{Request{Operation: Delete, File: file("/bin")}, Denied, Denied},
		{Request{Operation: Create, File: file("/usr/lib/postgresql/17")}, Allowed, Denied},
		{Request{Operation: Signal, Target: &Target{Executable: "/usr/lib/postgresql/15/bin/postgres"}}, Allowed, Denied},
		{Request{Operation: Run, File: file("/run/lock/x")}, Allowed, Denied},
	} {
		assert.Equal(t, tt.before, set.Evaluate(tt.r).Verdict, "%+v", tt.r.File)
		assert.Equal(t, tt.then, resolved.Evaluate(tt.r).Verdict, "%+v", tt.r.File)
	}
}

// checked are policies with something to tell; what is told is in testdata/check.golden.
var checked = []struct{ name, src string }{
	{"good", `policy: web
mode: enforce
rules:
  - name: content
    files: {paths: [/var/www/**], operations: tamper}
    allow: [{executable: /usr/bin/rsync}]
  - name: server
    processes: {executables: [/usr/sbin/nginx], units: [nginx.service]}
    allow: [{executable: /usr/sbin/nginx}, {executable: /lib/systemd/systemd, lineage: false}]
`},
	{"missing", `policy: m
rules:
  - {name: some, files: {paths: [/var/www/**, /srv/www/**, /etc/none, "/opt/*.conf"], operations: tamper}, allow: [{executable: /usr/bin/none}]}
  - {name: none, files: {paths: [/srv/www/**], operations: tamper}}
  - {name: programs, processes: {executables: [/usr/bin/none, "/usr/bin/*none*"]}}
  - {name: unit, processes: {executables: [/usr/bin/none], units: [a.service]}}
  - {name: who, network: {only: []}, who: [{executable: /usr/bin/none}]}
`},
	{"missing is known", "policy: m\noverride: [missing]\nrules: [{name: none, files: {paths: [/srv/www/**], operations: tamper}, allow: [{executable: /usr/bin/none}]}]\n"},
	{"double", `policy: d
rules:
  - {name: one, files: {paths: [/var/www/**, /var/www/**, /bin/editor], operations: tamper}}
  - {name: two, files: {paths: [/var/www/**], operations: [write]}}
  - {name: other, files: {paths: [/var/www/**], operations: [read]}}
  - {name: confined, files: {paths: [/var/www/**], operations: [write]}, who: [{executable: /usr/sbin/nginx}]}
`},
	{"conflict", `policy: one
rules:
  - {name: r, files: {paths: [/var/www/**], operations: tamper}, allow: [{executable: /usr/bin/rsync}, {executable: /usr/sbin/nginx, user: www-data}]}
  - {name: p, processes: {executables: [/usr/sbin/nginx]}, allow: [{executable: /usr/bin/rsync}]}
  - {name: k, kernel: [bpf, time], allow: [{executable: /usr/lib/systemd/systemd, lineage: false}]}
---
policy: two
rules:
  - {name: r, files: {paths: [/var/www/html/**], operations: [write]}, allow: [{executable: /usr/sbin/nginx}]}
  - {name: p, processes: {executables: ["/usr/sbin/ngin?"]}, allow: [{unit: a.service}]}
  - {name: k, kernel: [bpf], allow: [{executable: /lib/systemd/systemd, lineage: false}]}
---
policy: three
override: [conflict]
rules:
  - {name: r, files: {paths: ["/var/www/*.html"], except: [/var/www/html/**], operations: [write]}, allow: [{user: www-data}]}
  - {name: s, files: {paths: [/var/log/**], operations: [write]}}
`},
	{"subjects", `policy: s
rules:
  - name: r
    files: {paths: [/var/www/**], operations: tamper}
    allow:
      - {executable: /sbin/init}
      - {executable: /sbin/init, lineage: false}
      - {executable: /usr/sbin/sshd}
      - {executable: /usr/sbin/sshd, lineage: false}
      - {executable: /usr/sbin/sshd, user: deploy}
      - {executable: /bin/bash, lineage: false}
      - {executable: /usr/bin/python3.11}
      - {executable: "/usr/bin/python3*"}
      - {executable: /usr/bin/python3.11, unit: a.service}
      - {executable: /usr/bin/sudo}
      - {executable: /usr/bin/sudo, lineage: false}
      - {executable: /usr/bin/env}
      - {executable: /usr/bin/backup}
      - {executable: /usr/bin/backup, user: root}
      - {executable: /usr/local/bin/anyones}
      - {user: www-data}
      - {unit: a.service}
      - {container: 0123456789ab}
  - name: w
    network: {only: []}
    who: [{unit: a.service}, {executable: /bin/bash}]
`},
	{"lock-outs", `policy: binaries
mode: enforce
rules:
  - {name: everything, files: {paths: [/usr/**], operations: tamper}}
  - {name: keys, files: {paths: ["/etc/ssh/ssh_host_*_key", /etc/shadow], operations: [read]}}
  - {name: run, exec: {only: {paths: [/usr/sbin/**]}}}
  - {name: signals, processes: {executables: [/usr/sbin/nginx], units: [a.service]}, allow: [{executable: /usr/sbin/nginx}]}
  - {name: kernel, kernel: [bpf, mount, time]}
  - {name: ports, network: {operations: [bind], deny: ["*:1-1023"]}}
`},
	{"lock-outs that are meant", `policy: meant
mode: enforce
override: [lockout]
rules: [{name: r, files: {paths: [/usr/**], operations: tamper}}]
`},
	{"lock-outs in audit", `policy: learning
rules:
  - {name: some, files: {paths: [/usr/**], operations: tamper}, allow: [{executable: /usr/bin/dpkg}]}
  - {name: strict, mode: enforce, files: {paths: [/etc/shadow], operations: [read]}}
`},
	{"no lock-outs", `policy: binaries
mode: enforce
subjects: {managers: [{executable: /usr/bin/dpkg}, {executable: /usr/bin/dnf-3}]}
rules:
  - {name: everything, files: {paths: [/usr/**], operations: tamper}, allow: [managers]}
  - {name: keys, files: {paths: ["/etc/ssh/ssh_host_*_key"], operations: [read]}, allow: [{executable: /usr/sbin/sshd, lineage: false, unit: ssh.service}]}
`},
}

func TestCheck(t *testing.T) {
	h := testHost(t)
	var out strings.Builder
	for _, c := range checked {
		fmt.Fprintf(&out, "== %s\n", c.name)
		for _, f := range Check(setOfText(t, c.src), h) {
			refused := ""
			if f.Refused {
				refused = "refused: "
			}
			fmt.Fprintf(&out, "%s: %s/%s: %s%s: %s\n", f.Position, f.Policy, f.Rule, refused, f.Kind, f.Message)
		}
	}
	golden(t, "testdata/check.golden", out.String())
}

func TestRefused(t *testing.T) {
	assert.False(t, Refused(nil))
	assert.False(t, Refused([]Finding{{}}))
	assert.True(t, Refused([]Finding{{}, {Refused: true}}))
}

// TestCheckOfAnEmptyHost shows that nothing on a host is taken for granted.
func TestCheckOfAnEmptyHost(t *testing.T) {
	h := NewHost(t.TempDir())
	for _, c := range checked {
		for _, f := range Check(setOfText(t, c.src), h) {
			assert.NotEqual(t, everybody, f.Kind)
		}
	}
}
