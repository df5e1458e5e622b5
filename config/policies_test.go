// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/config"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// common are files of both hosts below, with links as "name -> target" and scripts as "name: text".
const common = `
bin -> usr/bin
sbin -> usr/sbin
lib -> usr/lib
usr/sbin/init -> ../lib/systemd/systemd
usr/lib/systemd/systemd
usr/lib/systemd/systemd-shutdown
usr/lib/systemd/systemd-journald
usr/lib/modules/x
usr/bin/bash
usr/bin/sudo
usr/bin/login
usr/bin/kmod
usr/bin/rsync
usr/bin/ssh-keygen
usr/bin/vedette
usr/sbin/sshd
usr/sbin/nginx
usr/sbin/auditd
boot/vmlinuz
var/log/journal/x
var/log/audit/audit.log
var/log/wtmp
var/backups/x
var/www/index.html
root/.ssh/authorized_keys
etc/passwd
etc/shadow
etc/sudoers
etc/ssh/sshd_config
etc/ssh/ssh_host_ed25519_key
etc/vedette/vedette.yaml
`

const debian = common + `
usr/bin/sh -> dash
usr/bin/dash
usr/bin/dpkg
usr/bin/apt
usr/bin/unattended-upgrade: #!/usr/bin/python3
usr/bin/python3 -> python3.13
usr/bin/python3.13
usr/sbin/rsyslogd
usr/lib/systemd/system/ssh.service
usr/lib/openssh/sshd-session
usr/lib/postgresql/17/bin/postgres
usr/sbin/mariadbd
var/lib/dpkg/info/x
var/lib/apt/lists/x
var/lib/postgresql/17/main/x
var/lib/mysql/x
`

const rhel = common + `
usr/bin/sh -> bash
usr/bin/rpm
usr/bin/dnf -> dnf-3
usr/bin/yum -> dnf-3
usr/bin/dnf-3: #!/usr/bin/python3
usr/bin/python3 -> python3.9
usr/bin/python3.9
usr/lib/systemd/system/sshd.service
usr/libexec/openssh/sshd-keygen: #!/usr/bin/bash
usr/pgsql-17/bin/postgres
usr/libexec/mysqld
var/lib/rpm/rpmdb.sqlite
var/lib/pgsql/x
var/lib/mysql/x
`

func hostWith(t *testing.T, files string) policy.Host {
	root := t.TempDir()
	for line := range strings.Lines(files) {
		name, target, isLink := strings.Cut(strings.TrimSpace(line), " -> ")
		name, text, _ := strings.Cut(name, ": ")
		if name == "" {
			continue
		}
		name = filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		if isLink {
			require.NoError(t, os.Symlink(target, name))
			continue
		}
		require.NoError(t, os.WriteFile(name, []byte(text), 0o755))
	}
	return policy.NewHost(root)
}

func readyPolicies(t *testing.T) *policy.Set {
	set, err := policy.LoadFS(config.Files, config.PoliciesRoot, "policies")
	require.NoError(t, err)
	return set
}

// enforcing is the set as it is after everything was switched to enforce.
func enforcing(set *policy.Set) *policy.Set {
	for _, p := range set.Policies {
		p.Mode = policy.Enforce
	}
	return set
}

func TestReadyPolicies(t *testing.T) {
	set := readyPolicies(t)
	names := []string{}
	for _, p := range set.Policies {
		names = append(names, p.Name)
		assert.Equal(t, policy.Audit, p.Mode, p.Name)
		assert.NotEmpty(t, p.Description, p.Name)
		assert.NotEmpty(t, p.Attack, p.Name)
		for _, r := range p.Rules {
			assert.Empty(t, r.Mode, "%s: its mode is switched with the policy's", r.Name)
		}
	}
	assert.Equal(t, []string{"agent", "backups", "boot", "logs", "mysql", "postgresql", "sshd", "system-binaries", "web-root"}, names)
}

// TestReadyPoliciesLockNobodyOut holds when all of them enforce together.
func TestReadyPoliciesLockNobodyOut(t *testing.T) {
	for name, files := range map[string]string{"Debian": debian, "RHEL": rhel} {
		t.Run(name, func(t *testing.T) {
			for _, f := range policy.Check(enforcing(readyPolicies(t)), hostWith(t, files)) {
				assert.False(t, f.Refused, "%s: %s", f.Position, f.Message)
				assert.Contains(t, []string{"script"}, f.Kind, "%s: %s", f.Position, f.Message)
			}
		})
	}
}

// acting is root running a program, started by others, all from the host's own files.
func acting(cgroup string, programs ...string) policy.Actor {
	a := policy.Actor{User: "root", Cgroup: cgroup}
	for _, program := range append(programs, "/usr/lib/systemd/systemd") {
		a.Lineage = append(a.Lineage, policy.Program{Executable: program, Trusted: true})
	}
	return a
}

func TestDecisionsOfReadyPolicies(t *testing.T) {
	const session = "/user.slice/user-0.slice/session-1.scope"
	shell := acting(session, "/usr/bin/bash", "/usr/lib/openssh/sshd-session", "/usr/sbin/sshd")
	init := acting("/init.scope")
	on := func(o policy.Operation, path string, by policy.Actor) policy.Request {
		return policy.Request{Operation: o, File: &policy.File{Paths: []string{path}}, Subject: by}
	}
	to := func(o policy.Operation, executable string, by policy.Actor) policy.Request {
		return policy.Request{Operation: o, Target: &policy.Target{Executable: executable}, Subject: by}
	}
	dpkg := acting(session, "/usr/bin/dpkg", "/usr/bin/apt", "/usr/bin/bash", "/usr/sbin/sshd")
	postinst := acting(session, "/usr/bin/dash", "/var/lib/dpkg/info/x.postinst", "/usr/bin/dpkg", "/usr/bin/bash")
	dnf := acting(session, "/usr/bin/python3.9", "/usr/bin/dnf-3", "/usr/bin/bash")
	infected := acting(session, "/usr/bin/dash", "/usr/bin/dpkg")
	infected.Lineage[0].Trusted = false
	nginx := acting("/system.slice/nginx.service", "/usr/sbin/nginx")
	agent := acting("/system.slice/vedette.service", "/usr/bin/vedette")

	for _, tt := range []struct {
		name     string
		host     string
		r        policy.Request
		rule     string // "policy/rule" that decides
		expected policy.Verdict
	}{
		{"a shell replaces a program", debian, on(policy.Write, "/usr/bin/bash", shell), "system-binaries/programs", policy.Denied},
		{"a shell adds a library", rhel, on(policy.Create, "/usr/lib64/x.so", shell), "system-binaries/libraries", policy.Denied},
		{"a shell reads a program", debian, on(policy.Read, "/usr/bin/bash", shell), "", policy.Allowed},
		{"a shell preloads a library", debian, on(policy.Create, "/etc/ld.so.preload", shell), "system-binaries/linker", policy.Denied},
		{"a shell moves /usr", debian, policy.Request{Operation: policy.Rename, File: &policy.File{Paths: []string{"/usr"}}, NewPath: "/x", Subject: shell}, "system-binaries/programs", policy.Denied},
		{"dpkg replaces a program", debian, on(policy.Write, "/usr/bin/bash", dpkg), "system-binaries/programs", policy.Allowed},
		{"a package's script does", debian, on(policy.Create, "/usr/bin/x", postinst), "system-binaries/programs", policy.Allowed},
		{"a script that somebody changed does", debian, on(policy.Create, "/usr/bin/x", infected), "system-binaries/programs", policy.Denied},
		{"dnf replaces a program", rhel, on(policy.Write, "/usr/bin/bash", dnf), "system-binaries/programs", policy.Allowed},
		{"python alone does not", rhel, on(policy.Write, "/usr/bin/bash", acting(session, "/usr/bin/python3.9", "/usr/bin/bash")), "system-binaries/programs", policy.Denied},

		{"a shell changes the kernel on disk", debian, on(policy.Write, "/boot/vmlinuz", shell), "boot/boot-files", policy.Denied},
		{"a package brings a kernel", debian, on(policy.Create, "/boot/vmlinuz-2", dpkg), "boot/boot-files", policy.Allowed},
		{"a shell adds a module", debian, on(policy.Create, "/usr/lib/modules/x.ko", shell), "boot/module-files", policy.Denied},
		{"modprobe loads a module", debian, policy.Request{Operation: policy.Modules, Subject: acting(session, "/usr/bin/kmod", "/usr/bin/bash")}, "boot/load-modules", policy.Allowed},
		{"a program of its own loads a module", debian, policy.Request{Operation: policy.Modules, Subject: shell}, "boot/load-modules", policy.Denied},
		{"kexec by hand", rhel, policy.Request{Operation: policy.Kexec, Subject: acting(session, "/usr/sbin/kexec", "/usr/bin/bash")}, "boot/load-kernel", policy.Denied},
		{"kexec for crashes", rhel, policy.Request{Operation: policy.Kexec, Subject: acting("/system.slice/kdump.service", "/usr/sbin/kexec")}, "boot/load-kernel", policy.Allowed},

		{"a shell deletes a log", debian, on(policy.Delete, "/var/log/auth.log.1", shell), "logs/logs", policy.Denied},
		{"the log service writes", debian, on(policy.Write, "/var/log/auth.log", acting("/system.slice/rsyslog.service", "/usr/sbin/rsyslogd")), "logs/logs", policy.Allowed},
		{"logrotate's gzip does", debian, on(policy.Create, "/var/log/auth.log.2.gz", acting("/system.slice/logrotate.service", "/usr/bin/gzip", "/usr/sbin/logrotate")), "logs/logs", policy.Allowed},
		{"logrotate by hand does not", debian, on(policy.Rename, "/var/log/auth.log", acting(session, "/usr/sbin/logrotate", "/usr/bin/bash")), "logs/logs", policy.Denied},
		{"login notes itself", debian, on(policy.Write, "/var/log/wtmp", acting(session, "/usr/bin/login")), "", policy.Allowed},
		{"a shell removes the logins", debian, on(policy.Delete, "/var/log/wtmp", shell), "logs/logins", policy.Denied},
		{"a shell kills auditd", rhel, to(policy.Signal, "/usr/sbin/auditd", shell), "logs/services", policy.Denied},
		{"init ends auditd", rhel, to(policy.Signal, "/usr/sbin/auditd", init), "logs/services", policy.Allowed},

		{"a shell reads a host key", debian, on(policy.Read, "/etc/ssh/ssh_host_ed25519_key", shell), "sshd/host-keys", policy.Denied},
		{"sshd reads it", debian, on(policy.Read, "/etc/ssh/ssh_host_ed25519_key", acting("/system.slice/ssh.service", "/usr/sbin/sshd")), "sshd/host-keys", policy.Allowed},
		{"everybody reads the public one", debian, on(policy.Read, "/etc/ssh/ssh_host_ed25519_key.pub", shell), "", policy.Allowed},
		{"a shell changes sshd's settings", debian, on(policy.Write, "/etc/ssh/sshd_config", shell), "sshd/settings", policy.Denied},
		{"a package makes a key", debian, on(policy.Create, "/etc/ssh/ssh_host_rsa_key", postinst), "sshd/settings", policy.Allowed},
		{"the service makes a key", rhel, on(policy.Create, "/etc/ssh/ssh_host_rsa_key", acting("/system.slice/system-sshd\\x2dkeygen.slice/sshd-keygen@rsa.service", "/usr/bin/ssh-keygen", "/usr/bin/bash")), "sshd/settings", policy.Allowed},
		{"a shell adds a key", debian, on(policy.Write, "/root/.ssh/authorized_keys", shell), "sshd/keys-of-root", policy.Denied},
		{"ssh notes a host", debian, on(policy.Create, "/root/.ssh/known_hosts.x", shell), "", policy.Allowed},
		{"a debugger looks into sshd", debian, to(policy.Ptrace, "/usr/lib/openssh/sshd-session", shell), "sshd/daemon", policy.Denied},

		{"the web server adds a page", debian, on(policy.Create, "/var/www/shell.php", nginx), "web-root/content", policy.Denied},
		{"the deployment does", debian, on(policy.Create, "/var/www/new.html", policy.Actor{User: "deploy", UID: 1001, Lineage: acting("", "/usr/bin/rsync", "/usr/bin/bash").Lineage}), "web-root/content", policy.Allowed},
		{"the web server starts a shell", debian, on(policy.Run, "/usr/bin/dash", nginx), "web-root/no-shells", policy.Denied},
		{"and it reloads itself", debian, to(policy.Signal, "/usr/sbin/nginx", nginx), "web-root/processes", policy.Allowed},
		{"others start shells", debian, on(policy.Run, "/usr/bin/dash", shell), "", policy.Allowed},

		{"PostgreSQL reads its data", debian, on(policy.Read, "/var/lib/postgresql/17/main/x", acting("/system.slice/system-postgresql.slice/postgresql@17-main.service", "/usr/lib/postgresql/17/bin/postgres")), "postgresql/data", policy.Allowed},
		{"what it starts does not", debian, on(policy.Read, "/var/lib/postgresql/17/main/x", acting("/system.slice/system-postgresql.slice/postgresql@17-main.service", "/usr/bin/dash", "/usr/lib/postgresql/17/bin/postgres")), "postgresql/data", policy.Denied},
		{"PostgreSQL's own package", rhel, on(policy.Write, "/var/lib/pgsql/x", acting("/system.slice/postgresql-17.service", "/usr/pgsql-17/bin/postgres")), "postgresql/data", policy.Allowed},
		{"a shell reads its data", rhel, on(policy.Read, "/var/lib/pgsql/x", shell), "postgresql/data", policy.Denied},
		{"MySQL writes its data", rhel, on(policy.Write, "/var/lib/mysql/x", acting("/system.slice/mysqld.service", "/usr/libexec/mysqld")), "mysql/data", policy.Allowed},
		{"a shell writes its data", debian, on(policy.Write, "/var/lib/mysql/x", shell), "mysql/data", policy.Denied},
		{"a shell kills MariaDB", debian, to(policy.Signal, "/usr/sbin/mariadbd", shell), "mysql/processes", policy.Denied},

		{"a shell deletes a backup", debian, on(policy.Delete, "/var/backups/x", shell), "backups/backups", policy.Denied},
		{"the backup does", debian, on(policy.Delete, "/var/backups/x", acting("/system.slice/backup.service", "/usr/bin/rsync")), "backups/backups", policy.Allowed},

		{"a shell changes the agent's settings", debian, on(policy.Write, "/etc/vedette/vedette.yaml", shell), "agent/settings", policy.Denied},
		{"the agent writes its state", debian, on(policy.Write, "/var/lib/vedette/x", agent), "agent/state", policy.Allowed},
		{"its command line does not", debian, on(policy.Write, "/var/lib/vedette/x", acting(session, "/usr/bin/vedette", "/usr/bin/bash")), "agent/state", policy.Denied},
		{"a shell kills the agent", debian, to(policy.Signal, "/usr/bin/vedette", shell), "agent/process", policy.Denied},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := enforcing(readyPolicies(t)).Resolve(hostWith(t, tt.host)).Evaluate(tt.r)
			require.Equal(t, tt.expected, d.Verdict)
			if tt.rule == "" {
				assert.Empty(t, d.Reasons)
				return
			}
			rules := []string{}
			for _, reason := range d.Reasons {
				if reason.Verdict == tt.expected {
					rules = append(rules, reason.Policy+"/"+reason.Rule)
				}
			}
			assert.Contains(t, rules, tt.rule)
		})
	}
}
