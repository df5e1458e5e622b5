// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"testing"
)

// trap is one way in which scanners are known to be wrong, with checks that fall into it if they are.
type trap struct {
	name  string
	host  files
	cases cases
}

const (
	minlenAtLeast8  = `{config: {files: [/etc/security/pwquality.conf, /etc/security/pwquality.d/*.conf], keys: [minlen], expect: {value: {min: 8}}}}`
	minlenAtLeast85 = `{config: {files: [/etc/security/pwquality.conf, /etc/security/pwquality.d/*.conf], keys: [minlen], expect: {value: {min: 85}}}}`
	noRootLogin     = `{sshd: {keys: [PermitRootLogin], expect: {value: "no"}}}`
	noEmpty         = `{sshd: {keys: [PermitEmptyPasswords], expect: {value: "no"}}}`
	noForward       = `{sysctl: {keys: [net.ipv4.ip_forward], expect: {value: 0}}}`
	noneUsable      = `{account: {where: {name: ana, password: usable}, count: 0}}`
	anaLocked       = `{account: {where: {name: ana}, expect: {password: {one_of: [locked, disabled]}}}}`
	noneEmpty       = `{account: {where: {password: empty}, count: 0}}`
)

// quality gives what a file says about passwords.
func quality(text string) files { return files{"etc/security/pwquality.conf": text} }

// sshd gives what sshd is told.
func sshd(text string) files { return files{"etc/ssh/sshd_config": text} }

// password gives the accounts with what stands for ana's password.
func password(field string) files {
	return files{"etc/shadow": "0640:root:$y$j9T$a$b:20000:0:90:7:30::\ndaemon:*:19000:0:99999:7:::\nana:" + field + ":20000:1:60:7:::\n"}
}

// knownTraps are those that this project promises to know.
var knownTraps = []trap{
	{"modes are bits and not numbers: 0604 against a limit of 0640", plainHost, cases{
		"0604 has a bit that 0640 has not": {shadow, files{"etc/shadow": "0604:"}, Fail},
		"0640 is the limit":                {shadow, files{"etc/shadow": "0640:"}, Pass},
		"0600 has less":                    {shadow, files{"etc/shadow": "0600:"}, Pass},
		"0440 has less, and is no number":  {shadow, files{"etc/shadow": "0440:"}, Pass},
		"4640 has a bit that 0640 has not": {shadow, files{"etc/shadow": "4640:"}, Fail},
	}},
	{"numbers are not text: minlen = 14 against 8 and 85", plainHost, cases{
		"14 is more than 8":                {minlenAtLeast8, quality("minlen = 14\n"), Pass},
		"14 is less than 85":               {minlenAtLeast85, quality("minlen = 14\n"), Fail},
		"9 is less than 85":                {minlenAtLeast85, quality("minlen = 9\n"), Fail},
		"100 is more than 85":              {minlenAtLeast85, quality("minlen = 100\n"), Pass},
		"what is commented out is not set": {minlenAtLeast8, quality("# minlen = 14\n"), Fail},
	}},
	{"a setting inside a Match block", servedHost, cases{
		"is not the host's": {noRootLogin, sshd("Match Address 10.0.0.0/8\n  PermitRootLogin no\n"), Fail},
		"counts for some":   {noEmpty, sshd("PermitEmptyPasswords no\nMatch User backup\n  PermitEmptyPasswords yes\n"), Fail},
		"that ends before":  {noRootLogin, sshd("Match User backup\n  X11Forwarding no\nMatch all\nPermitRootLogin no\n"), Pass},
	}},
	{"duplicate keys", servedHost, cases{
		"the last one counts in pwquality":         {minlenAtLeast8, quality("minlen = 6\nminlen = 14\n"), Pass},
		"also where it is the wrong one":           {minlenAtLeast8, quality("minlen = 14\nminlen = 6\n"), Fail},
		"the first one counts in sshd_config":      {noRootLogin, sshd("PermitRootLogin no\nPermitRootLogin yes\n"), Pass},
		"also where it is the wrong one, in sshd":  {noRootLogin, sshd("PermitRootLogin yes\nPermitRootLogin no\n"), Fail},
		"the last one counts for the next start":   {noForward, files{"etc/sysctl.d/10-a.conf": "net.ipv4.ip_forward = 0\nnet.ipv4.ip_forward = 1\n"}, Fail},
		"two spellings of one key are one, sysctl": {noForward, files{"etc/sysctl.d/10-a.conf": "net.ipv4.ip_forward = 1\nnet/ipv4/ip_forward = 0\n"}, Pass},
		"two spellings of one key are one, sshd":   {noRootLogin, sshd("permitrootlogin yes\nPermitRootLogin no\n"), Fail},
	}},
	{"CRLF", servedHost, cases{
		"a number":         {minlenAtLeast8, quality("minclass = 3\r\nminlen = 14\r\n"), Pass},
		"a wrong number":   {minlenAtLeast85, quality("minclass = 3\r\nminlen = 14\r\n"), Fail},
		"a word":           {noRootLogin, sshd("Port 22\r\nPermitRootLogin no\r\n"), Pass},
		"a wrong word":     {noRootLogin, sshd("Port 22\r\nPermitRootLogin yes\r\n"), Fail},
		"the end of lines": {`{line: {files: /etc/issue.net, pattern: '^Authorized users only$'}}`, files{"etc/issue.net": "Authorized users only\r\n"}, Pass},
		"a kernel setting": {noForward, files{"etc/sysctl.d/10-a.conf": "net.ipv4.ip_forward = 0\r\n"}, Pass},
	}},
	{"a value set by a later drop-in", servedHost, cases{
		"of pwquality, looser":            {minlenAtLeast8, quality("minlen = 14\n").with(files{"etc/security/pwquality.d/50.conf": "minlen = 6\n"}), Fail},
		"of pwquality, stricter":          {minlenAtLeast8, quality("minlen = 6\n").with(files{"etc/security/pwquality.d/50.conf": "minlen = 14\n"}), Pass},
		"of two the later":                {minlenAtLeast8, quality("").with(files{"etc/security/pwquality.d/50.conf": "minlen = 14\n", "etc/security/pwquality.d/60.conf": "minlen = 6\n"}), Fail},
		"of sysctl, from another place":   {noForward, files{"usr/lib/sysctl.d/20-b.conf": "net.ipv4.ip_forward = 1\n"}, Fail},
		"of sysctl, hidden by its name":   {noForward, files{"usr/lib/sysctl.d/10-a.conf": "net.ipv4.ip_forward = 1\n"}, Pass},
		"of sshd comes too late":          {noRootLogin, sshd("PermitRootLogin no\nInclude /etc/ssh/sshd_config.d/*.conf\n").with(files{"etc/ssh/sshd_config.d/10.conf": "PermitRootLogin yes\n"}), Pass},
		"of sshd that is included before": {noRootLogin, sshd("Include /etc/ssh/sshd_config.d/*.conf\nPermitRootLogin no\n").with(files{"etc/ssh/sshd_config.d/10.conf": "PermitRootLogin yes\n"}), Fail},
	}},
	{"an account locked with ! and with *", plainHost, cases{
		"! before a hash":                    {noneUsable, password("!$6$a$b"), Pass},
		"! alone":                            {anaLocked, password("!"), Pass},
		"!! as useradd writes":               {anaLocked, password("!!"), Pass},
		"*":                                  {anaLocked, password("*"), Pass},
		"!*":                                 {anaLocked, password("!*"), Pass},
		"neither is a password to age, with": {maxDays, password("!").with(files{"etc/shadow": "0640:root:$y$a:1:1:90:::\nana:!$6$a$b:1:0:99999:7:::\ndaemon:*:1:0:99999:7:::\n"}), Pass},
		"nor is it an empty one, !":          {noneEmpty, password("!"), Pass},
		"nor is it an empty one, *":          {noneEmpty, password("*"), Pass},
		"a hash is usable":                   {noneUsable, password("$6$a$b"), Fail},
		"nothing is empty and not locked":    {noneEmpty, password(""), Fail},
	}},
}

func TestKnownTraps(t *testing.T) {
	for _, trap := range knownTraps {
		t.Run(trap.name, func(t *testing.T) { trap.cases.run(t, trap.host) })
	}
}
