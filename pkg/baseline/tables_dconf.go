// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"errors"
	"strings"

	"github.com/vedette-sec/vedette/internal/hostconf"
)

var dconfTable = &table{
	about: "keys of dconf as its compiled databases have them, which are in force: each key has a row for each profile that has a database of the system; " +
		"locked is what users cannot set otherwise; current is false where keyfiles and locks say something else, which dconf update has not compiled",
	params: map[string]param{"keys": {list: true, required: true, check: dconfPath}},
	fields: map[string]kind{"value": kindText, "locked": kindFlag, "current": kindFlag, "profile": kindText},
	ifNone: Fail,
	rows: func(h *hostconf.Host, args arguments) ([]row, error) {
		var rows []row
		for _, key := range args.list("keys") {
			found, err := h.Dconf(key)
			if err != nil {
				return nil, err
			}
			for _, k := range found {
				rows = append(rows, dconfRow(key, k))
			}
		}
		return rows, nil
	},
}

func dconfRow(key string, k hostconf.DconfKey) row {
	r := newRow(key+" (profile "+k.Profile+")", k.Place).text("profile", k.Profile).flag("locked", k.Locked)
	if !k.Known {
		for _, field := range []string{"value", "current"} {
			r.unknown[field] = "its value is of a type that is not read: found it in " + k.Place.File + ", expected a flag, a number or text"
		}
		return r
	}
	return r.optional("value", k.Value, k.Set).flag("current", k.Current)
}

func dconfPath(item string) error {
	if !strings.HasPrefix(item, "/") || strings.HasSuffix(item, "/") || strings.Contains(item, "//") {
		return errors.New("expected the path of a key, such as /org/gnome/desktop/session/idle-delay")
	}
	return nil
}
