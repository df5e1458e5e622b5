// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"strconv"

	"github.com/vedette-sec/vedette/internal/hostconf"
)

// firstUser is where the numbers of people's accounts begin, unless login.defs says otherwise.
const firstUser = 1000

// nobodyUID is the account for what belongs to nobody; it is no person's.
const nobodyUID = 65534

var accountTable = &table{
	about: "local accounts; fields about days are absent where shadow does not set them",
	fields: map[string]kind{
		"name": kindText, "uid": kindNumber, "gid": kindNumber, "home": kindText, "shell": kindText, "interactive": kindFlag, "system": kindFlag,
		"password": kindWord, "hash": kindWord, "min_days": kindNumber, "max_days": kindNumber, "warn_days": kindNumber, "inactive_days": kindNumber,
		"changed_days_ago": kindNumber, "expired": kindFlag, "home_exists": kindFlag, "home_mode": kindMode, "home_is_own": kindFlag,
		"same_name": kindNumber, "same_uid": kindNumber, "group_exists": kindFlag,
	},
	ifNone: Pass,
	rows: func(h *hostconf.Host, _ arguments) ([]row, error) {
		accounts, err := h.Accounts()
		if err != nil {
			return nil, err
		}
		first, err := firstPerson(h)
		if err != nil {
			return nil, err
		}
		var rows []row
		for _, a := range accounts.Users {
			rows = append(rows, accountRow(h, accounts, a, first))
		}
		return rows, nil
	},
}

// firstPerson is the number at which accounts of people begin on the host.
func firstPerson(h *hostconf.Host) (int64, error) {
	settings, err := h.Settings([]string{"/etc/login.defs"})
	if err != nil {
		return 0, err
	}
	for _, s := range settings {
		if n, err := strconv.ParseInt(s.Value, 10, 64); s.Key == "UID_MIN" && err == nil {
			return n, nil
		}
	}
	return firstUser, nil
}

func accountRow(h *hostconf.Host, all *hostconf.Accounts, a hostconf.Account, first int64) row {
	at := a.Place
	if a.Shadow.Line > 0 {
		at = a.Shadow
	}
	r := newRow("account "+a.Name, at).text("name", a.Name).number("uid", a.UID).number("gid", a.GID)
	r = r.text("home", a.Home).text("shell", a.Shell).flag("interactive", a.Interactive())
	r = r.flag("system", a.UID != 0 && (a.UID < first || a.UID == nobodyUID))
	r = r.text("password", string(a.Password)).optional("hash", a.Hash, a.Hash != "")
	for field, days := range map[string]int64{"min_days": a.MinDays, "max_days": a.MaxDays, "warn_days": a.WarnDays, "inactive_days": a.InactiveDays} {
		r = r.optional(field, strconv.FormatInt(days, 10), days >= 0)
	}
	today := h.Today()
	r = r.optional("changed_days_ago", strconv.FormatInt(today-a.LastChange, 10), a.LastChange >= 0)
	r = r.flag("expired", a.Expires >= 0 && a.Expires <= today)
	names, uids, group := 0, 0, false
	for _, other := range all.Users {
		names += one(other.Name == a.Name)
		uids += one(other.UID == a.UID)
	}
	for _, g := range all.Groups {
		group = group || g.GID == a.GID
	}
	return addHome(h, r.number("same_name", int64(names)).number("same_uid", int64(uids)).flag("group_exists", group), a)
}

func one(is bool) int {
	if is {
		return 1
	}
	return 0
}

func addHome(h *hostconf.Host, r row, a hostconf.Account) row {
	info, err := h.Stat(a.Home)
	if err != nil && !hostconf.LeadsNowhere(err) {
		for _, field := range []string{"home_exists", "home_mode", "home_is_own"} {
			r.unknown[field] = err.Error()
		}
		return r
	}
	if err != nil || !info.IsDir() {
		return r.flag("home_exists", false)
	}
	owner, _ := ownersOf(info)
	return r.flag("home_exists", true).mode("home_mode", permissions(info.Mode())).flag("home_is_own", owner == a.UID)
}

var groupTable = &table{
	about: "local groups",
	fields: map[string]kind{"name": kindText, "gid": kindNumber, "members": kindList, "member_count": kindNumber,
		"same_name": kindNumber, "same_gid": kindNumber, "primary_of": kindList, "primary_count": kindNumber},
	ifNone: Pass,
	rows: func(h *hostconf.Host, _ arguments) ([]row, error) {
		accounts, err := h.Accounts()
		if err != nil {
			return nil, err
		}
		var rows []row
		for _, g := range accounts.Groups {
			names, gids := 0, 0
			for _, other := range accounts.Groups {
				names += one(other.Name == g.Name)
				gids += one(other.GID == g.GID)
			}
			var primary []string
			for _, a := range accounts.Users {
				if a.GID == g.GID {
					primary = append(primary, a.Name)
				}
			}
			r := newRow("group "+g.Name, g.Place).text("name", g.Name).number("gid", g.GID).list("members", g.Members)
			r = r.number("member_count", int64(len(g.Members))).number("same_name", int64(names)).number("same_gid", int64(gids))
			rows = append(rows, r.list("primary_of", primary).number("primary_count", int64(len(primary))))
		}
		return rows, nil
	},
}
