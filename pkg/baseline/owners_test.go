// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// nameless is a host whose owners have no names, as in images of containers that hold one program. What is below /srv is not root's, all
// else belongs to whoever runs the test.
func nameless(t *testing.T, f files) string {
	root := f.with(files{"srv/shared": "0640:", "etc/passwd": "none", "etc/shadow": "none", "etc/group": "none"}).host(t)
	if os.Getuid() == 0 {
		require.NoError(t, os.Chown(filepath.Join(root, "srv/shared"), 1234, 42))
	}
	return root
}

func TestOwnersWithoutNames(t *testing.T) {
	mine := passIf(os.Getuid() == 0) // root's files are root's without a name
	cases{
		"a mode":                          {`{file: {paths: [/srv/shared], expect: {mode: {at_most: 0640}}}}`, nil, Pass},
		"a wrong mode":                    {`{file: {paths: [/srv/shared], expect: {mode: {at_most: 0600}}}}`, nil, Fail},
		"root's":                          {`{file: {paths: [/etc/os-release], expect: {owner: root, group: root}}}`, nil, mine},
		"root's among others":             {`{file: {paths: [/etc/os-release], where: {exists: true}, expect: {owner: {none_of: [root]}}}}`, nil, negated(mine)},
		"a number is not root":            {`{file: {paths: [/srv/shared], expect: {owner: root}}}`, nil, Fail},
		"nor of root's group":             {`{file: {paths: [/srv/shared], expect: {group: {not: root}}}}`, nil, Pass},
		"a number may have another name":  {`{file: {paths: [/srv/shared], expect: {group: {one_of: [root, shadow]}}}}`, nil, Failure},
		"or not":                          {`{file: {paths: [/srv/shared], expect: {group: {not: shadow}}}}`, nil, Failure},
		"or one by a pattern":             {`{file: {paths: [/srv/shared], expect: {owner: {matches: '^r'}}}}`, nil, Failure},
		"to choose by a name":             {`{file: {paths: [/srv/shared], where: {owner: ana}, count: 0}}`, nil, Failure},
		"to choose by root's":             {`{file: {paths: [/srv/shared], where: {owner: root}, count: 0}}`, nil, Pass},
		"a mode is wrong whatever name":   {`{file: {paths: [/srv/shared], expect: {mode: 0600, group: shadow}}}`, nil, Fail},
		"one is right whatever name":      {`{file: {paths: [/srv/shared, /etc/none], where: {exists: true}, expect: {group: {set: true}}, some: true}}`, nil, Pass},
		"accounts are missing":            {`{account: {where: {uid: 0}, count: 1}}`, nil, Failure},
		"accounts of audit rules":         {`{audit: {rules: ['-w /etc/a -p wa'], where: {from: files}, expect: {present: true}}}`, files{"etc/audit/rules.d/a.rules": "-a always,exit -F path=/etc/a -F perm=wa -F auid=ana\n"}, Failure},
		"root of audit rules":             {`{audit: {rules: ['-a always,exit -F path=/a -F perm=wa -F auid=0'], where: {from: files}, expect: {present: true}}}`, files{"etc/audit/rules.d/a.rules": "-a always,exit -F path=/a -F perm=wa -F auid=root\n"}, Pass},
		"audit rules of all":              {`{audit: {rules: ['-w /etc/a -p wa'], where: {from: files}, expect: {present: true}}}`, files{"etc/audit/rules.d/a.rules": "-w /etc/a -p wa\n"}, Pass},
		"files that everybody may write":  {`{walk: {where: {world_writable: true}, count: 0}}`, files{"srv/open": "0666:"}, Fail},
		"no files that everybody writes":  {`{walk: {where: {world_writable: true}, count: 0}}`, nil, Pass},
		"files of nobody":                 {`{walk: {where: {no_owner: true}, count: 0}}`, nil, Failure},
		"files of no group":               {`{walk: {where: {no_group: true}, count: 0}}`, nil, Failure},
		"all that is found":               {`{walk: {count: 0}}`, nil, Failure},
		"an owner of a directory in PATH": {`{path: {where: {exists: true}, expect: {owner: root}}}`, files{"etc/environment": "PATH=/etc\n"}, mine},
	}.runOn(t, func(t *testing.T, changes files) string { return nameless(t, plainHost.with(changes)) })
}

func TestAnOwnerWithoutANameTellsWhy(t *testing.T) {
	got := judge(t, nameless(t, plainHost), `{file: {paths: [/srv/shared], expect: {group: {one_of: [root, shadow]}}}}`)
	assert.Equal(t, Failure, got.Verdict)
	assert.Regexp(t, `^/srv/shared: group: reading accounts: .*/etc/group: no such file or directory$`, got.Reason)
	assert.Empty(t, got.Evidence)

	got = judge(t, nameless(t, plainHost), `{file: {paths: [/srv/shared], expect: {mode: 0600, group: shadow}}}`)
	assert.Equal(t, Fail, got.Verdict)
	require.Len(t, got.Evidence, 1, "of what is not known nothing is said")
	assert.Equal(t, "mode", got.Evidence[0].Field)
	assert.Empty(t, got.Reason)
}
