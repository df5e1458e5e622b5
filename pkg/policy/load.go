// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/vedette-sec/vedette/internal/yamltree"
)

// Load reads policies from files and from directories, see LoadFS. It gives every policy that is good, and as error, of type
// Errors, everything that is wrong with the others. Of several policies with one name the first is good.
func Load(places ...string) (*Set, error) {
	l := &loader{}
	for _, place := range places {
		info, err := os.Stat(place)
		switch {
		case err != nil:
			l.fail(place, err)
		case info.IsDir():
			l.walk(os.DirFS(place), ".", place)
		default:
			data, err := os.ReadFile(place)
			l.add(place, data, err)
		}
	}
	return l.set()
}

// LoadFS reads every file *.yaml and *.yml below root, but not those in directories whose name begins with a dot. Files are
// named by their path below root, with shown before it.
func LoadFS(fsys fs.FS, root, shown string) (*Set, error) {
	l := &loader{}
	sub, err := fs.Sub(fsys, root)
	if err != nil {
		l.fail(root, err)
		return l.set()
	}
	l.walk(sub, ".", shown)
	return l.set()
}

// loader gathers policies and problems.
type loader struct {
	policies []*Policy
	errs     Errors
}

func (l *loader) fail(name string, err error) {
	l.errs = append(l.errs, &Error{Position{File: name}, "cannot be read: " + yamltree.Cause(err)})
}

func (l *loader) walk(fsys fs.FS, root, shown string) {
	err := fs.WalkDir(fsys, root, func(name string, entry fs.DirEntry, err error) error {
		full := path.Join(shown, name)
		switch {
		case err != nil:
			l.fail(full, err)
		case entry.IsDir() && name != root && strings.HasPrefix(entry.Name(), "."):
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

func (l *loader) add(name string, data []byte, err error) {
	if err != nil {
		l.fail(name, err)
		return
	}
	policies, err := Parse(name, data)
	l.policies = append(l.policies, policies...)
	var errs Errors
	if errors.As(err, &errs) {
		l.errs = append(l.errs, errs...)
	}
}

func (l *loader) set() (*Set, error) {
	policies, doubled := distinct(l.policies)
	slices.SortFunc(policies, func(a, b *Policy) int { return strings.Compare(a.Name, b.Name) })
	return &Set{policies}, append(l.errs, doubled...).orNil()
}
