// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
)

// GVDB is the format of compiled dconf databases: a hash table of items, each of which has its name after that of its parent, and
// in which tables can be values.

const (
	gvdbSignature = "GVariant"
	gvdbHeader    = 24
	gvdbItem      = 24
	gvdbNoParent  = 0xffffffff
	gvdbBloom     = 1<<27 - 1 // the bits of the word that count the words of the filter
	gvdbLocks     = ".locks"
	gvdbValue     = 'v'
	gvdbTable     = 'H'

	longestGVDBName = 4096
	mostGVDBParents = 128
)

// dconfDatabase is what a database of dconf has, as text where that is known.
type dconfDatabase struct {
	values map[string]dconfValue
	locks  map[string]Place
}

// dconfValue is a value without its type: text without quotes, numbers as decimal digits.
type dconfValue struct {
	text  string
	known bool // it is of a type that can be compared
	place Place
}

type gvdbEntry struct {
	kind byte
	data []byte
}

// parseGVDB reads a compiled database, as machines with little-endian words write it.
func parseGVDB(path string, data []byte) (*dconfDatabase, error) {
	if len(data) < gvdbHeader || string(data[:8]) != gvdbSignature {
		return nil, fmt.Errorf("%s: found no signature %s, expected a compiled database of dconf", path, gvdbSignature)
	}
	file := gvdbFile{data}
	table, err := file.slice(data[16:24])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	entries, err := file.table(table)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	db := &dconfDatabase{map[string]dconfValue{}, map[string]Place{}}
	for name, e := range entries {
		if e.kind == gvdbValue {
			db.values[name] = variantText(e.data)
		}
	}
	if locks, ok := entries[gvdbLocks]; ok && locks.kind == gvdbTable {
		locked, err := file.table(locks.data)
		if err != nil {
			return nil, fmt.Errorf("%s: locks: %w", path, err)
		}
		for name := range locked {
			db.locks[name] = Place{File: path}
		}
	}
	return db, nil
}

type gvdbFile struct{ data []byte }

// slice gives the bytes between two places of the file.
func (f gvdbFile) slice(pointer []byte) ([]byte, error) {
	start, end := binary.LittleEndian.Uint32(pointer), binary.LittleEndian.Uint32(pointer[4:])
	if start > end || uint64(end) > uint64(len(f.data)) {
		return nil, fmt.Errorf("found the bytes %d to %d, expected some of %d", start, end, len(f.data))
	}
	return f.data[start:end], nil
}

// table gives the entries of a hash table by their whole names.
func (f gvdbFile) table(table []byte) (map[string]gvdbEntry, error) {
	if len(table) < 8 {
		return nil, fmt.Errorf("found a table of %d bytes, expected 8 at least", len(table))
	}
	bloom, buckets := binary.LittleEndian.Uint32(table)&gvdbBloom, binary.LittleEndian.Uint32(table[4:])
	skip := 8 + 4*(uint64(bloom)+uint64(buckets))
	if skip > uint64(len(table)) || (uint64(len(table))-skip)%gvdbItem != 0 {
		return nil, fmt.Errorf("found a table of %d bytes with %d words before its items, expected whole items after them", len(table), skip/4)
	}
	items := table[skip:]
	all := map[string]gvdbEntry{}
	for i := 0; i < len(items); i += gvdbItem {
		name, err := f.name(items, uint32(i/gvdbItem))
		if err != nil {
			return nil, err
		}
		data, err := f.slice(items[i+16:])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all[name] = gvdbEntry{items[i+14], data}
	}
	return all, nil
}

// name gives the name of an item with those of its parents before it. Items that are each other's parents have ever longer ones.
func (f gvdbFile) name(items []byte, i uint32) (string, error) {
	name := ""
	for steps := 0; i != gvdbNoParent; steps++ {
		if uint64(i)*gvdbItem >= uint64(len(items)) || len(name) > longestGVDBName || steps > mostGVDBParents {
			return "", errors.New("found an item without a beginning of its name, expected parents that are in the table")
		}
		item := items[i*gvdbItem:]
		start, size := uint64(binary.LittleEndian.Uint32(item[8:])), uint64(binary.LittleEndian.Uint16(item[12:]))
		if start+size > uint64(len(f.data)) {
			return "", fmt.Errorf("found a name at byte %d, expected one within %d", start, len(f.data))
		}
		name = string(f.data[start:start+size]) + name
		i = binary.LittleEndian.Uint32(item[4:])
	}
	return name, nil
}

// variantText gives a value that is followed by its type. Words are aligned, and of a container nothing is told.
func variantText(data []byte) dconfValue {
	i := bytes.LastIndexByte(data, 0)
	if i < 0 {
		return dconfValue{}
	}
	value, kind := data[:i], string(data[i+1:])
	known := func(text string) dconfValue { return dconfValue{text: text, known: true} }
	order := binary.LittleEndian
	switch {
	case kind == "b" && len(value) == 1:
		return known(strconv.FormatBool(value[0] == 1))
	case kind == "y" && len(value) == 1:
		return known(strconv.Itoa(int(value[0])))
	case kind == "n" && len(value) == 2:
		return known(strconv.Itoa(int(int16(order.Uint16(value)))))
	case kind == "q" && len(value) == 2:
		return known(strconv.Itoa(int(order.Uint16(value))))
	case kind == "i" && len(value) == 4:
		return known(strconv.Itoa(int(int32(order.Uint32(value)))))
	case kind == "u" && len(value) == 4:
		return known(strconv.FormatUint(uint64(order.Uint32(value)), 10))
	case kind == "x" && len(value) == 8:
		return known(strconv.FormatInt(int64(order.Uint64(value)), 10))
	case kind == "t" && len(value) == 8:
		return known(strconv.FormatUint(order.Uint64(value), 10))
	case kind == "s" && len(value) > 0:
		return known(string(bytes.TrimSuffix(value, []byte{0})))
	}
	return dconfValue{}
}
