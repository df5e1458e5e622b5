// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// DconfKey is what a key of dconf comes to by one profile, without what users set for themselves.
type DconfKey struct {
	Profile string
	Value   string // without its type and quotes
	Set     bool
	Known   bool // its value is of a type that can be compared
	Locked  bool // users cannot set another one
	Current bool // the keyfiles say the same, so that compiling them anew would change nothing
	Place   Place
}

// dconfProfile is the databases of a profile in their order: what is in force, and what keyfiles say.
type dconfProfile struct {
	name              string
	compiled, sources []*dconfDatabase
}

// dconfProfiles are where profiles are kept; of two with one name the first counts.
var dconfProfiles = []string{"/etc/dconf/profile", "/usr/share/dconf/profile"}

// Dconf gives what a key comes to by each profile that has a database of the system, in the order of their names.
func (h *Host) Dconf(key string) ([]DconfKey, error) {
	profiles, err := cached(h, "dconf", (*Host).dconfProfiles)
	if err != nil {
		return nil, fmt.Errorf("reading dconf: %w", err)
	}
	all := make([]DconfKey, len(profiles))
	for i, p := range profiles {
		all[i] = p.key(key)
	}
	return all, nil
}

func (p *dconfProfile) key(key string) DconfKey {
	now, locked := lookUp(p.compiled, key)
	next, willBeLocked := lookUp(p.sources, key)
	k := DconfKey{Profile: p.name, Locked: locked, Known: true}
	if now != nil {
		k.Value, k.Set, k.Known, k.Place = now.text, true, now.known, now.place
	}
	if next != nil {
		k.Place = next.place
		k.Known = k.Known && next.known
	}
	same := now == nil && next == nil || now != nil && next != nil && now.text == next.text
	k.Current = same && locked == willBeLocked
	return k
}

// lookUp gives the value of a key in databases: the first one's, but what is before a lock does not count.
func lookUp(all []*dconfDatabase, key string) (value *dconfValue, locked bool) {
	first := 0
	for i, db := range all {
		if _, here := db.locks[key]; here {
			first, locked = i, true
		}
	}
	for _, db := range all[first:] {
		if v, here := db.values[key]; here {
			return &v, locked
		}
	}
	return nil, locked
}

func (h *Host) dconfProfiles() ([]*dconfProfile, error) {
	files := map[string]string{}
	for _, dir := range dconfProfiles {
		names, err := h.Names(dir)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if files[name] == "" {
				files[name] = path.Join(dir, name)
			}
		}
	}
	var all []*dconfProfile
	for name, file := range files {
		lines, err := h.Lines(file)
		if err != nil {
			return nil, err
		}
		p, err := h.dconfProfile(name, lines)
		if err != nil {
			return nil, err
		}
		if len(p.compiled) > 0 {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b *dconfProfile) int { return strings.Compare(a.name, b.name) })
	return all, nil
}

func (h *Host) dconfProfile(name string, lines []Line) (*dconfProfile, error) {
	p := &dconfProfile{name: name}
	for _, line := range content(lines, "#") {
		text, _, _ := strings.Cut(line.Text, "#")
		kind, where, _ := strings.Cut(strings.TrimSpace(text), ":")
		file, sources := where, ""
		switch kind {
		case "system-db":
			file = path.Join("/etc/dconf/db", where)
			sources = file + ".d"
		case "file-db":
		default: // a user's own
			continue
		}
		compiled, err := h.compiledDconf(file)
		if err != nil {
			return nil, err
		}
		said := compiled
		if sources != "" {
			if said, err = h.dconfSources(sources); err != nil {
				return nil, err
			}
		}
		p.compiled, p.sources = append(p.compiled, compiled), append(p.sources, said)
	}
	return p, nil
}

// compiledDconf gives what a compiled database has: nothing where there is none, as dconf takes it.
func (h *Host) compiledDconf(file string) (*dconfDatabase, error) {
	data, err := h.Read(file)
	if errors.Is(err, fs.ErrNotExist) {
		return &dconfDatabase{}, nil
	}
	if err != nil {
		return nil, err
	}
	db, err := parseGVDB(file, data)
	if err != nil {
		return nil, err
	}
	for name, v := range db.values {
		v.place = Place{File: file}
		db.values[name] = v
	}
	return db, nil
}

// dconfSources gives what the keyfiles of a directory say, of which the last by name counts, and its locks.
func (h *Host) dconfSources(dir string) (*dconfDatabase, error) {
	db := &dconfDatabase{map[string]dconfValue{}, map[string]Place{}}
	files, err := h.Files([]string{dir + "/*"})
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		lines, err := h.Lines(file)
		if err != nil {
			return nil, err
		}
		db.addKeyfile(lines)
	}
	locks, err := h.Files([]string{dir + "/locks/*"})
	if err != nil {
		return nil, err
	}
	for _, file := range locks {
		lines, err := h.Lines(file)
		if err != nil {
			return nil, err
		}
		for _, line := range lines {
			if strings.HasPrefix(line.Text, "/") {
				db.locks[strings.TrimSpace(line.Text)] = line.Place
			}
		}
	}
	return db, nil
}

func (db *dconfDatabase) addKeyfile(lines []Line) {
	group := ""
	for _, line := range content(lines, "#") {
		if inner, ok := strings.CutPrefix(line.Text, "["); ok && strings.HasSuffix(inner, "]") {
			group = strings.TrimSuffix(inner, "]")
			continue
		}
		key, value, ok := strings.Cut(line.Text, "=")
		if ok && group != "" {
			v := dconfText(strings.TrimSpace(value))
			v.place = line.Place
			db.values["/"+group+"/"+strings.TrimSpace(key)] = v
		}
	}
}

var (
	dconfType   = regexp.MustCompile(`^(?:@[bynqiuxthsog]|boolean|byte|u?int(?:16|32|64)|string)\s+`)
	dconfEscape = strings.NewReplacer(`\\`, `\`, `\'`, `'`, `\"`, `"`, `\n`, "\n", `\t`, "\t")
)

// dconfText reads a value as keyfiles have it: in the text form of GVariant.
func dconfText(text string) dconfValue {
	text = text[len(dconfType.FindString(text)):]
	if n := len(text); n >= 2 && (text[0] == '\'' || text[0] == '"') && text[n-1] == text[0] {
		return dconfValue{text: dconfEscape.Replace(text[1 : n-1]), known: true}
	}
	if text == "true" || text == "false" {
		return dconfValue{text: text, known: true}
	}
	if n, err := strconv.ParseInt(text, 0, 64); err == nil {
		return dconfValue{text: strconv.FormatInt(n, 10), known: true}
	}
	return dconfValue{text: text}
}
