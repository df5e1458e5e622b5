// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"testing"
)

// servedHost is a host with services.
var servedHost = plainHost.with(files{
	"etc/ssh/sshd_config":                                 "Include /etc/ssh/sshd_config.d/*.conf\nPort 22\npermitrootlogin yes\nMaxStartups 10:30:60\nLoginGraceTime 1m\nAllowUsers a\nMatch User backup\n  PermitEmptyPasswords yes\nMatch all\n",
	"etc/ssh/sshd_config.d/10.conf":                       "PermitRootLogin NO\nMatch Address 10.0.0.0/8\n PasswordAuthentication no\n",
	"etc/ssh/sshd_config.d/20.conf":                       "PermitRootLogin prohibit-password\nCiphers aes256-gcm@openssh.com,aes128-ctr\n",
	"etc/pam.d/login":                                     "auth [success=1 default=ignore] pam_unix.so nullok # old\nauth requisite pam_deny.so\n@include common-account\n-password optional /lib/security/pam_x.so use_authtok\nauth include second\n",
	"etc/pam.d/common-account":                            "account required pam_faillock.so deny=3\n",
	"etc/pam.d/second":                                    "auth required pam_oath.so\naccount required pam_permit.so\n",
	"etc/sudoers":                                         "Defaults use_pty, logfile=\"/var/log/sudo,a.log\"\nDefaults:ana !authenticate\nroot ALL=(ALL:ALL) ALL\nUser_Alias OPS = ana\n@includedir /etc/sudoers.d\n# comment\n",
	"etc/sudoers.d/10":                                    "ana ALL = (root) \\\n  NOPASSWD: /bin/ls\n",
	"etc/sudoers.d/20.bak":                                "eve ALL=(ALL) ALL\n",
	"etc/profile":                                         "if [ a ]; then\n  umask 022\nfi\n# TMOUT=1\nreadonly TMOUT=600 ; export TMOUT\nHISTSIZE=10\n",
	"etc/profile.d/z.sh":                                  "umask 0077\n",
	"usr/lib/systemd/system/ssh.service":                  "[Unit]\n",
	"etc/systemd/system/multi.wants/a.socket":             "-> /usr/lib/systemd/system/a.socket",
	"usr/lib/systemd/system/a.socket":                     "[Socket]\n",
	"etc/systemd/system/b.service":                        "-> /dev/null",
	"sys/fs/cgroup/system.slice/ssh.service/cgroup.procs": "1\n",
	"etc/audit/rules.d/a.rules":                           "-w /etc/passwd -p rwa -k id\n-a exit,always -F arch=b64 -S adjtimex -S settimeofday -k t\n-a always,exit -F arch=b64 -S clock_settime -F auid!=4294967295 -F key=t\n-a always,exit -F path=/etc/shadow -F perm=wa\n",
	"proc/cmdline":                                        "quiet audit=1 audit=0\n",
	"boot/grub/grub.cfg":                                  "menuentry {\n linux /vmlinuz audit=1\n linux /vmlinuz single\n}\n",
	"proc/net/tcp":                                        "  sl  local_address rem_address   st\n   0: 00000000:0016 00000000:0000 0A 0\n   1: 0100007F:1F90 00000000:0000 0A 0\n   2: 0100007F:9999 0100007F:0016 01 0\n",
	"proc/net/tcp6":                                       "   0: 00000000000000000000000001000000:0017 0:0 0A\n",
	"proc/net/udp":                                        "   0: 00000000:0035 00000000:0000 07 0\n",
	"proc/7/comm":                                         "clamd\n",
	"proc/7/exe":                                          "-> /usr/sbin/clamd",
	"sys/kernel/security/apparmor/profiles":               "/usr/bin/man (enforce)\nlsb (complain)\n",
	"home/ana/.bash_history":                              "0644:",
	"home/ana/.ssh/id":                                    "0600:",
})

func TestTableOfSSHD(t *testing.T) {
	cases{
		"the first setting counts":        {`{sshd: {keys: [PermitRootLogin], expect: {value: "no"}}}`, nil, Pass},
		"the host without its Match":      {`{sshd: {keys: [permitemptypasswords], where: {match: ""}, expect: {value: "no"}}}`, nil, Pass},
		"a Match ends with its file":      {`{sshd: {keys: [ciphers], where: {match: ""}, expect: {words: {excludes: [aes128-cbc]}}}}`, nil, Pass},
		"a default":                       {`{sshd: {keys: [MaxAuthTries], expect: {value: {max: 6}}}}`, nil, Pass},
		"algorithms by default":           {`{sshd: {keys: [MACs], expect: {words: {excludes: [umac-64@openssh.com]}}}}`, nil, Fail},
		"algorithms without some":         {`{sshd: {keys: [MACs], expect: {words: {excludes: [umac-64@openssh.com], contains: [hmac-sha2-256]}}}}`, files{"etc/ssh/sshd_config": "MACs -umac-*,hmac-sha1*\n"}, Pass},
		"algorithms beside the default":   {`{sshd: {keys: [Ciphers], expect: {words: {contains: [aes128-cbc, aes128-ctr]}}}}`, files{"etc/ssh/sshd_config": "Ciphers +aes128-cbc\n"}, Pass},
		"algorithms before the default":   {`{sshd: {keys: [Ciphers], expect: {words: {contains: [aes128-cbc, aes128-ctr]}}}}`, files{"etc/ssh/sshd_config": "Ciphers ^aes128-cbc\n"}, Pass},
		"no default":                      {`{sshd: {keys: [DenyUsers], expect: {value: {set: true}}}}`, nil, Fail},
		"minutes are seconds":             {`{sshd: {keys: [LoginGraceTime], expect: {value: 60}}}`, nil, Pass},
		"parts of MaxStartups":            {`{sshd: {keys: [MaxStartups], expect: {begin: {max: 10}, rate: {max: 30}, full: {max: 60}}}}`, nil, Pass},
		"files that include each other":   {`{sshd: {keys: [Port]}}`, files{"etc/ssh/sshd_config": "Include sshd_config\n"}, Failure},
		"no sshd is an error and no pass": {`{sshd: {keys: [Port]}}`, files{"etc/ssh/sshd_config": "none"}, Failure},
	}.run(t, servedHost)
}

// TestUnitsThatCannotBeLookedFor has a directory of units that leads to itself: nobody knows what would be in it.
func TestUnitsThatCannotBeLookedFor(t *testing.T) {
	cases{
		"it could be there":     {`{unit: {names: [a.service], expect: {exists: true}}}`, nil, Failure},
		"it could not be there": {`{unit: {names: [a.service], expect: {exists: false}}}`, nil, Failure},
	}.run(t, plainHost.with(files{"etc/systemd/system": "-> system"}))
}

func TestTablesOfAuthentication(t *testing.T) {
	cases{
		"PAM":                  {`{pam: {services: [login], module: pam_unix.so, expect: {options: {excludes: [nullok]}}}}`, nil, Fail},
		"PAM control":          {`{pam: {services: [login], module: pam_unix.so, where: {control: "success=1 default=ignore"}}}`, nil, Pass},
		"PAM @include":         {`{pam: {services: [login], module: pam_faillock.so, where: {type: account}, expect: {args: {contains: [deny=3]}}}}`, nil, Pass},
		"PAM include of auth":  {`{pam: {services: [login], module: pam_oath.so, where: {type: auth}}}`, nil, Pass},
		"PAM and no more":      {`{pam: {services: [login], module: pam_permit.so, count: 0}}`, nil, Pass},
		"PAM by directory":     {`{pam: {services: [login], module: pam_x.so, where: {type: password}}}`, nil, Pass},
		"PAM of nobody":        {`{pam: {services: [none], module: pam_x.so}}`, nil, Fail},
		"PAM that is broken":   {`{pam: {services: [login]}}`, files{"etc/pam.d/login": "auth required\n"}, Failure},
		"sudo default":         {`{sudo: {where: {kind: default, name: use_pty, negated: false}}}`, nil, Pass},
		"sudo value":           {`{sudo: {where: {kind: default, name: logfile}, expect: {value: "/var/log/sudo,a.log"}}}`, nil, Pass},
		"sudo negated":         {`{sudo: {where: {name: authenticate, negated: true, who: ana}, count: 1}}`, nil, Pass},
		"sudo included":        {`{sudo: {where: {kind: grant, nopasswd: true, who: ana}, count: 1}}`, nil, Pass},
		"sudo file with a dot": {`{sudo: {where: {who: eve}, count: 0}}`, nil, Pass},
		"sudo aliases":         {`{sudo: {where: {kind: grant}, count: 2}}`, nil, Pass},
		"shell":                {`{shell: {name: TMOUT, expect: {value: {max: 900}, readonly: true}}}`, nil, Pass},
		"shell is overwritten": {`{shell: {name: TMOUT, expect: {value: {max: 900}}}}`, files{"etc/profile.d/a.sh": "export TMOUT=9000\n"}, Fail},
		"shell not readonly":   {`{shell: {name: HISTSIZE, expect: {readonly: true}}}`, nil, Fail},
		"umask":                {`{shell: {name: umask, expect: {bits: {bits: 0027}}}}`, nil, Fail},
		"umask of one":         {`{shell: {name: umask, expect: {bits: {bits: 0027}}, some: true}}`, nil, Pass},
		"homes":                {`{home: {names: [".*history"], where: {account: ana}, expect: {mode: {at_most: 0600}}}}`, nil, Fail},
		"keys in homes":        {`{home: {names: [".ssh/*"], expect: {mode: {at_most: 0600}}}}`, nil, Pass},
	}.run(t, servedHost)
}

// bootEntries are as RHEL 8 has them; the one for rescue does not count.
var bootEntries = files{"boot/grub2/grubenv": "# GRUB Environment Block\nkernelopts=ro audit=1 quiet\n###",
	"boot/loader/entries/1.conf": "title a\noptions $kernelopts $tuned_params\n", "boot/loader/entries/2.conf": "options ro audit=1\n",
	"boot/loader/entries/0-rescue.conf": "options ro\n"}

func TestTablesOfServices(t *testing.T) {
	cases{
		"unit":                    {`{unit: {names: [ssh.service], expect: {exists: true, enabled: false, active: true}}}`, nil, Pass},
		"unit that is wanted":     {`{unit: {names: [a.socket], expect: {enabled: true}}}`, nil, Pass},
		"socket's activity":       {`{unit: {names: [a.socket], expect: {active: {set: false}}}}`, nil, Pass},
		"who knows if it is so":   {`{unit: {names: [a.socket], expect: {active: true}}}`, nil, Failure},
		"or is not so":            {`{unit: {names: [a.socket], expect: {active: false}}}`, nil, Failure},
		"unit that is masked":     {`{unit: {names: [b.service], expect: {masked: true, enabled: false}}}`, nil, Pass},
		"no unit":                 {`{unit: {names: [c.service], expect: {exists: false, enabled: false}}}`, nil, Pass},
		"audit watch":             {`{audit: {rules: [-w /etc/passwd -p wa], expect: {present: true}}}`, nil, Pass},
		"audit watch as a rule":   {`{audit: {rules: [-w /etc/shadow -p wa], expect: {present: true}}}`, nil, Pass},
		"audit permissions":       {`{audit: {rules: [-w /etc/shadow -p rwa], expect: {present: true}}}`, nil, Fail},
		"audit calls":             {`{audit: {rules: ["-a always,exit -F arch=b64 -S settimeofday,adjtimex"], expect: {present: true}}}`, nil, Pass},
		"audit call that lacks":   {`{audit: {rules: ["-a always,exit -F arch=b64 -S adjtimex,stime"], expect: {present: true}}}`, nil, Fail},
		"audit of other fields":   {`{audit: {rules: ["-a always,exit -F arch=b64 -S clock_settime"], expect: {present: true}}}`, nil, Fail},
		"audit without login":     {`{audit: {rules: ["-a always,exit -F arch=b64 -F auid!=unset -S clock_settime"], expect: {present: true}}}`, nil, Pass},
		"audit of setuid files":   {`{audit: {rules: ["-a always,exit -F path={} -F perm=x"], expect: {present: true}}}`, files{"usr/bin/a": "4755:", "etc/audit/rules.d/b.rules": "-a always,exit -F path=/usr/bin/a -F perm=x\n"}, Pass},
		"audit of all of them":    {`{audit: {rules: ["-a always,exit -F path={} -F perm=x"], expect: {present: true}}}`, files{"usr/bin/a": "4755:", "usr/bin/b": "4755:", "etc/audit/rules.d/b.rules": "-a always,exit -F path=/usr/bin/a -F perm=x\n"}, Fail},
		"boot":                    {`{boot: {names: [audit], where: {from: menu}, expect: {value: 1}}}`, nil, Pass},
		"boot's last value":       {`{boot: {names: [audit], where: {from: running}, expect: {value: 0}}}`, nil, Pass},
		"boot's entries share":    {`{boot: {names: [audit], where: {from: menu}, expect: {value: 1}}}`, bootEntries, Pass},
		"boot's other entry":      {`{boot: {names: [quiet], where: {from: menu}, expect: {value: {set: true}}}}`, bootEntries, Fail},
		"sockets":                 {`{socket: {where: {protocol: tcp, loopback: false}, expect: {port: 22}}}`, nil, Pass},
		"socket on loopback":      {`{socket: {where: {loopback: true, port: {one_of: ["23", "8080"]}}, count: 2}}`, nil, Pass},
		"datagrams":               {`{socket: {where: {port: 53}, expect: {protocol: udp, address: 0.0.0.0}}}`, nil, Pass},
		"sockets are not known":   {`{socket: {count: 0}}`, files{"proc/net/udp": "none"}, Failure},
		"sockets that are broken": {`{socket: {count: 0}}`, files{"proc/net/tcp6": " 0: XX:0017 0:0 0A\n"}, Failure},
		"firewall of files":       {`{firewall: {count: 0}}`, nil, Failure},
		"process":                 {`{process: {where: {name: clamd}, expect: {executable: /usr/sbin/clamd}}}`, nil, Pass},
		"no process":              {`{process: {where: {name: falco}}}`, nil, Fail},
		"none of some processes":  {`{process: {where: {name: falco}, expect: {executable: {set: true}}, some: true}}`, nil, Fail},
		"processes are not known": {`{process: {count: 0}}`, files{"proc/7/comm": "none", "proc/7/exe": "none"}, Failure},
		"AppArmor":                {`{apparmor: {where: {mode: enforce}, count: 1}}`, nil, Pass},
		"AppArmor that is broken": {`{apparmor: {count: 0}}`, files{"sys/kernel/security/apparmor/profiles": "x\n"}, Failure},
	}.run(t, servedHost)
}
