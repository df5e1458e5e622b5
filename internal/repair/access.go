// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/vedette-sec/vedette/internal/hostconf"
)

// checkAccess refuses changes after which no account could get in and act as root, where one can before, at the host itself and over
// the network.
func (s *stage) checkAccess() error {
	now, then := hostconf.New(string(s.repairer.root)), hostconf.New(s.repairer.root.full(s.dir))
	before, err := ways(now, now)
	if err != nil {
		return err
	}
	after, err := ways(then, now)
	if err != nil {
		return err
	}
	for i, where := range []string{"at the host itself", "by ssh"} {
		if len(before[i]) > 0 && len(after[i]) == 0 {
			return fmt.Errorf("nobody could get in %s and act as root any more; now these can: %s", where, strings.Join(before[i], ", "))
		}
	}
	return nil
}

// ways gives the accounts that can get in and act as root: with a password at the host itself, and by ssh. Homes are those of the host
// as it is.
func ways(host, homes *hostconf.Host) (all [2][]string, err error) {
	accounts, err := host.Accounts()
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil // A host without accounts has nobody to lock out.
	}
	if err != nil {
		return all, err
	}
	grants, err := host.Sudoers()
	if err != nil {
		return all, err
	}
	var sshd []hostconf.Setting
	if host.Exists(sshdConfig) {
		if sshd, err = host.SSHD(); err != nil {
			return all, err
		}
	}
	for _, a := range accounts.Users {
		if !a.Interactive() || a.UID != 0 && !mayAct(a, accounts.Groups, grants) {
			continue
		}
		password := a.Password == hostconf.Usable && !endedFor(a, time.Now())
		if password {
			all[0] = append(all[0], a.Name)
		}
		if sshd != nil && byNetwork(a, sshd, password, homes.Exists(a.Home+"/.ssh/authorized_keys")) {
			all[1] = append(all[1], a.Name)
		}
	}
	return all, nil
}

// day is what shadow counts in.
const day = 24 * time.Hour

// endedFor reports whether the password of an account can no longer be used because of its age, or the account has ended.
func endedFor(a hostconf.Account, now time.Time) bool {
	today := now.Unix() / int64(day/time.Second)
	tooOld := a.LastChange > 0 && a.MaxDays >= 0 && a.InactiveDays >= 0 && a.LastChange+a.MaxDays+a.InactiveDays < today
	return tooOld || a.Expires >= 0 && a.Expires <= today
}

// mayAct reports whether sudo lets an account run everything.
func mayAct(a hostconf.Account, groups []hostconf.Group, grants []hostconf.Sudoers) bool {
	who := []string{a.Name, "ALL"}
	for _, g := range groups {
		if g.GID == a.GID || slices.Contains(g.Members, a.Name) {
			who = append(who, "%"+g.Name)
		}
	}
	return slices.ContainsFunc(grants, func(g hostconf.Sudoers) bool {
		return g.Default == "" && slices.Contains(who, g.Who) && strings.HasSuffix(strings.TrimSpace(g.Commands), "ALL")
	})
}

// byNetwork reports whether sshd lets an account in.
func byNetwork(a hostconf.Account, sshd []hostconf.Setting, password, key bool) bool {
	value := func(name string) string {
		for _, s := range hostconf.EffectiveSSHD(sshd, name) {
			if s.Section == "" {
				return strings.ToLower(s.Value)
			}
		}
		return ""
	}
	password = password && value("PasswordAuthentication") == "yes"
	key = key && value("PubkeyAuthentication") == "yes"
	if a.UID == 0 {
		switch value("PermitRootLogin") {
		case "no", "forced-commands-only":
			return false
		case "prohibit-password", "without-password":
			password = false
		}
	}
	if allowed := hostconf.EffectiveSSHD(sshd, "AllowUsers"); len(allowed) > 0 && !slices.ContainsFunc(allowed, func(s hostconf.Setting) bool {
		return slices.Contains(strings.Fields(s.Value), a.Name)
	}) {
		return false
	}
	return password || key
}
