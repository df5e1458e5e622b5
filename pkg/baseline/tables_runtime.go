// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"fmt"
	"path"
	"path/filepath"
	"strconv"

	"github.com/vedette-sec/vedette/internal/hostconf"
)

var socketTable = &table{
	about:  "sockets that wait for others on the network",
	fields: map[string]kind{"protocol": kindWord, "address": kindText, "port": kindNumber, "loopback": kindFlag},
	ifNone: Pass,
	rows: func(h *hostconf.Host, _ arguments) ([]row, error) {
		sockets, err := h.Sockets()
		if err != nil {
			return nil, err
		}
		rows := make([]row, len(sockets))
		for i, s := range sockets {
			r := newRow(fmt.Sprintf("%s %s", s.Protocol, s.Address), hostconf.Place{}).text("protocol", s.Protocol)
			r = r.text("address", s.Address.Addr().String()).number("port", int64(s.Address.Port()))
			rows[i] = r.flag("loopback", s.Address.Addr().IsLoopback())
		}
		return rows, nil
	},
}

var processTable = &table{
	about:  "processes that run",
	fields: map[string]kind{"name": kindText, "executable": kindText},
	ifNone: Pass,
	rows: func(h *hostconf.Host, _ arguments) ([]row, error) {
		processes, err := h.Processes()
		if err != nil {
			return nil, err
		}
		rows := make([]row, len(processes))
		for i, p := range processes {
			r := newRow(fmt.Sprintf("process %s[%d]", p.Name, p.PID), hostconf.Place{}).text("name", p.Name)
			rows[i] = r.optional("executable", p.Executable, p.Executable != "")
		}
		return rows, nil
	},
}

var bootTable = &table{
	about:  "parameters of the kernel's command line: what runs, and each entry of the boot loader's menu",
	params: map[string]param{"names": {list: true, required: true}},
	fields: map[string]kind{"value": kindText, "from": kindWord},
	ifNone: Fail,
	rows: func(h *hostconf.Host, args arguments) ([]row, error) {
		running, menu, err := h.Boot()
		if err != nil {
			return nil, err
		}
		var rows []row
		for _, name := range args.list("names") {
			value, found := hostconf.BootParameter(running, name)
			rows = append(rows, newRow(name+" (running)", running.Place).text("from", "running").optional("value", value, found))
			for _, line := range menu {
				value, found := hostconf.BootParameter(line, name)
				rows = append(rows, newRow(name+" (menu)", line.Place).text("from", "menu").optional("value", value, found))
			}
		}
		return rows, nil
	},
}

var apparmorTable = &table{
	about:  "profiles of AppArmor that the kernel has",
	fields: map[string]kind{"name": kindText, "mode": kindWord},
	ifNone: Fail,
	rows: func(h *hostconf.Host, _ arguments) ([]row, error) {
		profiles, err := h.AppArmor()
		if err != nil {
			return nil, err
		}
		rows := make([]row, len(profiles))
		for i, p := range profiles {
			rows[i] = newRow("profile "+p.Name, hostconf.Place{}).text("name", p.Name).text("mode", p.Mode)
		}
		return rows, nil
	},
}

var homeTable = &table{
	about:  "files in the homes of accounts that can log in, by patterns of names",
	params: map[string]param{"names": {list: true, required: true, check: relative}},
	fields: map[string]kind{"account": kindText, "name": kindText, "mode": kindMode, "type": kindWord, "size": kindNumber, "is_own": kindFlag},
	ifNone: Pass,
	rows: func(h *hostconf.Host, args arguments) ([]row, error) {
		accounts, err := h.Accounts()
		if err != nil {
			return nil, err
		}
		var rows []row
		for _, a := range accounts.Users {
			if !a.Interactive() || a.Home == "/" || !path.IsAbs(a.Home) {
				continue
			}
			found, err := homeRows(h, a, args.list("names"))
			if err != nil {
				return nil, err
			}
			rows = append(rows, found...)
		}
		return rows, nil
	},
}

func relative(item string) error {
	if _, err := filepath.Match(item, ""); err != nil || path.IsAbs(item) {
		return fmt.Errorf("expected a name or a pattern of names in a home directory")
	}
	return nil
}

func homeRows(h *hostconf.Host, a hostconf.Account, names []string) ([]row, error) {
	var rows []row
	for _, name := range names {
		paths, err := h.Glob(path.Join(a.Home, name))
		if err != nil {
			return nil, err
		}
		for _, file := range paths {
			info, err := h.Lstat(file)
			if err != nil {
				return nil, fmt.Errorf("reading the attributes of a file: %w", err)
			}
			owner, _ := ownersOf(info)
			r := newRow(file, hostconf.Place{File: file}).text("account", a.Name).text("name", path.Base(file)).mode("mode", permissions(info.Mode()))
			r = r.text("type", typeName(info.Mode())).text("size", strconv.FormatInt(info.Size(), 10))
			rows = append(rows, r.flag("is_own", owner == a.UID || owner == 0))
		}
	}
	return rows, nil
}

var firewallTable = &table{
	about: "base chains of the kernel's packet filter, whatever program made them; packets of both versions of IP come to those of the family inet",
	fields: map[string]kind{"family": kindWord, "table": kindText, "name": kindText, "hook": kindWord, "type": kindWord, "policy": kindWord,
		"rules": kindNumber},
	ifNone: Fail,
	rows: func(h *hostconf.Host, _ arguments) ([]row, error) {
		chains, err := h.Firewall()
		if err != nil {
			return nil, err
		}
		rows := make([]row, len(chains))
		for i, c := range chains {
			r := newRow("chain "+c.Family+" "+c.Table+" "+c.Name, hostconf.Place{}).text("family", c.Family).text("table", c.Table)
			rows[i] = r.text("name", c.Name).text("hook", c.Hook).text("type", c.Type).text("policy", c.Policy).number("rules", int64(c.Rules))
		}
		return rows, nil
	},
}
