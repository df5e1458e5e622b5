// SPDX-License-Identifier: Apache-2.0

package ruleset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vedette-sec/vedette/config"
	"github.com/vedette-sec/vedette/internal/yamltree"
	"github.com/vedette-sec/vedette/pkg/sigma"
)

// source is a place that documents come from.
type source struct {
	name       string // Builtin, or the path
	option     string // the key of the configuration that names it
	fsys       fs.FS
	root       string
	exceptions bool // only filters are expected
}

func sources(cfg Config) []source {
	var all []source
	if cfg.Builtin {
		all = append(all, source{name: Builtin, fsys: config.Files, root: config.RulesRoot})
	}
	for _, dir := range cfg.Directories {
		all = append(all, source{name: dir, option: "directories", fsys: os.DirFS(dir), root: "."})
	}
	for _, place := range cfg.Exceptions {
		all = append(all, source{name: place, option: "exceptions", fsys: os.DirFS(place), root: ".", exceptions: true})
	}
	return all
}

// read parses the files of a source. The error is about the source as a whole.
func (l *loader) read(s source, opts ...sigma.Option) error {
	if s.exceptions && isFile(s.name) {
		dir, file := filepath.Split(s.name)
		l.readFile(source{name: dir, fsys: os.DirFS(filepath.Clean(dir)), root: ".", exceptions: true}, file, opts)
		return nil
	}
	if s.option != "" {
		if err := checkDirectory(s.name, s.option); err != nil {
			return err
		}
	}
	return walk(s.fsys, s.root, yamltree.IsFile, func(name string, err error) error {
		if err != nil {
			return fmt.Errorf("%s: %s cannot be read, expected a directory of rules: %w", s.option, s.show(name), err)
		}
		l.readFile(s, name, opts)
		return nil
	})
}

func (l *loader) readFile(s source, name string, opts []sigma.Option) {
	shown := s.show(name)
	l.sources[shown] = s.name
	src, err := fs.ReadFile(s.fsys, name)
	if err != nil {
		l.faults = append(l.faults, &sigma.Error{File: shown, Msg: "cannot be read, expected a file of rules: " + yamltree.Cause(err)})
		return
	}
	l.texts[shown] = src
	documents, faults := sigma.Parse(shown, src, opts...)
	l.faults = append(l.faults, faults...)
	if s.exceptions {
		l.onlyFilters(documents)
	}
	l.all.Add(documents)
}

// onlyFilters refuses what is no exception: a rule that came in by a file meant to silence rules would
// surprise.
func (l *loader) onlyFilters(documents *sigma.Collection) {
	refuse := func(h *sigma.Header) {
		l.faults = append(l.faults, &sigma.Error{File: h.File, Line: h.Line,
			Msg: fmt.Sprintf("found a rule among the exceptions (%q), expected filters only", h.Title)})
	}
	for _, r := range documents.Rules {
		refuse(&r.Header)
	}
	for _, c := range documents.Correlations {
		refuse(&c.Header)
	}
	documents.Rules, documents.Correlations = nil, nil
}

// show is the path of a file as messages name it.
func (s source) show(name string) string {
	if s.name == Builtin {
		return Builtin + strings.TrimPrefix(name, s.root)
	}
	return filepath.Join(s.name, name)
}

// Text returns the content of a file by the name that reports have for it.
func Text(source, file string) ([]byte, error) {
	if source == Builtin {
		return fs.ReadFile(config.Files, config.RulesRoot+strings.TrimPrefix(file, Builtin))
	}
	return os.ReadFile(file)
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && !info.IsDir()
}

func checkDirectory(dir, option string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: %s does not exist, expected a directory", option, dir)
	case err != nil:
		return fmt.Errorf("%s: %s cannot be read, expected a directory: %w", option, dir, err)
	case !info.IsDir():
		return fmt.Errorf("%s: %s is a file, expected a directory", option, dir)
	}
	return nil
}

// walk calls visit for the files that wanted names, in the order of their paths. Hidden files and
// directories are passed over. Links to files count as files, which is how container platforms provide
// configuration. A directory that cannot be read is given to visit as an error, which ends the walk if
// visit returns it.
func walk(fsys fs.FS, root string, wanted func(name string) bool, visit func(name string, err error) error) error {
	return fs.WalkDir(fsys, root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return visit(name, err)
		}
		hidden := name != root && strings.HasPrefix(entry.Name(), ".")
		switch {
		case entry.IsDir() && hidden:
			return fs.SkipDir
		case entry.IsDir() || hidden || !wanted(name):
			return nil
		}
		if entry.Type()&fs.ModeSymlink != 0 {
			if info, err := fs.Stat(fsys, name); err == nil && info.IsDir() {
				return nil
			}
		}
		return visit(name, nil)
	})
}
