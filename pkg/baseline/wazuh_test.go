// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
)

const scaHead = `policy:
  id: "Own_Policy 1"
  name: Own policy
  regex_type: pcre2
variables:
  $log: /etc/passwd
  $login: /etc/login.defs,/etc/none
  $login_too: /etc/passwd
requirements:
  title: It is Debian
  condition: any
  rules: ["f:/etc/os-release -> r:^ID=debian"]
checks:
`

// sca gives a policy with one check of these rule strings.
func sca(condition string, rules ...string) string {
	text := scaHead + "  - id: 1000\n    title: One\n    rationale: Why.\n    compliance: [{cis: [\"1.2\"]}, {pci_dss: [\"2.2.4\", \"2.3\"]}]\n    condition: " + condition + "\n    rules:\n"
	for _, r := range rules {
		text += "      - " + strconv.Quote(r) + "\n"
	}
	return text
}

func judgeSCA(t *testing.T, root, policy string, programs ...string) *Result {
	file, err := Parse("sca.yml", []byte(policy))
	require.NoError(t, err)
	b, err := (&Set{Templates: file.Templates}).Resolve("own_policy-1", nil)
	require.NoError(t, err)
	report, err := Scan(t.Context(), b, Options{Root: root, Programs: programs})
	require.NoError(t, err)
	require.Len(t, report.Results, 1)
	return report.Results[0]
}

func TestWazuhRules(t *testing.T) {
	root := plainHost.with(files{"etc/cron.d/job": "* * * * * root x\n", "proc/7/comm": "telnetd\n"}).host(t)
	for name, tc := range map[string]struct {
		condition string
		rules     []string
		want      Verdict
	}{
		"a line":                              {"all", []string{`f:/etc/login.defs -> r:^\s*PASS_MAX_DAYS`}, Pass},
		"no such line":                        {"all", []string{`f:/etc/login.defs -> r:^NONE`}, Fail},
		"not":                                 {"all", []string{`not f:/etc/login.defs -> r:^NONE`}, Pass},
		"all terms on one line":               {"all", []string{`f:/etc/login.defs -> !r:^# && r:ageing`}, Fail},
		"the line itself":                     {"all", []string{`f:/etc/login.defs -> UID_MIN 1000`}, Pass},
		"not the whole line":                  {"all", []string{`f:/etc/login.defs -> UID_MIN`}, Fail},
		"a number at most":                    {"all", []string{`f:/etc/login.defs -> n:^PASS_MAX_DAYS\s+(\d+) compare <= 90`}, Pass},
		"a number below":                      {"all", []string{`f:/etc/login.defs -> n:^PASS_MAX_DAYS\s+(\d+) compare < 90`}, Fail},
		"a number above":                      {"all", []string{`f:/etc/login.defs -> r:DAYS && n:^PASS_MAX_DAYS\s+(\d+) compare > 89`}, Pass},
		"a number that differs":               {"all", []string{`f:/etc/login.defs -> n:^PASS_MAX_DAYS\s+(\d+) compare != 90`}, Fail},
		"variables, and files that are none":  {"all", []string{`f:$login -> r:^UID_MIN`}, Pass},
		"a variable that begins like another": {"all", []string{`f:$login_too -> r:^root:`, `f:$log -> r:^root:`, `f:$login -> r:^UID_MIN`}, Pass},
		"NOT":                                 {"all", []string{`NOT f:/etc/none`}, Pass},
		"a file":                              {"all", []string{`f:/etc/passwd`}, Pass},
		"a file that is not there":            {"all", []string{`f:/etc/none`}, Fail},
		"a directory":                         {"all", []string{`d:/etc`}, Pass},
		"no directory":                        {"all", []string{`d:/etc/passwd`}, Fail},
		"a name in a directory":               {"all", []string{`d:/etc -> r:^job$`}, Pass},
		"a name nowhere":                      {"all", []string{`d:/etc -> r:^jobs$`}, Fail},
		"a line of files in a directory":      {"all", []string{`d:/etc/cron.d -> r:^job$ -> r:root`}, Pass},
		"of other files in a directory":       {"all", []string{`d:/etc/cron.d -> r:^other$ -> r:root`}, Fail},
		"a process":                           {"all", []string{`p:telnetd`}, Pass},
		"no process":                          {"none", []string{`p:sshd`}, Pass},
		"any":                                 {"any", []string{`f:/etc/none`, `f:/etc/passwd`}, Pass},
		"none":                                {"none", []string{`f:/etc/none`, `f:/etc/passwd`}, Fail},
		"a command that is not allowed":       {"all", []string{`c:/bin/echo a -> r:a`}, Failure},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tc.want, judgeSCA(t, root, sca(tc.condition, tc.rules...)).Verdict)
		})
	}
	other := plainHost.with(files{"etc/os-release": "ID=fedora\n"}).host(t)
	result := judgeSCA(t, other, sca("all", "f:/etc/passwd"))
	assert.Equal(t, NotApplicable, result.Verdict, "the requirements do not hold")
	assert.Equal(t, map[string][]string{"cis": {"1.2"}, "pci_dss": {"2.2.4", "2.3"}}, result.Rule.Maps)
	assert.Equal(t, "sca-1000", result.Rule.ID)
}

func TestWazuhCommands(t *testing.T) {
	ring.RequireOnHost(t)
	policy := strings.Replace(sca("all", `c:echo "two words" -> r:^two words$`), "ID=debian", "^", 1)
	refused := judgeSCA(t, "/", policy)
	assert.Equal(t, Failure, refused.Verdict)
	assert.Contains(t, refused.Reason, "is not allowed")
	assert.Equal(t, Pass, judgeSCA(t, "/", policy, "all").Verdict)
	assert.Equal(t, Failure, judgeSCA(t, "/", policy, "/bin/false").Verdict, "another program is allowed")
}

func TestWazuhMistakes(t *testing.T) {
	for rule, want := range map[string]string{
		"x:/etc":                               `sca.yml:20:9: found "x:/etc", expected f:, d:, p: or c:`,
		"nothing":                              `found "nothing", expected f:, d:, p: or c: and what it is about`,
		"f:etc/passwd":                         `found the path "etc/passwd", expected an absolute path`,
		"f:/etc/passwd -> r:(":                 `found "(", expected a regular expression`,
		"f:/etc/passwd -> n:(\\d) compare ~ 1": "expected an expression, compare, one of <= >= == != < >, and a number",
		"f:/a -> n:(a) compare > 1 && n:(b) compare > 2": "found two numbers that are compared",
	} {
		file, err := Parse("sca.yml", []byte(sca("all", rule, "f:/etc/passwd")))
		assert.ErrorContains(t, err, want, rule)
		require.Len(t, file.Templates, 1, "the rest of the policy is good")
		assert.Empty(t, file.Templates[0].Rules)
	}
	_, err := Parse("sca.yml", []byte(sca("most", "f:/etc/passwd")))
	assert.ErrorContains(t, err, `condition: found "most", expected all, any or none`)
	_, err = Parse("sca.yml", []byte("policy: {id: \"\"}\nchecks: []\n"))
	assert.ErrorContains(t, err, "policy.id: found")
}

func TestOSRegex(t *testing.T) {
	for expr, tc := range map[string][2]string{
		`^\s*PermitRootLogin\s+no`: {"  permitrootlogin  NO", "xPermitRootLogin no"},
		`a.b`:                      {"a.b", "axb"},
		`a\.b`:                     {"axb", "ab"},
		`\d+$`:                     {"12", "a"},
		`(one|two)`:                {"two", "three"},
		`[x]*`:                     {"[x]*", "xxx"},
		`\p`:                       {"a;b", "ab"},
	} {
		compiled := regexp.MustCompile(fromOSRegex(expr))
		assert.True(t, compiled.MatchString(tc[0]), expr)
		assert.False(t, compiled.MatchString(tc[1]), expr)
	}
}

func TestWords(t *testing.T) {
	assert.Equal(t, []string{"sh", "-c", "a | b", "", "it's"}, words(`sh  -c 'a | b' "" "it's"`))
	assert.Empty(t, words("  "))
}

func FuzzWazuhRule(f *testing.F) {
	for _, rule := range []string{`f:/etc/a,/etc/b -> !r:^# && n:(\d+) compare <= 5`, `not d:/etc -> r:a -> b`, `c:sshd -T -> r:x`, "p:a"} {
		f.Add("all", rule)
	}
	f.Fuzz(func(t *testing.T, condition, rule string) {
		file, err := Parse("sca.yml", []byte(strings.Replace(sca(condition, rule), "pcre2", "osregex", 1)))
		var errs Errors
		if err != nil && !errors.As(err, &errs) {
			t.Fatalf("an error without a place: %v", err)
		}
		for _, template := range file.Templates {
			if _, err := (&Set{Templates: file.Templates}).Resolve(template.ID, nil); err != nil {
				t.Fatalf("accepted, but cannot be used: %v", err)
			}
		}
	})
}
