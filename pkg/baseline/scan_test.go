// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// files are a host's by path: the text, with "-> target" for a link, "d" for a directory, and the mode before it as "0640:".
type files map[string]string

// with gives the files with some of them different; "none" takes one away.
func (f files) with(others files) files {
	all := maps.Clone(f)
	maps.Copy(all, others)
	maps.DeleteFunc(all, func(_, text string) bool { return text == "none" })
	return all
}

// host writes a host's files below a directory and gives it.
func (f files) host(t testing.TB) string {
	root := t.TempDir()
	for path, text := range f {
		full := filepath.Join(root, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o755))
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			require.NoError(t, os.Symlink(target, full))
			continue
		}
		mode := "0644"
		if len(text) >= 5 && (text[0] == '0' || text[0] == '4') && text[4] == ':' {
			mode, text = text[:4], text[5:]
		}
		require.NoError(t, os.WriteFile(full, []byte(text), 0o600))
		bits := os.FileMode(octal(mode)) & os.ModePerm
		if mode[0] == '4' {
			bits |= os.ModeSetuid
		}
		require.NoError(t, os.Chmod(full, bits))
	}
	return root
}

// plainHost is what every host has.
var plainHost = files{
	"etc/os-release":                   "ID=debian\nVERSION_ID=\"12\"\n",
	"etc/passwd":                       "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/usr/sbin:/usr/sbin/nologin\nana:x:1000:1000::/home/ana:/bin/bash\n",
	"etc/shadow":                       "0640:root:$y$j9T$a$b:20000:0:90:7:30::\ndaemon:*:19000:0:99999:7:::\nana:$6$a$b:20000:1:60:7:::\n",
	"etc/group":                        "root:x:0:\ndaemon:x:1:\nana:x:1000:\nsudo:x:27:ana\n",
	"etc/login.defs":                   "# ageing\nPASS_MAX_DAYS\t90\nUID_MIN 1000\nENCRYPT_METHOD YESCRYPT\n",
	"proc/self/mounts":                 "/dev/sda1 / ext4 rw,relatime 0 0\ntmpfs /tmp tmpfs rw,nosuid,nodev 0 0\n",
	"proc/sys/kernel/ostype":           "Linux\n",
	"proc/sys/net/ipv4/ip_forward":     "0\n",
	"etc/sysctl.d/10-a.conf":           "net.ipv4.ip_forward = 0\n",
	"proc/modules":                     "ext4 1 0 - Live 0\n",
	"lib/modules/6.1/modules.dep":      "kernel/fs/cramfs/cramfs.ko:\nkernel/fs/udf/udf.ko.xz: x\nkernel/fs/ext4/ext4.ko:\n",
	"lib/modules/6.1/modules.builtin":  "kernel/fs/hfs/hfs.ko\n",
	"etc/modprobe.d/deny.conf":         "install cramfs /bin/false\nblacklist cramfs\ninstall udf /bin/true\n",
	"var/lib/dpkg/status":              "Package: sudo\nStatus: install ok installed\nVersion: 1.9.13\n\nPackage: telnetd\nStatus: deinstall ok config-files\nVersion: 1\n\n",
	"etc/security/pwquality.conf":      "# minlen = 8\nminlen = 14\nenforce_for_root\n",
	"etc/security/pwquality.d/00.conf": "minclass=3\r\n",
}

// judge gives the verdict of one check on a host.
func judge(t testing.TB, root, check string) *Result {
	file, err := Parse("x.yaml", []byte(ruleWith(check)))
	require.NoError(t, err)
	b, err := (&Set{Templates: file.Templates}).Resolve("x", nil)
	require.NoError(t, err)
	report, err := Scan(t.Context(), b, Options{Root: root})
	require.NoError(t, err)
	require.Len(t, report.Results, 1)
	return report.Results[0]
}

// cases are verdicts on plainHost with some files different.
type cases map[string]struct {
	check   string
	changes files
	want    Verdict
}

func (c cases) run(t *testing.T, host files) {
	c.runOn(t, func(t *testing.T, changes files) string { return host.with(changes).host(t) })
}

func (c cases) runOn(t *testing.T, host func(t *testing.T, changes files) (root string)) {
	for name, tt := range c {
		t.Run(name, func(t *testing.T) {
			got := judge(t, host(t, tt.changes), tt.check)
			assert.Equal(t, tt.want, got.Verdict, "%s %v", got.Reason, got.Evidence)
			if got.Verdict == Failure {
				assert.NotEmpty(t, got.Reason)
			} else {
				assert.NotEmpty(t, got.Evidence)
			}
		})
	}
}

const (
	minlen  = `{config: {files: [/etc/security/pwquality.conf, /etc/security/pwquality.d/*.conf], keys: [minlen], expect: {value: {min: %}}}}`
	shadow  = `{file: {paths: [/etc/shadow], expect: {mode: {at_most: 0640}}}}`
	maxDays = `{account: {where: {password: usable}, expect: {max_days: {max: 90, min: 1}}}}`
)

// tooLong is a link to a name that no file system has: what it leads to cannot be asked for, not even by root.
var tooLong = "-> /" + strings.Repeat("x", 300)

func TestTablesOfFiles(t *testing.T) {
	min := func(n string) string { return strings.Replace(minlen, "%", n, 1) }
	cases{
		"no number":                    {min("1"), files{"etc/security/pwquality.conf": "minlen = many\n"}, Fail},
		"not set":                      {min("0"), files{"etc/security/pwquality.conf": "# minlen = 14\n"}, Fail},
		"a key without a value":        {`{config: {files: /etc/security/pwquality.conf, keys: enforce_for_root, expect: {value: {set: true}}}}`, nil, Pass},
		"a default":                    {`{config: {files: /etc/none, keys: deny, default: 3, expect: {value: {max: 5}}}}`, nil, Pass},
		"a section":                    {`{config: {files: /etc/a.conf, section: A, keys: x, expect: {value: 1}}}`, files{"etc/a.conf": "[A]\nx=1\n[B]\nx=2\n"}, Pass},
		"mode":                         {shadow, nil, Pass},
		"a mode that is stricter":      {shadow, files{"etc/shadow": "0400:"}, Pass},
		"no file":                      {shadow, files{"etc/shadow": "none"}, Fail},
		"a link leads to the mode":     {shadow, files{"etc/shadow": "-> /etc/real", "etc/real": "0666:"}, Fail},
		"a link stays below the root":  {`{file: {paths: /a, expect: {exists: true}}}`, files{"a": "-> /proc/self/exe"}, Fail},
		"files by pattern":             {`{file: {paths: [/etc/security/*.conf], expect: {mode: {at_most: 0644}}}}`, nil, Pass},
		"no files by pattern":          {`{file: {paths: [/etc/none/*], expect: {mode: 0600}}}`, nil, Pass},
		"lines":                        {`{line: {files: /etc/login.defs, pattern: '^ENCRYPT_METHOD\s+(\S+)', expect: {group: {one_of: [YESCRYPT, SHA512]}}}}`, nil, Pass},
		"no lines":                     {`{line: {files: /etc/none, pattern: x, count: 0}}`, nil, Pass},
		"mount":                        {`{mount: {paths: [/tmp], expect: {options: {contains: [nodev, nosuid]}}}}`, nil, Pass},
		"mount lacks an option":        {`{mount: {paths: [/tmp], expect: {options: {contains: [nodev, noexec]}}}}`, nil, Fail},
		"not mounted":                  {`{mount: {paths: [/home], expect: {mounted: true}}}`, nil, Fail},
		"the upper mount counts":       {`{mount: {paths: [/tmp], expect: {type: ext4}}}`, files{"proc/self/mounts": "tmpfs /tmp tmpfs rw 0 0\n/dev/b /tmp ext4 rw 0 0\n"}, Pass},
		"fstab":                        {`{mount: {paths: [/tmp], expect: {persisted: true, persisted_options: {contains: [nodev]}}}}`, files{"etc/fstab": "tmpfs /tmp tmpfs nodev 0 0\n"}, Pass},
		"mounts are not known":         {`{mount: {paths: [/tmp], expect: {mounted: true}}}`, files{"proc/self/mounts": "none"}, Failure},
		"an error is not turned over":  {`{not: {mount: {paths: [/tmp], expect: {mounted: true}}}}`, files{"proc/self/mounts": "none"}, Failure},
		"any passes beside an error":   {`{any: [{mount: {paths: [/tmp]}}, {file: {paths: /etc/passwd}}]}`, files{"proc/self/mounts": "none"}, Pass},
		"all fails beside an error":    {`{all: [{mount: {paths: [/tmp]}}, {file: {paths: /a, expect: {exists: true}}}]}`, files{"proc/self/mounts": "none"}, Fail},
		"a number without an account":  {`{file: {paths: [/etc/shadow], expect: {owner: root}}}`, files{"etc/passwd": "root:x:4000000:0::/:/bin/sh\n"}, Fail},
		"what cannot be looked into":   {`{file: {paths: [/etc/odd/*], expect: {mode: 0600}}}`, files{"etc/odd": tooLong}, Failure},
		"nor among files":              {`{line: {files: ['/etc/odd*'], pattern: x, count: 0}}`, files{"etc/odd": tooLong}, Failure},
		"nor a home":                   {`{account: {where: {name: ana}, expect: {home_exists: false}}}`, files{"home/ana": tooLong}, Failure},
		"what is below a file":         {`{file: {paths: [/etc/passwd/a], expect: {exists: false}}}`, nil, Pass},
		"links in a circle":            {`{file: {paths: [/etc/odd/*], expect: {mode: 0600}}}`, files{"etc/odd": "-> /etc/odd"}, Pass},
		"a directory among files":      {`{config: {files: /etc/*, keys: PASS_MAX_DAYS, expect: {value: 90}}}`, nil, Pass},
		"a directory instead of files": {`{config: {files: /etc/security, keys: a}}`, nil, Failure},
	}.run(t, plainHost)
}

func TestEvidenceSaysWhatIsThere(t *testing.T) {
	got := judge(t, plainHost.with(files{"etc/shadow": "none"}).host(t), shadow)
	require.Len(t, got.Evidence, 1)
	assert.Equal(t, "not there", got.Evidence[0].Actual)
	assert.Equal(t, "不存在", got.Evidence[0].ActualIn("zh"))

	got = judge(t, plainHost.host(t), `{config: {files: /etc/security, keys: a}}`)
	assert.Equal(t, "reading settings: /etc/security: found a directory, expected a file", got.Reason)

	got = judge(t, plainHost.with(files{"proc/self/mounts": "none"}).host(t), `{mount: {paths: [/tmp]}}`)
	assert.Contains(t, got.Reason, "/proc/self/mounts: no such file or directory: only the running host can be asked, and this is another root directory")

	got = judge(t, plainHost.host(t), `{command: {run: [uname, -r], expect: {text: x}}}`)
	assert.Equal(t, "running uname: only the running host can be asked, and this is another root directory", got.Reason)
}

func TestTablesOfTheSystem(t *testing.T) {
	const lockDelay = `{dconf: {keys: [/a/b], some: true, expect: {value: {max: 5}, current: true}}}`
	const forward = `{sysctl: {keys: [net.ipv4.ip_forward], expect: {value: 0}}}`
	module := func(name string) string {
		return `{kmod: {names: [` + name + `], expect: {loaded: false, loadable: false}}}`
	}
	cases{
		"sysctl":                    {forward, nil, Pass},
		"sysctl runs otherwise":     {forward, files{"proc/sys/net/ipv4/ip_forward": "1\n"}, Fail},
		"sysctl in no file":         {forward, files{"etc/sysctl.d/10-a.conf": "none"}, Fail},
		"sysctl this kernel lacks":  {`{sysctl: {keys: [net.ipv6.x], expect: {value: 0}}}`, nil, NotApplicable},
		"sysctl without proc":       {forward, files{"proc/sys/kernel/ostype": "none", "proc/sys/net/ipv4/ip_forward": "none"}, Failure},
		"module":                    {module("cramfs"), nil, Pass},
		"module without blacklist":  {module("udf"), nil, Fail},
		"module that is built in":   {module("hfs"), nil, Fail},
		"module that nobody has":    {module("usb-storage"), nil, Pass},
		"module that is loaded":     {module("ext4"), nil, Fail},
		"no profile of a desktop":   {lockDelay, nil, Fail},
		"nothing is compiled":       {lockDelay, files{"etc/dconf/profile/user": "user-db:user\nsystem-db:a\n", "etc/dconf/db/a.d/x": "[a]\nb=5\n"}, Fail},
		"a type that is not read":   {lockDelay, files{"etc/dconf/profile/user": "system-db:a\n", "etc/dconf/db/a.d/x": "[a]\nb=[5]\n"}, Failure},
		"no database of dconf":      {lockDelay, files{"etc/dconf/profile/user": "system-db:a\n", "etc/dconf/db/a": "[a]\nb=5\n"}, Failure},
		"package":                   {`{package: {names: [sudo], expect: {installed: true}}}`, nil, Pass},
		"package that was removed":  {`{package: {names: [telnetd], expect: {installed: false}}}`, nil, Pass},
		"packages are not known":    {`{package: {names: [telnetd], expect: {installed: false}}}`, files{"var/lib/dpkg/status": "none"}, Failure},
		"not a check":               {`{not: {package: {names: [sudo], expect: {installed: true}}}}`, nil, Fail},
		"count":                     {`{account: {where: {uid: 0}, count: 1}}`, nil, Pass},
		"count is a number":         {`{account: {count: {min: 10}}}`, nil, Fail},
		"some":                      {`{package: {names: [sudo, none], expect: {installed: true}, some: true}}`, nil, Pass},
		"none of some":              {`{package: {names: [other, none], expect: {installed: true}, some: true}}`, nil, Fail},
		"what is absent is not":     {`{account: {where: {name: daemon}, expect: {hash: {not: md5}}}}`, nil, Fail},
		"what is absent is not set": {`{account: {where: {name: daemon}, expect: {hash: {set: false}}}}`, nil, Pass},
	}.run(t, plainHost)
}

func TestTablesOfAccounts(t *testing.T) {
	shadowOf := func(lines string) files { return files{"etc/shadow": lines} }
	cases{
		"ageing":              {maxDays, nil, Pass},
		"too long":            {maxDays, shadowOf("root:$y$a:20000:0:99999:7:::\ndaemon:*:1::::::\nana:!:1::::::\n"), Fail},
		"no end":              {maxDays, shadowOf("root:$y$a:20000:0::7:::\ndaemon:*:1::::::\nana:!:1::::::\n"), Fail},
		"empty":               {`{account: {where: {password: empty}, count: 0}}`, shadowOf("root::20000:0::7:::\ndaemon:*:1::::::\nana:*:1::::::\n"), Fail},
		"no shadow":           {`{account: {where: {password: missing}, count: 0}}`, files{"etc/shadow": "none"}, Fail},
		"second root":         {`{account: {where: {uid: 0, name: {not: root}}, count: 0}}`, files{"etc/passwd": "root:x:0:0::/:/bin/sh\ntoor:x:00:0::/:/bin/sh\n"}, Fail},
		"twice":               {`{account: {expect: {same_uid: 1, same_name: 1}}}`, files{"etc/passwd": "a:x:5:0::/:/bin/sh\nb:x:5:0::/:/bin/sh\n"}, Fail},
		"groups":              {`{group: {expect: {same_gid: 1, same_name: 1}}}`, nil, Pass},
		"members":             {`{group: {where: {name: sudo}, expect: {members: {only: [ana]}}}}`, nil, Pass},
		"group of an account": {`{account: {expect: {group_exists: true}}}`, files{"etc/group": "root:x:0:\n"}, Fail},
		"system account":      {`{account: {where: {system: true}, expect: {interactive: false}}}`, nil, Pass},
		"homes":               {`{account: {where: {interactive: true}, expect: {home_exists: true}}}`, nil, Fail},
		"a line that is cut":  {maxDays, files{"etc/passwd": "root:x:0\n"}, Failure},
		"hash":                {`{account: {where: {password: usable}, expect: {hash: {one_of: [yescrypt, sha512]}}}}`, nil, Pass},
	}.run(t, plainHost)
}

func TestTableOfTheWalk(t *testing.T) {
	me := files{"etc/passwd": fmt.Sprintf("me:x:%d:%d::/:/bin/sh\n", os.Getuid(), os.Getgid()), "etc/group": fmt.Sprintf("me:x:%d:\n", os.Getgid())}
	cases{
		"writable":         {`{walk: {where: {world_writable: true, type: file}, count: 0}}`, files{"srv/a": "0666:"}, Fail},
		"nothing":          {`{walk: {where: {world_writable: true, type: file}, count: 0}}`, nil, Pass},
		"without an owner": {`{walk: {where: {no_owner: true}, count: 0}}`, files{"etc/passwd": "other:x:4000000:1::/:/bin/sh\n"}, Fail},
	}.run(t, plainHost.with(me))
}

func scanEverything(t *testing.T, root string, o Options) *Report {
	b, err := everything(t).Resolve("base", nil)
	require.NoError(t, err)
	o.Root = root
	report, err := Scan(t.Context(), b, o)
	require.NoError(t, err)
	return report
}

func verdicts(r *Report) map[string]Verdict {
	all := map[string]Verdict{}
	for _, result := range r.Results {
		all[result.Rule.ID] = result.Verdict
	}
	return all
}

func TestRulesForRoles(t *testing.T) {
	file, err := Parse("x.yaml", []byte("template: x\ntitle: X\nrules:\n  - {id: r, title: R, applies: {role: [bastion, gateway]}, check: {file: {paths: [/etc/passwd]}}}\n"))
	require.NoError(t, err)
	b, err := (&Set{Templates: file.Templates}).Resolve("x", nil)
	require.NoError(t, err)
	root := plainHost.host(t)
	for _, tt := range []struct {
		roles []string
		want  Verdict
	}{{nil, NotApplicable}, {[]string{"web"}, NotApplicable}, {[]string{"web", "gateway"}, Pass}} {
		b.Roles = tt.roles
		report, err := Scan(t.Context(), b, Options{Root: root})
		require.NoError(t, err)
		assert.Equal(t, tt.want, report.Results[0].Verdict, "%v", tt.roles)
		judged, err := b.Judge(t.Context(), "r", root)
		require.NoError(t, err)
		assert.Equal(t, tt.want, judged.Verdict, "repairs judge by roles too")
		if tt.want == NotApplicable {
			assert.Contains(t, judged.Reason, "role bastion, gateway")
		}
	}
}

func TestEvidenceInChinese(t *testing.T) {
	assert.Equal(t, "未设置", Evidence{Field: "value", Actual: "not set"}.ActualIn("zh"))
	assert.Equal(t, "无", Evidence{Actual: "none"}.ActualIn("zh"))
	assert.Equal(t, "none", Evidence{Field: "value", Actual: "none"}.ActualIn("zh"), "what the host says stays")
	for name, o := range operators {
		assert.NotEmpty(t, o.describe.ZH, name)
	}
	e := Evidence{}.expecting(Condition{{"set", Operand{Items: []string{"false"}}}, {"max", Operand{Items: []string{"5"}}}}.describe())
	assert.Equal(t, "未设置，不大于 5", e.ExpectedIn("zh"))
	assert.Equal(t, "is not set, is at most 5", e.ExpectedIn("en"))
}

func TestScan(t *testing.T) {
	root := plainHost.host(t)
	report := scanEverything(t, root, Options{})
	assert.Equal(t, map[string]Verdict{"accounts.age": Pass, "packages.denied": Pass, "shadow.mode": Pass, "root.alone": Pass, "banner": Manual}, verdicts(report))
	assert.Equal(t, 4, report.Count(Pass))
	found := Evidence{Subject: "PASS_MAX_DAYS", Field: "value", Actual: "90", File: "/etc/login.defs", Line: 2, OK: true}
	assert.Contains(t, report.Results[0].Evidence, found.expecting(Text{"is at most 90, is at least 1", "不大于 90，不小于 1"}))
	assert.Equal(t, "阅读横幅。", scanEverything(t, root, Options{Language: "zh"}).Results[4].Reason)
}

func TestScanKeepsToWhatApplies(t *testing.T) {
	other := plainHost.with(files{"etc/os-release": "ID=anolis\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"8.9\"\n"})
	assert.Equal(t, NotApplicable, verdicts(scanEverything(t, other.host(t), Options{}))["packages.denied"])
	later := plainHost.with(files{"etc/os-release": "ID=debian\nVERSION_ID=\"13\"\n"})
	assert.Equal(t, NotApplicable, verdicts(scanEverything(t, later.host(t), Options{}))["packages.denied"])
	container := plainHost.with(files{".dockerenv": ""})
	assert.Equal(t, NotApplicable, verdicts(scanEverything(t, container.host(t), Options{}))["packages.denied"])
	unknown := plainHost.with(files{"etc/os-release": "none"})
	assert.Equal(t, Failure, verdicts(scanEverything(t, unknown.host(t), Options{}))["packages.denied"])
}

func TestScanSelects(t *testing.T) {
	root := plainHost.host(t)
	assert.Len(t, scanEverything(t, root, Options{Profile: "level2"}).Results, 4, "a rule without profiles is in all")
	assert.Equal(t, map[string]Verdict{"root.alone": Pass}, verdicts(scanEverything(t, root, Options{Rules: []string{"root.alone"}})))
	b, err := everything(t).Resolve("base", nil)
	require.NoError(t, err)
	_, err = Scan(t.Context(), b, Options{Root: root, Profile: "level3"})
	assert.ErrorContains(t, err, `found the profile "level3", expected one of the template base: level1, level2`)
	_, err = Scan(t.Context(), b, Options{Root: root, Rules: []string{"none"}})
	assert.ErrorContains(t, err, `found the rule "none"`)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Scan(ended, b, Options{Root: root})
	assert.ErrorIs(t, err, context.Canceled)
}

func TestWaivers(t *testing.T) {
	root := plainHost.with(files{"etc/shadow": "0666:"}).host(t)
	waivers := append(everything(t).Waivers, &Waiver{Rule: "root.alone", Expires: time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)},
		&Waiver{Rule: "gone", Template: "base"}, &Waiver{Rule: "elsewhere"})
	lastDay := time.Date(2030, 1, 31, 23, 59, 0, 0, time.UTC)
	report := scanEverything(t, root, Options{Waivers: waivers, Now: lastDay})
	assert.Equal(t, Waived, verdicts(report)["shadow.mode"])
	assert.Equal(t, "ciso", report.Results[2].Waiver.Approver)
	assert.Equal(t, Pass, verdicts(report)["root.alone"], "what passes needs no waiver")
	assert.Equal(t, []*Waiver{waivers[2]}, report.Stale)

	report = scanEverything(t, root, Options{Waivers: waivers, Now: lastDay.Add(time.Minute)})
	assert.Equal(t, Fail, verdicts(report)["shadow.mode"])
	assert.Equal(t, []*Waiver{waivers[0], waivers[2]}, report.Stale)
}

func TestEvidenceIsBounded(t *testing.T) {
	var passwd strings.Builder
	for range mostEvidence + 5 {
		passwd.WriteString("a:x:1:0::/:/bin/sh\n")
	}
	passwd.WriteString("root:x:0:0::/:/bin/sh\n")
	result := judge(t, plainHost.with(files{"etc/passwd": passwd.String()}).host(t), "{account: {expect: {uid: 1}}}")
	assert.Len(t, result.Evidence, mostEvidence)
	assert.Equal(t, 6, result.Omitted)
	assert.Equal(t, "account root", result.Evidence[0].Subject, "what is wrong comes first")
}
