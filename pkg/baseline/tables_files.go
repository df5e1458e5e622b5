// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/vedette-sec/vedette/internal/hostconf"
)

func absolute(item string) error {
	if !filepath.IsAbs(item) {
		return errors.New("expected an absolute path")
	}
	if _, err := filepath.Match(item, ""); err != nil {
		return errors.New("expected a path or a pattern of names")
	}
	return nil
}

func regular(item string) error {
	if _, err := regexp.Compile(item); err != nil {
		return fmt.Errorf("expected a regular expression: %w", err)
	}
	return nil
}

var fileTable = &table{
	about:  "attributes of files and directories; a path without a pattern has a row even if it is not there",
	params: map[string]param{"paths": {list: true, required: true, check: absolute}},
	fields: map[string]kind{"exists": kindFlag, "name": kindText, "type": kindWord, "mode": kindMode, "owner": kindText, "group": kindText, "size": kindNumber, "target": kindText},
	ifNone: Pass,
	rows: func(h *hostconf.Host, args arguments) ([]row, error) {
		var rows []row
		for _, pattern := range args.list("paths") {
			paths, err := h.Glob(pattern)
			if err != nil {
				return nil, err
			}
			for _, path := range paths {
				r, err := fileRow(h, path)
				if err != nil {
					return nil, err
				}
				rows = append(rows, r)
			}
			if len(paths) == 0 && !isPattern(pattern) {
				rows = append(rows, newRow(pattern, hostconf.Place{File: pattern}).flag("exists", false))
			}
		}
		return rows, nil
	},
}

func isPattern(path string) bool { return strings.ContainsAny(path, "*?[") }

func fileRow(h *hostconf.Host, path string) (row, error) {
	r := newRow(path, hostconf.Place{File: path})
	info, err := h.Lstat(path)
	if err != nil {
		return r, fmt.Errorf("reading the attributes of a file: %w", err)
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := h.Readlink(path)
		if err != nil {
			return r, fmt.Errorf("reading a link: %w", err)
		}
		r = r.text("target", target)
		// A link's own attributes mean nothing.
		if info, err = h.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return r.flag("exists", false), nil
		} else if err != nil {
			return r, fmt.Errorf("reading the attributes of a file: %w", err)
		}
	}
	r = r.flag("exists", true).text("name", filepath.Base(path)).text("type", typeName(info.Mode())).number("size", info.Size()).mode("mode", permissions(info.Mode()))
	owner, group := ownersOf(info)
	return r.named("owner", owner, h.UserName).named("group", group, h.GroupName), nil
}

// ownersOf gives the numbers of owner and group.
func ownersOf(info fs.FileInfo) (uid, gid int64) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int64(st.Uid), int64(st.Gid)
	}
	return -1, -1
}

func typeName(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "directory"
	case m.IsRegular():
		return "file"
	}
	return "special"
}

// permissions gives the bits as chmod has them.
func permissions(m fs.FileMode) uint32 {
	bits := uint32(m.Perm())
	for flag, bit := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if m&flag != 0 {
			bits |= bit
		}
	}
	return bits
}

var configTable = &table{
	about: "keys of files of `key = value` or `key value` lines; files are read in order, the last setting of a key counts",
	params: map[string]param{
		"files": {list: true, required: true, check: absolute}, "keys": {list: true, required: true},
		"section": {}, "default": {},
	},
	fields: map[string]kind{"value": kindText},
	ifNone: Fail,
	rows: func(h *hostconf.Host, args arguments) ([]row, error) {
		files, err := h.Files(args.list("files"))
		if err != nil {
			return nil, err
		}
		settings, err := h.Settings(files)
		if err != nil {
			return nil, err
		}
		var rows []row
		for _, key := range args.list("keys") {
			rows = append(rows, configRow(settings, key, args))
		}
		return rows, nil
	},
}

func configRow(settings []hostconf.Setting, key string, args arguments) row {
	section := args.text("section", "")
	last := newRow(key, hostconf.Place{File: args.list("files")[0]})
	if otherwise := args.text("default", ""); otherwise != "" {
		last = last.text("value", otherwise)
	}
	for _, s := range settings {
		if s.Key == key && (section == "" || s.Section == section) {
			last = newRow(key, s.Place).text("value", s.Value)
		}
	}
	return last
}

var lineTable = &table{
	about: "lines of files that match a regular expression; what its first group matches is the field group",
	params: map[string]param{
		"files": {list: true, required: true, check: absolute}, "pattern": {required: true, check: regular},
	},
	fields: map[string]kind{"text": kindText, "group": kindText, "file": kindText},
	ifNone: Fail,
	rows: func(h *hostconf.Host, args arguments) ([]row, error) {
		files, err := h.Files(args.list("files"))
		if err != nil {
			return nil, err
		}
		expr := pattern(args.text("pattern", ""))
		var rows []row
		for _, file := range files {
			lines, err := h.Lines(file)
			if err != nil {
				return nil, fmt.Errorf("reading lines: %w", err)
			}
			for _, line := range lines {
				m := expr.FindStringSubmatch(line.Text)
				if m == nil {
					continue
				}
				r := newRow(file, line.Place).text("text", line.Text).text("file", filepath.Base(file))
				rows = append(rows, r.optional("group", slices.Concat(m, []string{""})[1], len(m) > 1))
			}
		}
		return rows, nil
	},
}

var mountTable = &table{
	about:  "file systems by where they are mounted, now and by fstab; each path has a row",
	params: map[string]param{"paths": {list: true, required: true, check: absolute}},
	fields: map[string]kind{"mounted": kindFlag, "type": kindWord, "source": kindText, "options": kindList, "persisted": kindFlag, "persisted_options": kindList},
	ifNone: Fail,
	rows: func(h *hostconf.Host, args arguments) ([]row, error) {
		mounts, err := h.Mounts()
		if err != nil {
			return nil, err
		}
		var rows []row
		for _, path := range args.list("paths") {
			i := slices.IndexFunc(mounts, func(m hostconf.Mount) bool { return m.Path == path })
			if i < 0 {
				rows = append(rows, newRow(path, hostconf.Place{}).flag("mounted", false).flag("persisted", false))
				continue
			}
			m := mounts[i]
			r := newRow(path, m.Place).flag("mounted", m.Mounted).flag("persisted", m.Persisted)
			if m.Mounted {
				r = r.text("type", m.Type).text("source", m.Source).list("options", m.Options)
			}
			if m.Persisted {
				r = r.list("persisted_options", m.PersistedOptions)
			}
			rows = append(rows, r)
		}
		return rows, nil
	},
}
