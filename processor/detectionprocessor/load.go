// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vedette-sec/vedette/config"
	"github.com/vedette-sec/vedette/pkg/sigma"
)

// builtinRuleset is the name of the rules that are part of the program.
const builtinRuleset = "builtin"

// source is a place that rules come from.
type source struct {
	name string // builtin, or the directory
	fsys fs.FS
	root string
}

// loaded is what one source gave.
type loaded struct {
	source  string
	rules   []*rule
	refused []error // one for each fault, with file, line and column where the fault has them
}

func (l loaded) String() string {
	return fmt.Sprintf("%s: %d loaded, %d refused", l.source, len(l.rules), len(l.refused))
}

// load reads the rules of every source. The error is about a directory that cannot be read; broken
// rules are in the result.
func load(cfg RulesConfig) ([]loaded, error) {
	var sources []source
	if cfg.Builtin {
		sources = append(sources, source{builtinRuleset, config.Files, config.RulesRoot})
	}
	for _, dir := range cfg.Directories {
		if err := checkDirectory(dir); err != nil {
			return nil, fmt.Errorf("rules::directories: %w", err)
		}
		sources = append(sources, source{dir, os.DirFS(dir), "."})
	}
	seen := map[string]*sigma.Rule{}
	all := make([]loaded, 0, len(sources))
	for _, s := range sources {
		l, err := s.load(seen)
		if err != nil {
			return nil, fmt.Errorf("rules::directories: %w", err)
		}
		all = append(all, l)
	}
	return all, nil
}

func checkDirectory(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s does not exist, expected a directory of rules", dir)
	case err != nil:
		return fmt.Errorf("%s cannot be read, expected a directory of rules: %w", dir, err)
	case !info.IsDir():
		return fmt.Errorf("%s is a file, expected a directory of rules", dir)
	}
	return nil
}

// load reads the source's files. An id that is in seen already is refused; new ones are added.
func (s source) load(seen map[string]*sigma.Rule) (loaded, error) {
	l := loaded{source: s.name}
	err := fs.WalkDir(s.fsys, s.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("%s cannot be read, expected a directory of rules: %w", s.show(path), err)
		}
		hidden := path != s.root && strings.HasPrefix(d.Name(), ".")
		switch {
		case d.IsDir() && hidden:
			return fs.SkipDir
		case d.IsDir() || hidden || !isRuleFile(path):
			return nil
		}
		l.read(s, path, seen)
		return nil
	})
	return l, err
}

func (l *loaded) read(s source, path string, seen map[string]*sigma.Rule) {
	src, err := fs.ReadFile(s.fsys, path)
	if err != nil {
		l.refused = append(l.refused, fmt.Errorf("%s: cannot be read, expected a file of rules: %w", s.show(path), err))
		return
	}
	c, faults := sigma.Parse(s.show(path), src)
	for _, fault := range faults {
		l.refused = append(l.refused, fault)
	}
	for _, correlation := range c.Correlations {
		l.refused = append(l.refused, fmt.Errorf("%s:%d:1: found a correlation, expected a rule: correlations are not supported", correlation.File, correlation.Line))
	}
	for _, filter := range c.Filters {
		l.refused = append(l.refused, fmt.Errorf("%s:%d:1: found a filter, expected a rule: filters are not supported", filter.File, filter.Line))
	}
	for _, r := range c.Rules {
		if other, ok := seen[r.ID]; ok && r.ID != "" {
			l.refused = append(l.refused, fmt.Errorf("%s:%d:1: the id %s is taken by the rule at %s:%d, expected an id of its own",
				r.File, r.Line, r.ID, other.File, other.Line))
			continue
		}
		seen[r.ID] = r
		l.rules = append(l.rules, newRule(r, s.name))
	}
}

// show is the path of a file as messages name it.
func (s source) show(path string) string {
	if s.name == builtinRuleset {
		return builtinRuleset + strings.TrimPrefix(path, s.root)
	}
	return filepath.Join(s.name, path)
}

func isRuleFile(path string) bool {
	ext := filepath.Ext(path)
	return ext == ".yml" || ext == ".yaml"
}
