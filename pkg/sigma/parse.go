// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Option changes how rules are read.
type Option func(*options)

type options struct {
	placeholders map[string][]string
	display      string
}

// WithPlaceholders gives the values of placeholders (without the percent signs) for the modifier expand. Values may have wildcards.
// A rule with a placeholder that has no values is refused.
func WithPlaceholders(values map[string][]string) Option {
	return func(o *options) { o.placeholders = values }
}

// WithDisplayPrefix puts a prefix before the file names in rules and errors of ParseFS, such as the directory the file system shows.
func WithDisplayPrefix(prefix string) Option {
	return func(o *options) { o.display = prefix }
}

// Parse reads one file's YAML documents. rules holds every document that is good; errs one *Error for each problem (a bad
// document never takes the others down). Parse does not compare the rules with each other, see Unique.
func Parse(file string, src []byte, opts ...Option) (rules []*Rule, errs []*Error) {
	p := &parser{file: file, src: src}
	for _, opt := range opts {
		opt(&p.options)
	}
	for _, doc := range p.collection(p.documents()) {
		if rule := p.rule(doc); rule != nil {
			rules = append(rules, rule)
		}
	}
	return rules, tidy(p.errs)
}

// ParseDir reads the rule files of a directory, see ParseFS. Files are named by their path with dir before it.
func ParseDir(dir string, opts ...Option) (rules []*Rule, errs []*Error) {
	return ParseFS(os.DirFS(dir), ".", append([]Option{WithDisplayPrefix(dir)}, opts...)...)
}

// ParseFS reads every file *.yml and *.yaml under root in the order of their paths, but not those in directories whose name
// begins with a dot. Of rules with the same id only the first is kept. errs also tells what could not be read.
func ParseFS(fsys fs.FS, root string, opts ...Option) (rules []*Rule, errs []*Error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	walk := func(name string, entry fs.DirEntry, err error) error {
		shown := path.Join(o.display, name)
		switch {
		case err != nil:
			errs = append(errs, &Error{File: shown, Msg: "cannot be read: " + cause(err)})
			return nil
		case entry.IsDir() && name != root && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case !isRuleFile(fsys, name, entry):
			return nil
		}
		src, err := fs.ReadFile(fsys, name)
		if err != nil {
			errs = append(errs, &Error{File: shown, Msg: "cannot be read: " + cause(err)})
			return nil
		}
		fileRules, fileErrs := Parse(shown, src, opts...)
		rules = append(rules, fileRules...)
		errs = append(errs, fileErrs...)
		return nil
	}
	if err := fs.WalkDir(fsys, root, walk); err != nil {
		errs = append(errs, &Error{File: path.Join(o.display, root), Msg: err.Error()})
	}
	rules, repeated := Unique(rules)
	return rules, append(errs, repeated...)
}

// cause is what went wrong without the path, which the error names already.
func cause(err error) string {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err.Error()
	}
	return err.Error()
}

// isRuleFile also accepts links to files, which is how container platforms provide configuration.
func isRuleFile(fsys fs.FS, name string, entry fs.DirEntry) bool {
	if ext := path.Ext(name); ext != ".yml" && ext != ".yaml" {
		return false
	}
	if entry.Type()&fs.ModeSymlink == 0 {
		return !entry.IsDir()
	}
	info, err := fs.Stat(fsys, name)
	return err != nil || !info.IsDir() // a broken link is reported when it is read
}

// Unique keeps the first of the rules with the same id, and reports the others. Rules without an id are all kept.
func Unique(rules []*Rule) (kept []*Rule, errs []*Error) {
	first := map[string]*Rule{}
	for _, r := range rules {
		if other, ok := first[r.ID]; ok && r.ID != "" {
			errs = append(errs, &Error{File: r.File, Line: r.Line,
				Msg: fmt.Sprintf("id %s is already used by the rule at %s:%d; expected an id of its own", r.ID, other.File, other.Line)})
			continue
		}
		first[r.ID] = r
		kept = append(kept, r)
	}
	return kept, errs
}

// parser reads one file and gathers its problems.
type parser struct {
	options
	file string
	src  []byte
	errs []*Error
}

// errorAt notes a problem. What it quotes from the file may have line breaks; a message is one line.
func (p *parser) errorAt(line, column int, format string, args ...any) {
	msg := strings.NewReplacer("\n", `\n`, "\r", `\r`).Replace(fmt.Sprintf(format, args...))
	p.errs = append(p.errs, &Error{File: p.file, Line: line, Column: column, Msg: msg})
}

func (p *parser) errorf(n *yaml.Node, format string, args ...any) {
	p.errorAt(n.Line, n.Column, format, args...)
}
