// SPDX-License-Identifier: Apache-2.0

package baseline

import "testing"

func TestTableOfRootsPath(t *testing.T) {
	const absolute = `{path: {where: {literal: true}, expect: {absolute: true}}}`
	const safe = `{path: {where: {exists: true}, expect: {type: directory, mode: {at_most: "0755"}}}}`
	const private = `{path: {where: {exists: true}, expect: {mode: {at_most: "0700"}}}}`
	cases{
		"no assignment":               {absolute, nil, Pass},
		"the directory one is in":     {absolute, files{"root/.profile": "PATH=/usr/bin:.\n"}, Fail},
		"nothing at the end":          {absolute, files{"root/.bashrc": "export PATH=\"$PATH:\"\n"}, Fail},
		"nothing in the middle":       {absolute, files{"etc/environment": "PATH=\"/bin::/sbin\"\n"}, Fail},
		"that of logins":              {absolute, files{"etc/login.defs": "ENV_SUPATH PATH=/sbin:bin\n"}, Fail},
		"what was there before":       {absolute, files{"etc/profile": "PATH=/sbin:$PATH:${PATH}\n"}, Pass},
		"home":                        {`{path: {where: {directory: /root/bin}, count: 1}}`, files{"root/.profile": "PATH=$PATH:$HOME/bin\n"}, Pass},
		"other variables":             {absolute, files{"etc/profile.d/a.sh": "PATH=$JAVA_HOME/bin:$PATH\n"}, Pass},
		"a comment":                   {absolute, files{"root/.profile": "# PATH=.\n"}, Pass},
		"a directory that others may": {private, files{"root/.profile": "PATH=/opt/bin\n", "opt/bin/x": ""}, Fail},
		"a file":                      {safe, files{"root/.profile": "PATH=/opt/bin\n", "opt/bin": "0755:"}, Fail},
		"a directory":                 {safe, files{"root/.profile": "PATH=/opt/bin:/none\n", "opt/bin/x": ""}, Pass},
	}.run(t, plainHost)
}
