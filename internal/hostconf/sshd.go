// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

const sshdConfig = "/etc/ssh/sshd_config"

// deepestInclude bounds files that include each other, as sshd and sudo do.
const deepestInclude = 16

// SSHD gives what sshd_config sets, with its includes in their places, in order. Section is the criteria of the Match block
// that a setting is in, "" for none; keys are in small letters.
func (h *Host) SSHD() ([]Setting, error) {
	return h.sshd.get(func() ([]Setting, error) {
		if _, err := h.Read(sshdConfig); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("reading the configuration of sshd: %w", err)
		}
		s := &sshdReader{host: h}
		if err := s.file(sshdConfig, "", deepestInclude); err != nil {
			return nil, fmt.Errorf("reading the configuration of sshd: %w", err)
		}
		return s.all, nil
	})
}

type sshdReader struct {
	host *Host
	all  []Setting
}

// file reads a file that is included from within a Match block; the blocks of the file end with it.
func (s *sshdReader) file(name, match string, depth int) error {
	if depth == 0 {
		return fmt.Errorf("%s: found more than %d files inside of each other", name, deepestInclude)
	}
	lines, err := s.host.Lines(name)
	if err != nil {
		return err
	}
	for _, line := range content(lines, "#") {
		key, value := cutSetting(line.Text)
		key = strings.ToLower(key)
		switch key {
		case "match":
			match = value
		case "include":
			if err := s.include(value, match, depth); err != nil {
				return err
			}
		default:
			s.all = append(s.all, Setting{match, key, value, line.Place})
		}
	}
	return nil
}

func (s *sshdReader) include(patterns, match string, depth int) error {
	for _, p := range strings.Fields(patterns) {
		p = strings.Trim(p, `"`)
		if !path.IsAbs(p) {
			p = path.Join("/etc/ssh", p)
		}
		files, err := s.host.Glob(p)
		if err != nil {
			return err
		}
		for _, file := range files {
			if err := s.file(file, match, depth-1); err != nil {
				return err
			}
		}
	}
	return nil
}

// sshdDefaults are what OpenSSH does where nothing is set; Debian's differences are set by its configuration file.
var sshdDefaults = map[string]string{
	"permitrootlogin": "prohibit-password", "permitemptypasswords": "no", "passwordauthentication": "yes", "hostbasedauthentication": "no",
	"ignorerhosts": "yes", "maxauthtries": "6", "maxsessions": "10", "maxstartups": "10:30:100", "logingracetime": "120", "clientaliveinterval": "0",
	"clientalivecountmax": "3", "loglevel": "INFO", "usepam": "no", "permituserenvironment": "no", "x11forwarding": "no", "allowtcpforwarding": "yes",
	"disableforwarding": "no", "gssapiauthentication": "no", "banner": "none", "pubkeyauthentication": "yes", "strictmodes": "yes", "allowagentforwarding": "yes",
}

// listKeys are settings that add up instead of the first one counting.
var listKeys = []string{"allowusers", "allowgroups", "denyusers", "denygroups"}

// EffectiveSSHD gives what is in force for a key: outside of Match blocks the first setting or the default, and what each Match
// block says otherwise. Times are in seconds. There is nothing for a key without default that is not set.
func EffectiveSSHD(all []Setting, key string) []Setting {
	key = strings.ToLower(key)
	var found []Setting
	seen := map[string]bool{}
	for _, s := range all {
		if s.Key == key && (!seen[s.Section] || slices.Contains(listKeys, key)) {
			seen[s.Section] = true
			s.Value = sshdSeconds(key, s.Value)
			found = append(found, s)
		}
	}
	if value, ok := sshdDefaults[key]; ok && !seen[""] {
		found = append([]Setting{{Key: key, Value: value, Place: Place{File: sshdConfig}}}, found...)
	}
	return found
}

var timeUnits = map[byte]int64{'s': 1, 'm': 60, 'h': 3600, 'd': 86400, 'w': 604800}

// sshdSeconds writes a time such as 1m30s as seconds, and leaves what is none as it is.
func sshdSeconds(key, value string) string {
	if key != "logingracetime" && key != "clientaliveinterval" {
		return value
	}
	var sum, number int64
	digits := false
	for i := range len(value) {
		c := value[i] | 0x20
		switch unit := timeUnits[c]; {
		case value[i] >= '0' && value[i] <= '9' && number < 1<<40:
			number, digits = number*10+int64(value[i]-'0'), true
		case unit > 0 && digits:
			sum, number, digits = sum+number*unit, 0, false
		default:
			return value
		}
	}
	return strconv.FormatInt(sum+number, 10)
}
