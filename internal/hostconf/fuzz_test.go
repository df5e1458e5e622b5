// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
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
		"ID=debian\nID_LIKE=\"a b\"\n",
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
		parseDpkg(text)
		parseRelease([]byte(text))
		m := &modules{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]Place{}, map[string]Place{}}
		m.configure(content(continued(lines), "#"))
	})
}
