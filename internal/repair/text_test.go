// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/hostconf"
)

func TestSetting(t *testing.T) {
	atMost90 := func(value string, present bool) bool { return present && len(value) == 2 && value <= "90" }
	for _, tt := range []struct {
		name, in string
		setting  setting
		want     string
	}{
		{"an empty file", "", setting{key: "a", value: "1"}, "a=1\n"},
		{"no end of line", "b=2", setting{key: "a", value: "1"}, "b=2\na=1\n"},
		{"spaced", "", setting{key: "a", value: "1", style: "spaced"}, "a = 1\n"},
		{"blank", "", setting{key: "a", value: "1", style: "blank"}, "a 1\n"},
		{"bare", "", setting{key: "a", style: "bare"}, "a\n"},
		{"another value", "a = 2\nb=1\n", setting{key: "a", value: "1"}, "a=1\nb=1\n"},
		{"the same value", "a  =  1\n", setting{key: "a", value: "1"}, "a  =  1\n"},
		{"of DOS", "a=2\r\nb=1\r\n", setting{key: "a", value: "1"}, "a=1\r\nb=1\r\n"},
		{"a comment is none", "#a=2\n;a=3\n", setting{key: "a", value: "1"}, "#a=2\n;a=3\na=1\n"},
		{"twice", "a=2\nb=1\na=3\n", setting{key: "a", value: "1"}, "a=1\nb=1\na=1\n"},
		{"twice, the last one good", "a=2\na=1\n", setting{key: "a", value: "1"}, "a=2\na=1\n"},
		{"a stricter one is kept", "a 60\n", setting{key: "a", value: "90", style: "blank", keeps: atMost90}, "a 60\n"},
		{"a looser one is not", "a 99\n", setting{key: "a", value: "90", style: "blank", keeps: atMost90}, "a 90\n"},
		{"a section", "[A]\na=2\n\n# of B\n[B]\na=3\n", setting{section: "A", key: "a", value: "1"}, "[A]\na=1\n\n# of B\n[B]\na=3\n"},
		{"a section without the key", "[A]\nb=2\n\n# of B\n[B]\na=3\n", setting{section: "A", key: "a", value: "1"}, "[A]\nb=2\na=1\n\n# of B\n[B]\na=3\n"},
		{"no section", "[B]\na=3\n", setting{section: "A", key: "a", value: "1"}, "[B]\na=3\n[A]\na=1\n"},
		{"a section without an end of line", "[A]", setting{section: "A", key: "a", value: "1"}, "[A]\na=1\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, tt.setting.in(tt.in))
			assert.Equal(t, tt.want, tt.setting.in(tt.want), "once is enough")
		})
	}
}

func TestLines(t *testing.T) {
	assert.Equal(t, "a\nb\nc\n", withLines("a\nb", []string{"b", "c", "c"}))
	assert.Equal(t, "a\n", withoutLines("a\nbad\r\n", regexp.MustCompile(`^bad$`)))
}

func TestPAMText(t *testing.T) {
	for _, tt := range []struct {
		name, in, want string
		add, remove    []string
	}{
		{"an option goes", "auth\t[success=1 default=ignore]\tpam_unix.so nullok try_first_pass # why\n", "auth\t[success=1 default=ignore]\tpam_unix.so try_first_pass # why\n", nil, []string{"nullok"}},
		{"the last option goes", "auth required pam_unix.so nullok\n", "auth required pam_unix.so\n", nil, []string{"nullok"}},
		{"an option with a value", "auth required /lib/security/pam_unix.so remember=5\n", "auth required /lib/security/pam_unix.so remember=9\n", []string{"remember=9"}, nil},
		{"an option comes", "-auth required pam_unix.so", "-auth required pam_unix.so sha512", []string{"sha512"}, nil},
		{"of another type", "account required pam_unix.so nullok\n", "account required pam_unix.so nullok\n", nil, []string{"nullok"}},
		{"a comment", "# auth required pam_unix.so nullok\n", "# auth required pam_unix.so nullok\n", nil, []string{"nullok"}},
		{"brackets stay whole", "auth required pam_unix.so [a=b c] nullok\n", "auth required pam_unix.so [a=b c]\n", nil, []string{"nullok"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, withPAMOptions(tt.in, "auth", "pam_unix.so", tt.add, tt.remove))
		})
	}
	assert.Equal(t, "# su\nauth required pam_wheel.so use_uid\nauth required pam_unix.so\n",
		withPAMLine("# su\nauth required pam_unix.so\n", "auth", "required", "pam_wheel.so", []string{"use_uid"}))
	assert.Equal(t, "account required pam_unix.so\nauth required pam_wheel.so\n", withPAMLine("account required pam_unix.so", "auth", "required", "pam_wheel.so", nil))
	assert.Equal(t, "auth required pam_wheel.so use_uid\n", withPAMLine("auth required pam_wheel.so\n", "auth", "required", "pam_wheel.so", []string{"use_uid"}))
}

func TestMountOptions(t *testing.T) {
	text, err := withMountOptions("# fstab\n/dev/tmp /tmp  ext4 defaults,exec 0 0\n", "/tmp", []string{"nodev", "noexec"})
	require.NoError(t, err)
	assert.Equal(t, "# fstab\n/dev/tmp /tmp  ext4 defaults,nodev,noexec 0 0\n", text)
	_, err = withMountOptions("#/dev/tmp /tmp ext4 defaults 0 0\n", "/tmp", []string{"nodev"})
	assert.ErrorContains(t, err, "found no line for /tmp")
}

func TestMerge(t *testing.T) {
	for _, tt := range []struct{ name, before, ours, current, want string }{
		{"nothing since", "a\nb\n", "a\nc\n", "a\nc\n", "a\nb\n"},
		{"lines after", "a\nb\n", "a\nc\n", "a\nc\nd\n", "a\nb\nd\n"},
		{"lines before", "a\nb\n", "a\nc\n", "x\na\nc\n", "x\na\nb\n"},
		{"added lines wherever they are", "a\n", "a\nb\n", "b\na\nc\n", "a\nc\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			merged, ok := merge(tt.before, tt.ours, tt.current)
			assert.True(t, ok)
			assert.Equal(t, tt.want, merged)
		})
	}
	for name, current := range map[string]string{"changed": "a\nd\n", "gone": "a\n"} {
		_, ok := merge("a\nb\n", "a\nc\n", current)
		assert.False(t, ok, name)
	}
	for name, current := range map[string]string{"twice": "a\nb\nb\n", "gone": "a\n"} {
		_, ok := merge("a\n", "a\nb\n", current)
		assert.False(t, ok, "an added line %s", name)
	}
}

func FuzzSetting(f *testing.F) {
	f.Add("[A]\na = 1\n#a=2\n", "A", "a", "3")
	f.Add("a\r\n", "", "a", "")
	f.Fuzz(func(t *testing.T, text, section, key, value string) {
		if strings.ContainsAny(key+section+value, " \t\r\n=[]\"'#;\v\f\u0085\u00a0") || key == "" || key == "export" || strings.TrimSpace(key+section+value) != key+section+value {
			t.Skip("no parameter of a step")
		}
		s := setting{section: section, key: key, value: value}
		once := s.in(text)
		require.Equal(t, once, s.in(once), "once is enough")
		at, _ := s.places(linesOf(once))
		require.NotEmpty(t, at)
		_, have := hostconf.CutSetting(strings.TrimSpace(linesOf(once)[at[len(at)-1]]))
		require.Equal(t, value, have)
	})
}

func FuzzPAMText(f *testing.F) {
	f.Add("auth required pam_unix.so nullok # x\n@include common-auth\n")
	f.Fuzz(func(t *testing.T, text string) {
		once := withPAMOptions(text, "auth", "pam_unix.so", []string{"a"}, []string{"nullok"})
		require.Equal(t, once, withPAMOptions(once, "auth", "pam_unix.so", []string{"a"}, []string{"nullok"}))
		require.Len(t, linesOf(once), len(linesOf(text)))
	})
}

func FuzzTransaction(f *testing.F) {
	f.Add([]byte(`{"event":"begin","kind":"fix"}` + "\n" + `{"event":"intent","rule":"a","changes":[{"about":"path","path":"/a","before":{"type":"absent"},"after":{"type":"file"}}]}` + "\n" +
		`{"event":"kept","rule":"a"}` + "\n" + `{"event":"end"}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		transaction, err := parseTransaction("x", "x", data)
		if err != nil {
			return
		}
		for _, d := range transaction.Rules {
			for _, c := range d.Changes {
				if c.About == ofPath {
					require.NotNil(t, c.inverse().Before)
				}
			}
		}
	})
}
