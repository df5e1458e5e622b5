// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/vedette-sec/vedette/internal/yamltree"
)

// Set are templates with different ids, in their order, and waivers.
type Set struct {
	Templates []*Template
	Waivers   []*Waiver
}

// Template gives the template with an id, nil if there is none.
func (s *Set) Template(id string) *Template {
	for _, t := range s.Templates {
		if t.ID == id {
			return t
		}
	}
	return nil
}

// Loader gathers files. The zero Loader is empty.
type Loader struct {
	set  Set
	errs Errors
}

// Add reads files and directories, see AddFS.
func (l *Loader) Add(places ...string) {
	for _, place := range places {
		info, err := os.Stat(place)
		switch {
		case err != nil:
			l.fail(place, err)
		case info.IsDir():
			l.AddFS(os.DirFS(place), place)
		default:
			data, err := os.ReadFile(place)
			l.add(place, data, err)
		}
	}
}

// AddFS reads every file *.yaml and *.yml, but not those in directories whose name begins with a dot. Files are named by their
// path with shown before it.
func (l *Loader) AddFS(fsys fs.FS, shown string) {
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		full := path.Join(shown, name)
		switch {
		case err != nil:
			l.fail(full, err)
		case entry.IsDir() && name != "." && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case !entry.IsDir() && yamltree.IsFile(name):
			data, err := fs.ReadFile(fsys, name)
			l.add(full, data, err)
		}
		return nil
	})
	if err != nil {
		l.fail(shown, err)
	}
}

func (l *Loader) fail(name string, err error) {
	l.errs = append(l.errs, &Error{Position{File: name}, "cannot be read: " + yamltree.Cause(err)})
}

func (l *Loader) add(name string, data []byte, err error) {
	if err != nil {
		l.fail(name, err)
		return
	}
	file, err := Parse(name, data)
	var errs Errors
	if errors.As(err, &errs) {
		l.errs = append(l.errs, errs...)
	}
	for _, t := range file.Templates {
		if known := l.set.Template(t.ID); known != nil {
			l.errs = append(l.errs, &Error{t.Position, "template: found " + yamltree.Quote(t.ID) + " twice, first in " +
				known.Position.String() + ", expected an id that no other template has"})
			continue
		}
		l.set.Templates = append(l.set.Templates, t)
	}
	l.set.Waivers = append(l.set.Waivers, file.Waivers...)
}

// Set gives what was read, and as error, of type Errors, everything that is wrong: with files, and with templates that cannot
// be resolved. Those are left out.
func (l *Loader) Set() (*Set, error) {
	slices.SortFunc(l.set.Templates, func(a, b *Template) int { return strings.Compare(a.ID, b.ID) })
	good := &Set{}
	for _, w := range l.set.Waivers {
		if w.Template != "" && l.set.Template(w.Template) == nil {
			l.errs = append(l.errs, &Error{w.Position, "waivers.template: found " + yamltree.Quote(w.Template) + ", expected one of " +
				strings.Join(l.set.ids(), ", ")})
			continue
		}
		good.Waivers = append(good.Waivers, w)
	}
	for _, t := range l.set.Templates {
		_, err := l.set.Resolve(t.ID, nil)
		var errs Errors
		if errors.As(err, &errs) {
			l.errs = append(l.errs, errs...)
			continue
		}
		good.Templates = append(good.Templates, t)
	}
	return good, l.errs.orNil()
}
