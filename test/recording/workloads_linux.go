// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"embed"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
)

// The scripts of the work. Those that are typed are lines for a shell with a terminal; the others are
// programs that get a number.
//
//go:embed workloads/*.sh
var workScripts embed.FS

// way is how a piece of work is begun.
type way string

const (
	typed  way = "typed"  // line by line into a shell over ssh
	script way = "script" // a program on the server, started over ssh
	client way = "client" // a program of the clients, which works on the server over the network
)

// work is one piece of everyday work.
type work struct {
	name   string
	way    way
	user   string   // who logs in
	weight int      // how often it comes in a round
	locks  []string // what no other piece may use meanwhile
}

// Things that two pieces of work must not use at a time. The services are restarted by some, which
// the requests of others do not survive.
const (
	apt      = "apt"
	services = "services"
)

var allWork = []work{
	{"alternatives", typed, "admin", 1, []string{apt}},
	{"apt-install", typed, "admin", 1, []string{apt}},
	{"apt-python", typed, "admin", 1, []string{apt}},
	{"apt-service", typed, "admin", 1, []string{apt}},
	{"apt-upgrade", typed, "admin", 1, []string{apt, services}},
	{"backup-database", script, "root", 1, []string{services}},
	{"backup-restic", script, "root", 1, nil},
	{"backup-rsync", script, "root", 1, nil},
	{"backup-tar", script, "root", 1, nil},
	{"build-c", script, "deploy", 1, nil},
	{"build-cxx", script, "deploy", 1, nil},
	{"build-python", script, "deploy", 1, nil},
	{"certificates", script, "root", 1, []string{apt}},
	{"client-pull", client, "root", 2, nil},
	{"client-visits", client, "root", 3, []string{services}},
	{"containers", typed, "admin", 1, nil},
	{"copies", script, "root", 1, nil},
	{"cron-edit", typed, "admin", 1, nil},
	{"database-load", script, "root", 1, []string{services}},
	{"deploy", script, "deploy", 1, []string{services, "git"}},
	{"downloads", typed, "admin", 1, nil},
	{"editors", typed, "admin", 2, nil},
	{"expect", typed, "admin", 1, nil},
	{"git-ssh", script, "deploy", 1, []string{"git"}},
	{"git-work", script, "deploy", 2, []string{"git"}},
	{"initramfs", typed, "admin", 1, []string{apt}},
	{"logs", typed, "admin", 2, nil},
	{"monitoring", typed, "admin", 3, []string{services}},
	{"oneliners", typed, "admin", 2, nil},
	{"packages-check", typed, "admin", 1, []string{apt}},
	{"services", typed, "admin", 1, []string{services}},
	{"sqlite-php", typed, "admin", 1, nil},
	{"ssh-keys", typed, "admin", 1, nil},
	{"sudoers", typed, "admin", 1, []string{services}},
	{"system-settings", typed, "admin", 1, []string{services, apt}},
	{"tmux", typed, "admin", 1, nil},
	{"users", typed, "admin", 1, nil},
	{"web-load", script, "root", 1, []string{services}},
}

// reinstalled are packages that are installed anew, one at a time.
var reinstalled = []string{"man-db", "openssl", "tzdata", "libc-bin", "bash", "openssh-server", "nginx-light", "cron",
	"sudo", "logrotate", "rsyslog", "ca-certificates", "procps"}

func selectWork(match *regexp.Regexp) []work {
	var selected []work
	for _, w := range allWork {
		if match.MatchString(w.name) {
			selected = append(selected, w)
		}
	}
	return selected
}

func (w work) file() string { return "workloads/" + w.name + ".sh" }

// lines are what is typed for a piece of work.
func (w work) lines(number int, random *rand.Rand) ([]string, error) {
	text, err := workScripts.ReadFile(w.file())
	if err != nil {
		return nil, err
	}
	filled := strings.NewReplacer(
		"@N@", fmt.Sprint(number),
		"@PACKAGE@", reinstalled[random.IntN(len(reinstalled))],
		"@MINUTES@", fmt.Sprint(2+random.IntN(5)),
	).Replace(string(text))
	var lines []string
	for line := range strings.Lines(filled) {
		if line = strings.TrimSuffix(line, "\n"); !strings.HasPrefix(line, "# SPDX") {
			lines = append(lines, line)
		}
	}
	return lines, nil
}
