// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"fmt"
	"path"

	"github.com/vedette-sec/vedette/internal/hostconf"
)

var pathTable = &table{
	about: "directories in which root's shells look for programs, by what profiles, root's own files, /etc/environment and login.defs assign to PATH; " +
		"literal is false for those that depend on other variables than HOME",
	fields: map[string]kind{"directory": kindText, "literal": kindFlag, "absolute": kindFlag, "exists": kindFlag, "type": kindWord, "owner": kindText, "mode": kindMode},
	ifNone: Pass,
	rows: func(h *hostconf.Host, _ arguments) ([]row, error) {
		entries, err := h.RootPath()
		if err != nil {
			return nil, err
		}
		var rows []row
		for _, e := range entries {
			r, err := pathRow(h, e)
			if err != nil {
				return nil, err
			}
			rows = append(rows, r)
		}
		return rows, nil
	},
}

func pathRow(h *hostconf.Host, e hostconf.PathEntry) (row, error) {
	absolute := path.IsAbs(e.Directory)
	r := newRow(fmt.Sprintf("PATH %q", e.Directory), e.Place).text("directory", e.Directory).flag("literal", e.Literal).flag("absolute", absolute)
	if !absolute {
		return r.flag("exists", false), nil
	}
	info, err := h.Stat(e.Directory)
	if hostconf.LeadsNowhere(err) {
		return r.flag("exists", false), nil
	}
	if err != nil {
		return r, fmt.Errorf("reading the attributes of a directory of PATH: %w", err)
	}
	owner, _ := ownersOf(info)
	r = r.flag("exists", true).text("type", typeName(info.Mode())).mode("mode", permissions(info.Mode()))
	return r.named("owner", owner, h.UserName), nil
}
