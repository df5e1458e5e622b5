// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"github.com/vedette-sec/vedette/internal/hostconf"
)

var sysctlTable = &table{
	about:  "settings of the kernel: each key has a row for the running value and one for what files set; no rows for keys this kernel lacks",
	params: map[string]param{"keys": {list: true, required: true}},
	fields: map[string]kind{"value": kindText, "from": kindWord},
	ifNone: NotApplicable,
	rows: func(h *hostconf.Host, args arguments) ([]row, error) {
		var rows []row
		for _, key := range args.list("keys") {
			running, exists, err := h.Sysctl(key)
			if err != nil {
				return nil, err
			}
			if !exists {
				continue
			}
			setting, found, err := h.PersistedSysctl(key)
			if err != nil {
				return nil, err
			}
			rows = append(rows, newRow(key+" (running)", hostconf.Place{}).text("from", "running").text("value", running),
				newRow(key+" (files)", setting.Place).text("from", "files").optional("value", setting.Value, found))
		}
		return rows, nil
	},
}

var kmodTable = &table{
	about:  "kernel modules; loadable is what is built in or there as a file and not denied by both install and blacklist",
	params: map[string]param{"names": {list: true, required: true}},
	fields: map[string]kind{"loaded": kindFlag, "loadable": kindFlag, "built_in": kindFlag},
	ifNone: Fail,
	rows: func(h *hostconf.Host, args arguments) ([]row, error) {
		var rows []row
		for _, name := range args.list("names") {
			m, err := h.Module(name)
			if err != nil {
				return nil, err
			}
			rows = append(rows, newRow(name, m.Place).flag("loaded", m.Loaded).flag("loadable", m.Loadable()).flag("built_in", m.BuiltIn))
		}
		return rows, nil
	},
}

var packageTable = &table{
	about:  "packages by name; each has a row",
	params: map[string]param{"names": {list: true, required: true}},
	fields: map[string]kind{"installed": kindFlag, "version": kindText},
	ifNone: Fail,
	rows: func(h *hostconf.Host, args arguments) ([]row, error) {
		packages, err := h.Packages()
		if err != nil {
			return nil, err
		}
		var rows []row
		for _, name := range args.list("names") {
			version, installed := packages[name]
			rows = append(rows, newRow(name, hostconf.Place{}).flag("installed", installed).optional("version", version, installed))
		}
		return rows, nil
	},
}
