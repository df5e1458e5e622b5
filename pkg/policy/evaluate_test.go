// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// setOfText reads policies that must be good.
func setOfText(t *testing.T, text string) *Set {
	policies, err := Parse("p.yaml", []byte(text))
	require.NoError(t, err)
	return &Set{policies}
}

// by is root, whose running program was executed by the next one, and so on. A program with a "!" is not trusted.
func by(programs ...string) Actor {
	a := Actor{User: "root", Cgroup: "/user.slice/user-0.slice/session-1.scope"}
	for _, program := range programs {
		executable, untrusted := strings.CutSuffix(program, "!")
		a.Lineage = append(a.Lineage, Program{Executable: executable, Trusted: !untrusted})
	}
	return a
}

func file(paths ...string) *File { return &File{Paths: paths} }

const files = `
policy: files
mode: enforce
rules:
  - name: one
    files: {paths: [/d/conf], operations: tamper}
    allow: [{executable: /bin/editor}]
  - name: tree
    files: {paths: [/srv/www/**], except: [/srv/www/cache/**], operations: tamper}
    allow: [{executable: /bin/deploy}]
  - name: keys
    files: {paths: ["/d/key_*"], operations: secret}
    allow: [{executable: /bin/sshd, lineage: false}]
  - name: made
    files: {paths: [/cron/**], operations: [create]}
  - name: unread
    mode: audit
    files: {paths: [/d/secret], operations: [read]}
`

func TestFiles(t *testing.T) {
	set := setOfText(t, files)
	shell := by("/bin/sh")
	for _, tt := range []struct {
		name string
		r    Request
		want Verdict
		rule string // that decides
	}{
		{"other file", Request{Operation: Write, File: file("/d/other"), Subject: shell}, Allowed, ""},
		{"other operation", Request{Operation: Read, File: file("/d/conf"), Subject: shell}, Allowed, ""},
		{"write", Request{Operation: Write, File: file("/d/conf"), Subject: shell}, Denied, "one"},
		{"write by the allowed", Request{Operation: Write, File: file("/d/conf"), Subject: by("/bin/editor")}, Allowed, "one"},
		{"through a hard link", Request{Operation: Write, File: file("/tmp/x", "/d/conf"), Subject: shell}, Denied, "one"},
		{"create the name", Request{Operation: Create, File: file("/d/conf"), Subject: shell}, Denied, "one"},
		{"create below the name", Request{Operation: Create, File: file("/d/conf/x"), Subject: shell}, Allowed, ""},
		{"delete", Request{Operation: Delete, File: file("/d/conf"), Subject: shell}, Denied, "one"},
		{"chmod", Request{Operation: Attributes, File: file("/d/conf"), Subject: shell}, Denied, "one"},
		{"mount over", Request{Operation: Mount, File: file("/d/conf"), Subject: shell}, Denied, "one"},
		{"mount over a directory above", Request{Operation: Mount, File: file("/d"), Subject: shell}, Denied, "one"},
		{"chmod of a directory above", Request{Operation: Attributes, File: file("/d"), Subject: shell}, Allowed, ""},
		{"mount by init", Request{Operation: Mount, File: file("/d"), Subject: Actor{Init: true}}, Allowed, ""},
		{"write by init", Request{Operation: Write, File: file("/d/conf"), Subject: Actor{Init: true}}, Denied, "one"},
		{"rename a directory above", Request{Operation: Rename, File: file("/srv"), NewPath: "/old", Subject: shell}, Denied, "tree"},
		{"rename a directory beside", Request{Operation: Rename, File: file("/srv/ftp"), NewPath: "/srv/old", Subject: shell}, Allowed, ""},
		{"rename away", Request{Operation: Rename, File: file("/d/conf"), NewPath: "/tmp/x", Subject: shell}, Denied, "one"},
		{"rename to the name", Request{Operation: Rename, File: file("/tmp/x"), NewPath: "/d/conf", Subject: shell}, Denied, "one"},
		{"rename over a hard link", Request{Operation: Rename, File: file("/tmp/x"), NewPath: "/tmp/y", Replaced: file("/tmp/y", "/d/conf"), Subject: shell}, Denied, "one"},
		{"rename is making a name", Request{Operation: Rename, File: file("/tmp/x"), NewPath: "/cron/x", Subject: shell}, Denied, "made"},
		{"and leaves what only must not be made", Request{Operation: Rename, File: file("/cron/x"), NewPath: "/tmp/x", Subject: shell}, Allowed, ""},
		{"link", Request{Operation: Link, File: file("/d/conf"), NewPath: "/tmp/x", Subject: shell}, Denied, "one"},
		{"link to the name", Request{Operation: Link, File: file("/tmp/x"), NewPath: "/d/conf", Subject: shell}, Denied, "one"},
		{"link is making a name", Request{Operation: Link, File: file("/tmp/x"), NewPath: "/cron/x", Subject: shell}, Denied, "made"},
		{"the tree itself", Request{Operation: Attributes, File: file("/srv/www"), Subject: shell}, Denied, "tree"},
		{"deep in the tree", Request{Operation: Create, File: file("/srv/www/a/b/c"), Subject: shell}, Denied, "tree"},
		{"excepted", Request{Operation: Create, File: file("/srv/www/cache/b/c"), Subject: shell}, Allowed, ""},
		{"excepted, with a name that is not", Request{Operation: Write, File: file("/srv/www/cache/b", "/srv/www/b"), Subject: shell}, Denied, "tree"},
		{"pattern", Request{Operation: Read, File: file("/d/key_rsa"), Subject: shell}, Denied, "keys"},
		{"pattern of a new name", Request{Operation: Create, File: file("/d/key_new"), Subject: shell}, Denied, "keys"},
		{"not the pattern", Request{Operation: Read, File: file("/d/keys"), Subject: shell}, Allowed, ""},
		{"allowed away from one rule and to another's", Request{Operation: Rename, File: file("/d/conf"), NewPath: "/srv/www/x", Subject: by("/bin/editor")}, Denied, "tree"},
		{"exchange within what is allowed", Request{Operation: Rename, File: file("/srv/www/a"), NewPath: "/srv/www/b", Replaced: file("/srv/www/b"), Subject: by("/bin/deploy")}, Allowed, "tree"},
		{"audit by a rule", Request{Operation: Read, File: file("/d/secret"), Subject: shell}, Audited, "unread"},
		{"no lineage", Request{Operation: Read, File: file("/d/key_rsa"), Subject: by("/bin/sh", "/bin/sshd")}, Denied, "keys"},
		{"the subject without lineage", Request{Operation: Read, File: file("/d/key_rsa"), Subject: by("/bin/sshd", "/bin/sh")}, Allowed, "keys"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := set.Evaluate(tt.r)
			require.Equal(t, tt.want, d.Verdict)
			if tt.rule == "" {
				assert.Empty(t, d.Reasons)
				return
			}
			assert.Equal(t, tt.rule, d.Reasons[0].Rule)
		})
	}
}

const subjects = `
policy: subjects
mode: enforce
rules:
  - {name: lineage, files: {paths: [/lineage], operations: [write]}, allow: [{executable: /bin/a}]}
  - {name: own, files: {paths: [/own], operations: [write]}, allow: [{executable: /bin/a, lineage: false}]}
  - {name: user, files: {paths: [/user], operations: [write]}, allow: [{executable: /bin/a, user: www}]}
  - {name: number, files: {paths: [/number], operations: [write]}, allow: [{user: 33}]}
  - {name: unit, files: {paths: [/unit], operations: [write]}, allow: [{unit: a.service}]}
  - {name: slice, files: {paths: [/slice], operations: [write]}, allow: [{unit: system.slice}]}
  - {name: container, files: {paths: [/container], operations: [write]}, allow: [{container: 0123456789ab}]}
  - {name: machine, files: {paths: [/machine], operations: [write]}, allow: [{container: web}]}
  - {name: hash, files: {paths: [/hash], operations: [write]}, allow: [{executable: /bin/a, sha256: HASH}]}
  - {name: versions, files: {paths: [/versions], operations: [write]}, allow: [{executable: "/lib/*/bin/a"}]}
  - {name: confined, files: {paths: [/confined], operations: [write]}, who: [{executable: /bin/a}]}
  - {name: only-itself, files: {paths: [/only-itself], operations: [write]}, who: [{executable: /bin/a, lineage: false}]}
  - {name: confined-user, files: {paths: [/confined-user], operations: [write]}, who: [{user: www}], allow: [{executable: /bin/a}]}
`

func TestSubjects(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	set := setOfText(t, strings.Replace(subjects, "HASH", hash, 1))
	as := func(a Actor, change func(*Actor)) Actor {
		change(&a)
		return a
	}
	www := as(by("/bin/a"), func(a *Actor) { a.User, a.UID = "www", 33 })
	unit := func(cgroup string) Actor { return as(by("/bin/sh"), func(a *Actor) { a.Cgroup = cgroup }) }
	container := func(id string) Actor { return as(by("/bin/sh"), func(a *Actor) { a.Container = id }) }
	for _, tt := range []struct {
		path  string
		actor Actor
		want  Verdict
	}{
		{"/lineage", by("/bin/a"), Allowed},
		{"/lineage", by("/bin/sh"), Denied},
		{"/lineage", by("/bin/sh", "/bin/env", "/bin/a", "/init"), Allowed},
		{"/lineage", by("/bin/sh", "/tmp/x!", "/bin/a"), Denied},
		{"/lineage", by("/tmp/x!", "/bin/a"), Denied},
		{"/lineage", by("/bin/sh", "/bin/a!"), Denied},
		{"/lineage", by("/bin/a!"), Denied},
		{"/lineage", by("/bin/a", "/tmp/x!"), Allowed},
		{"/lineage", Actor{}, Denied},
		{"/own", by("/bin/a"), Allowed},
		{"/own", by("/bin/sh", "/bin/a"), Denied},
		{"/user", www, Allowed},
		{"/user", by("/bin/a"), Denied},
		{"/user", as(www, func(a *Actor) { a.Lineage = by("/bin/sh").Lineage }), Denied},
		{"/number", www, Allowed},
		{"/number", by("/bin/a"), Denied},
		{"/unit", unit("/system.slice/a.service"), Allowed},
		{"/unit", unit("/a.service/below"), Allowed},
		{"/unit", unit("/system.slice/system-x.slice/a.service"), Allowed},
		{"/unit", unit("/user.slice/user-1000.slice/user@1000.service/app.slice/a.service"), Denied},
		{"/unit", unit("/system.slice/docker-x.scope/system.slice/a.service"), Denied},
		{"/unit", unit("/"), Denied},
		{"/slice", unit("/system.slice/b.service"), Allowed},
		{"/slice", unit("/user.slice/b.service"), Denied},
		{"/container", container("0123456789abcdef"), Allowed},
		{"/container", container("123456789abcdef0"), Denied},
		{"/container", container(""), Denied},
		{"/machine", container("web"), Allowed},
		{"/machine", container("web2"), Denied},
		{"/hash", as(by("/bin/a"), func(a *Actor) { a.Lineage[0].SHA256 = hash }), Allowed},
		{"/hash", by("/bin/a"), Denied},
		{"/versions", by("/lib/15/bin/a"), Allowed},
		{"/versions", by("/lib/bin/a"), Denied},
		{"/confined", by("/bin/a"), Denied},
		{"/confined", by("/bin/sh", "/bin/a"), Denied},
		{"/confined", by("/tmp/x!", "/bin/a"), Denied},
		{"/confined", by("/bin/sh"), Allowed},
		{"/only-itself", by("/bin/a"), Denied},
		{"/only-itself", by("/bin/sh", "/bin/a"), Allowed},
		{"/confined-user", by("/bin/sh"), Allowed},
		{"/confined-user", as(by("/bin/sh"), func(a *Actor) { a.User = "www" }), Denied},
		{"/confined-user", www, Allowed},
	} {
		d := set.Evaluate(Request{Operation: Write, File: file(tt.path), Subject: tt.actor})
		assert.Equal(t, tt.want, d.Verdict, "%s by %+v", tt.path, tt.actor)
	}
}

const others = `
policy: others
mode: enforce
rules:
  - {name: daemon, processes: {executables: [/bin/d], units: [d.service], operations: [signal, ptrace]}, allow: [{executable: /bin/init, lineage: false}]}
  - {name: no-tmp, exec: {deny: {paths: [/tmp/**], origins: [memfd], sha256: [HASH], changed_since_boot: true}}, allow: [{executable: /bin/dpkg}]}
  - {name: programs, exec: {only: {paths: [/usr/**]}}, who: [{executable: /usr/bin/web}]}
  - {name: egress, network: {operations: [connect], only: ["10.0.0.0/8:443/tcp"]}, who: [{executable: /usr/bin/web}]}
  - {name: enemy, network: {deny: ["192.0.2.0/24"]}, allow: [{executable: /bin/scanner}]}
  - {name: nothing, network: {only: []}, who: [{executable: /usr/bin/lonely}]}
  - {name: kernel, kernel: [modules, bpf], allow: [{executable: /bin/kmod}]}
`

func TestOthers(t *testing.T) {
	hash := strings.Repeat("cd", 32)
	set := setOfText(t, strings.Replace(others, "HASH", hash, 1))
	daemon := &Target{Executable: "/bin/d"}
	to := func(text string) *Address { a := addressOf(text); return &a }
	web := by("/usr/bin/web")
	for _, tt := range []struct {
		name string
		r    Request
		want Verdict
	}{
		{"signal", Request{Operation: Signal, Target: daemon, Subject: by("/bin/sh")}, Denied},
		{"signal to itself", Request{Operation: Signal, Target: &Target{Executable: "/bin/d", Self: true}, Subject: by("/bin/d")}, Allowed},
		{"signal from its equal", Request{Operation: Signal, Target: daemon, Subject: by("/bin/d")}, Denied},
		{"signal by the allowed", Request{Operation: Signal, Target: daemon, Subject: by("/bin/init")}, Allowed},
		{"other operation", Request{Operation: Priority, Target: daemon, Subject: by("/bin/sh")}, Allowed},
		{"other process", Request{Operation: Ptrace, Target: &Target{Executable: "/bin/e", Cgroup: "/e.service"}, Subject: by("/bin/sh")}, Allowed},
		{"process of the unit", Request{Operation: Ptrace, Target: &Target{Executable: "/bin/e", Cgroup: "/d.service"}, Subject: by("/bin/sh")}, Denied},
		{"run", Request{Operation: Run, File: file("/usr/bin/ls"), Subject: by("/bin/sh")}, Allowed},
		{"run from tmp", Request{Operation: Run, File: file("/tmp/x"), Subject: by("/bin/sh")}, Denied},
		{"run from tmp by the allowed", Request{Operation: Run, File: file("/tmp/x"), Subject: by("/bin/dpkg")}, Allowed},
		{"run from memory", Request{Operation: Run, File: &File{Origin: Memfd}, Subject: by("/bin/sh")}, Denied},
		{"run a hash", Request{Operation: Run, File: &File{Paths: []string{"/a"}, SHA256: hash}, Subject: by("/bin/sh")}, Denied},
		{"run what changed", Request{Operation: Run, File: &File{Paths: []string{"/a"}, ChangedSinceBoot: true}, Subject: by("/bin/sh")}, Denied},
		{"run one of the only", Request{Operation: Run, File: file("/usr/bin/ls"), Subject: web}, Allowed},
		{"run another", Request{Operation: Run, File: file("/opt/x"), Subject: web}, Denied},
		{"an only is an allowing rule", Request{Operation: Run, File: &File{Paths: []string{"/usr/x"}, ChangedSinceBoot: true}, Subject: web}, Allowed},
		{"execute is of rules about files", Request{Operation: Execute, File: file("/tmp/x"), Subject: by("/bin/sh")}, Allowed},
		{"connect", Request{Operation: Connect, Address: to("10.0.0.1:443"), Subject: web}, Allowed},
		{"connect elsewhere", Request{Operation: Connect, Address: to("10.0.0.1:80"), Subject: web}, Denied},
		{"connect elsewhere by another", Request{Operation: Connect, Address: to("10.0.0.1:80"), Subject: by("/bin/sh")}, Allowed},
		{"bind", Request{Operation: Bind, Address: to("10.0.0.1:80"), Subject: web}, Allowed},
		{"to the enemy", Request{Operation: Connect, Address: to("192.0.2.1:80"), Subject: by("/bin/sh")}, Denied},
		{"from the enemy", Request{Operation: Accept, Address: to("192.0.2.1:80"), Subject: by("/bin/sh")}, Denied},
		{"to the enemy by the allowed", Request{Operation: Connect, Address: to("192.0.2.1:80"), Subject: by("/bin/scanner")}, Allowed},
		{"nowhere", Request{Operation: Connect, Address: to("127.0.0.1:80"), Subject: by("/bin/sh", "/usr/bin/lonely")}, Denied},
		{"kernel", Request{Operation: BPF, Subject: by("/bin/sh")}, Denied},
		{"kernel by the allowed", Request{Operation: Modules, Subject: by("/bin/kmod", "/bin/sh")}, Allowed},
		{"kernel, another operation", Request{Operation: Kexec, Subject: by("/bin/sh")}, Allowed},
	} {
		assert.Equal(t, tt.want, set.Evaluate(tt.r).Verdict, tt.name)
	}
}

const several = `
policy: a
rules:
  - {name: a1, files: {paths: [/x], operations: tamper}, allow: [{executable: /bin/a}]}
  - {name: a2, mode: enforce, files: {paths: [/**], operations: [write]}, allow: [{executable: /bin/b}]}
---
policy: b
rules:
  - {name: b1, files: {paths: [/x], operations: [write]}, allow: [{executable: /bin/a}, {executable: /bin/c}]}
`

func TestSeveralPolicies(t *testing.T) {
	set := setOfText(t, several)
	write := func(program string) Decision {
		return set.Evaluate(Request{Operation: Write, File: file("/x"), Subject: by(program)})
	}
	said := func(d Decision) string {
		var all []string
		for _, r := range d.Reasons {
			text := r.Rule + " " + string(r.Verdict)
			if r.Overruled {
				text += " overruled"
			}
			all = append(all, text)
		}
		return strings.Join(all, ", ")
	}
	a := write("/bin/a")
	assert.Equal(t, Allowed, a.Verdict, "an allowing rule in audit beats a denying one in enforce")
	assert.Equal(t, "a1 allowed, b1 allowed, a2 denied overruled", said(a))
	b := write("/bin/b")
	assert.Equal(t, Audited, b.Verdict, "another policy's denial stands")
	assert.Equal(t, "b1 audited, a2 allowed, a1 audited overruled", said(b))
	c := write("/bin/c")
	assert.Equal(t, Denied, c.Verdict)
	assert.Equal(t, "a2 denied, a1 audited, b1 allowed", said(c))
	assert.Equal(t, Reason{Policy: "a", Rule: "a2", Verdict: Denied, Thing: "/x", Entry: "/**",
		Position: Position{"p.yaml", 5, 47}}, c.Reasons[0])
	assert.Equal(t, Position{"p.yaml", 9, 89}, c.Reasons[2].Position, "of the subject")
}

// TestOrderNeverMatters shuffles everything that is a list.
func TestOrderNeverMatters(t *testing.T) {
	set := setOfText(t, files+"---"+several+"---"+strings.ReplaceAll(others, "HASH", strings.Repeat("0", 64)))
	requests := append([]Request{}, someRequests...)
	for _, operation := range []Operation{Write, Create, Delete, Mount, Read} {
		for _, path := range []string{"/x", "/d", "/d/conf", "/srv/www/cache/x", "/srv/www/x"} {
			for _, program := range []string{"/bin/a", "/bin/b", "/bin/c", "/bin/deploy", "/bin/editor", "/bin/sh"} {
				requests = append(requests, Request{Operation: operation, File: file(path), Subject: by(program)})
			}
		}
	}
	var want []Verdict
	for _, r := range requests {
		want = append(want, set.Evaluate(r).Verdict)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		shuffle(random, set.Policies)
		for _, p := range set.Policies {
			shuffle(random, p.Rules)
			for _, rule := range p.Rules {
				shuffle(random, rule.Allow)
				if rule.Files != nil {
					shuffle(random, rule.Files.Paths)
				}
			}
		}
		for i, r := range requests {
			require.Equal(t, want[i], set.Evaluate(r).Verdict)
		}
	}
}

func shuffle[T any](random *rand.Rand, list []T) {
	random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

func TestOperations(t *testing.T) {
	assert.Equal(t, "write, create, delete, rename, link, attributes, mount", Tamper.String())
	assert.Equal(t, "connect, bind", (Connect | Bind).String())
	var all Operation
	for _, kind := range kinds {
		assert.Zero(t, all&kind, "a bit is of one kind only")
		all |= kind
		var named Operation
		for _, name := range OperationNames(kind) {
			named |= ParseOperation(name, kind)
		}
		assert.Equal(t, kind, named)
	}
	assert.Zero(t, ParseOperation("write", KernelOperations))
}
