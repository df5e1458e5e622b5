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
	return cached(h, "sshd", func(h *Host) ([]Setting, error) {
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
func (s *sshdReader) file(name, outer string, depth int) error {
	if depth == 0 {
		return fmt.Errorf("%s: found more than %d files inside of each other", name, deepestInclude)
	}
	lines, err := s.host.Lines(name)
	if err != nil {
		return err
	}
	match := outer
	for _, line := range content(lines, "#") {
		key, value := CutSetting(line.Text)
		key = strings.ToLower(key)
		switch {
		case key == "match" && strings.EqualFold(value, "all"): // what follows is for everybody
			match = outer
		case key == "match":
			match = value
		case key == "include":
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

// sshdDefaults are what OpenSSH 9.2 does where nothing is set; Debian's differences are set by its configuration file.
var sshdDefaults = map[string]string{
	"permitrootlogin": "prohibit-password", "permitemptypasswords": "no", "passwordauthentication": "yes", "hostbasedauthentication": "no",
	"ignorerhosts": "yes", "maxauthtries": "6", "maxsessions": "10", "maxstartups": "10:30:100", "logingracetime": "120", "clientaliveinterval": "0",
	"clientalivecountmax": "3", "loglevel": "INFO", "usepam": "no", "permituserenvironment": "no", "x11forwarding": "no", "allowtcpforwarding": "yes",
	"disableforwarding": "no", "gssapiauthentication": "no", "banner": "none", "pubkeyauthentication": "yes", "strictmodes": "yes", "allowagentforwarding": "yes",
	"ciphers": "chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,aes128-gcm@openssh.com,aes256-gcm@openssh.com",
	"macs": "umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com," +
		"hmac-sha1-etm@openssh.com,umac-64@openssh.com,umac-128@openssh.com,hmac-sha2-256,hmac-sha2-512,hmac-sha1",
	"kexalgorithms": "sntrup761x25519-sha512@openssh.com,curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384," +
		"ecdh-sha2-nistp521,diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,diffie-hellman-group14-sha256",
}

// algorithmKeys are lists of algorithms, in which a sign before the list changes the default instead of taking its place.
var algorithmKeys = []string{"ciphers", "macs", "kexalgorithms"}

// algorithms gives what a list comes to.
func algorithms(key, value string) string {
	if !slices.Contains(algorithmKeys, key) || value == "" {
		return value
	}
	rest, otherwise := value[1:], sshdDefaults[key]
	switch value[0] {
	case '+':
		return otherwise + "," + rest
	case '^':
		return rest + "," + otherwise
	case '-':
		var kept []string
		for _, name := range strings.Split(otherwise, ",") {
			removed := slices.ContainsFunc(strings.Split(rest, ","), func(p string) bool {
				matched, err := path.Match(p, name)
				return matched && err == nil
			})
			if !removed {
				kept = append(kept, name)
			}
		}
		return strings.Join(kept, ",")
	}
	return value
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
			s.Value = sshdSeconds(key, algorithms(key, s.Value))
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
