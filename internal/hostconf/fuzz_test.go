// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// FuzzParsers gives the same bytes to each parser of a file. None may panic, and places are lines of the file.
func FuzzParsers(f *testing.F) {
	for _, seed := range []string{
		"root:x:0:0:root:/root:/bin/bash\nana:$6$a:5:5::/:/bin/sh\n+::::::\n", "root:!$y$a:1:2:3:4:5::\n", "a:x:1:b,c\n",
		"/dev/sda1 / ext4 rw 0 0\nx /a\\040b tmpfs nodev 0 0\n", "[A]\nkey = value\nkey value\nflag\nexport X='y'\r\n",
		"Package: a\nStatus: install ok installed\nVersion: 1\n\nPackage: b\n", "install cramfs /bin/false\nblacklist udf \\\nx\n",
		"ID=debian\nID_LIKE=\"a b\"\n", "auth [success=1 default=die] pam_x.so a=b # c\n@include x\n", "Defaults:a !b, c=\"d,e\"\na ALL=(b) NOPASSWD: c\n",
		"readonly TMOUT=1; export X='y'\numask 027\n", "-w /a -p wa\n-a exit,always -S a,b -F auid!=-1\n", " 0: 0100007F:0016 0:0 0A\n", "1m30s",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines := linesOf("/x", []byte(text))
		accounts, err := parseAccounts(lines, lines, lines)
		if err == nil {
			for _, a := range accounts.Users {
				assert.NotContains(t, a.Hash, "$")
			}
		}
		for _, m := range parseMounts(lines, lines) {
			assert.True(t, m.Mounted || m.Persisted)
		}
		for _, s := range parseSettings(lines) {
			assert.LessOrEqual(t, s.Place.Line, strings.Count(text, "\n")+1)
		}
		for _, line := range lines {
			if parsed, include, err := parsePAM(line); err == nil && include == "" {
				assert.Equal(t, path.Base(parsed.Module), parsed.Module)
			}
			parseSudoers(line)
			if rule, ok := ParseAuditRule(line.Text); ok && !strings.Contains(line.Text, "-p") {
				_, covered := AuditCovered([]AuditRule{rule}, rule)
				assert.True(t, covered, "a rule does what it does: %q", line.Text)
			}
			sshdSeconds("logingracetime", line.Text)
			algorithms("macs", line.Text)
		}
		parseShell(lines)
		if sockets, err := parseSockets(lines, "tcp"); err == nil {
			for _, s := range sockets {
				assert.True(t, s.Address.IsValid())
			}
		}
		parseDpkg(text)
		parseRelease([]byte(text))
		m := &modules{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]Place{}, map[string]Place{}}
		m.configure(content(continued(lines), "#"))
	})
}
