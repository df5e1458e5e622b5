// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"maps"
	"slices"

	"github.com/vedette-sec/vedette/internal/hostconf"
)

var walkTable = &table{
	about: "what one walk of all local file systems finds: files and directories that everybody may write, files that run with their " +
		"owner's or group's rights, and what belongs to no account; of files of containers only those that run with other rights",
	fields: map[string]kind{
		"path": kindText, "type": kindWord, "mode": kindMode, "world_writable": kindFlag, "sticky": kindFlag, "setuid": kindFlag, "setgid": kindFlag,
		"no_owner": kindFlag, "no_group": kindFlag,
	},
	ifNone: Pass,
	rows: func(h *hostconf.Host, _ arguments) ([]row, error) {
		found, err := h.Walk()
		if err != nil {
			return nil, err
		}
		users, groups := h.OwnersKnown()
		rows := make([]row, len(found))
		for i, f := range found {
			kind := "file"
			if f.Directory {
				kind = "directory"
			}
			r := newRow(f.Path, hostconf.Place{File: f.Path}).text("path", f.Path).text("type", kind).mode("mode", f.Mode)
			r = r.flag("world_writable", f.WorldWritable).flag("sticky", f.Mode&0o1000 != 0).flag("setuid", f.SetUID).flag("setgid", f.SetGID)
			r = r.ownerless("no_owner", f.NoOwner, users).ownerless("no_group", f.NoGroup, groups)
			if why := slices.Collect(maps.Values(r.unknown)); len(why) > 0 && !f.WorldWritable && !f.SetUID && !f.SetGID {
				r.unknown[itself] = why[0]
			}
			rows[i] = r
		}
		return rows, nil
	},
}

// ownerless sets whether a file belongs to nobody. Where those it could belong to are not known, nobody knows of more than root's.
func (r row) ownerless(field string, is bool, unknown error) row {
	if is && unknown != nil {
		r.unknown[field] = unknown.Error()
		return r
	}
	return r.flag(field, is)
}
