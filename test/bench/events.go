// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
)

// What a server of many users runs. A name in braces is one of the words below.
var commands = []string{
	"/usr/bin/bash -c {script}", "/bin/sh -e {dir}/{word}.sh --{word}", "/usr/bin/ls -la {dir}", "/usr/bin/cat {dir}/{word}.{suffix}",
	"/usr/bin/grep -rn {word} {dir}", "/usr/bin/find {dir} -name *.{suffix} -mtime +{number}", "/usr/bin/python3 {dir}/{word}.py --{word}={number}",
	"/usr/bin/curl -fsSL https://{host}/{word}/{number}.{suffix} -o {dir}/{word}", "/usr/bin/wget -q https://{host}/{word}.{suffix}",
	"/usr/bin/git fetch --tags origin {word}", "/usr/bin/git status --porcelain=v2 --branch", "/usr/local/go/bin/go build -o {dir}/{word} ./cmd/{word}",
	"/usr/lib/gcc/x86_64-linux-gnu/12/cc1 -quiet -O2 {dir}/{word}.c -o /tmp/{word}{number}.s", "/usr/bin/ld -o {dir}/{word} {dir}/{word}.o -lc",
	"/usr/sbin/sshd -D -R", "/usr/bin/ssh -o BatchMode=yes {user}@{host} {word}", "/usr/bin/rsync -az {dir}/ {user}@{host}:{dir}/",
	"/usr/sbin/cron -f", "/usr/bin/systemctl is-active {word}.service", "/usr/bin/journalctl -u {word}.service -n {number} --no-pager",
	"/usr/bin/docker exec -i {word} sh -c {script}", "/usr/bin/runc --root /run/docker/runtime-runc/moby init", "/usr/bin/ps aux", "/usr/bin/id -u {user}",
	"/usr/bin/awk -F: {print} /etc/passwd", "/usr/bin/sed -i s/{word}/{number}/g {dir}/{word}.{suffix}", "/usr/bin/tar -czf {dir}/{word}.tar.gz {dir}",
	"/usr/bin/chmod 0644 {dir}/{word}.{suffix}", "/usr/bin/sudo -n /usr/bin/systemctl restart {word}", "/usr/bin/dpkg-query -W -f {print} {word}",
	"/usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/15/main", "/usr/sbin/nginx -g daemon off;", "/usr/bin/node {dir}/{word}.js --port {number}",
	"/usr/bin/base64 -d", "/usr/bin/nc -z {host} {number}", "/usr/bin/crontab -l", "/usr/bin/stat --format=%s {dir}/{word}", "/usr/bin/sleep {number}",
}

var words = map[string][]string{
	"script":  {"'cd {dir} && make {word}'", "'for f in {dir}/*; do echo $f; done'", "'test -f {dir}/{word}.{suffix} || exit {number}'", "'{word} --version 2>/dev/null'"},
	"dir":     {"/home/{user}/src/{word}", "/var/lib/{word}", "/etc/{word}", "/opt/{word}/current", "/tmp/build-{number}", "/srv/www/{word}", "/var/log/{word}"},
	"word":    {"api", "backup", "build", "cache", "deploy", "export", "index", "ingest", "metrics", "orders", "proxy", "report", "search", "sync", "web", "worker"},
	"suffix":  {"c", "conf", "csv", "go", "gz", "json", "log", "py", "tmp", "txt", "yml"},
	"host":    {"10.0.{octet}.{octet}", "192.168.1.{octet}", "mirror.example.org", "registry.example.com", "203.0.113.{octet}"},
	"user":    {"root", "alice", "bob", "deploy", "postgres", "www-data"},
	"print":   {"'{print $1}'", "'${Version}'"},
	"address": {"10.0.{octet}.{octet}", "192.168.1.{octet}", "203.0.113.{octet}", "127.0.0.1", "2001:db8::{octet}"},
	"port":    {"22", "53", "80", "443", "443", "443", "3306", "5432", "6379", "8080", "9200"},
}

// eventSeed makes the events the same in each run.
const eventSeed = 19

// sampleEvents makes n events of a server at work: of ten about five starts of a process, four files and one connection.
func sampleEvents(n int) []map[string]string {
	r := &speaker{rand.New(rand.NewPCG(eventSeed, eventSeed))}
	events := make([]map[string]string, n)
	for i := range events {
		command := r.say(commands[r.IntN(len(commands))])
		e := map[string]string{"Image": image(command), "User": r.say("{user}"), "ProcessId": fmt.Sprint(1000 + r.IntN(60000))}
		switch kind := r.IntN(10); {
		case kind < 5:
			parent := r.say(commands[r.IntN(len(commands))])
			e["CommandLine"], e["CurrentDirectory"] = command, r.say("{dir}")
			e["ParentImage"], e["ParentCommandLine"] = image(parent), parent
			e["LogonId"] = fmt.Sprint(r.IntN(500))
		case kind < 9:
			e["TargetFilename"] = r.say("{dir}/{word}.{suffix}")
		default:
			e["Initiated"], e["DestinationIp"], e["DestinationPort"] = "true", r.say("{address}"), r.say("{port}")
		}
		events[i] = e
	}
	return events
}

func image(command string) string {
	program, _, _ := strings.Cut(command, " ")
	return path.Clean(program)
}

// speaker fills in templates.
type speaker struct{ *rand.Rand }

// say replaces the names in braces until none is left, from the left to the right. Braces that name nothing stay: they
// are awk's and dpkg's.
func (s *speaker) say(template string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(template, "{")
		name, after, closed := strings.Cut(rest, "}")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		switch choices := words[name]; {
		case closed && name == "octet":
			fmt.Fprint(&b, 1+s.IntN(254))
			template = after
		case closed && name == "number":
			fmt.Fprint(&b, 1+s.IntN(9999))
			template = after
		case closed && len(choices) > 0:
			template = choices[s.IntN(len(choices))] + after
		default:
			b.WriteByte('{')
			template = rest
		}
	}
}
