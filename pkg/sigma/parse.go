// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/vedette-sec/vedette/internal/yamltree"
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

// Parse reads one file's YAML documents. The collection holds every document that is good; errs one *Error for each problem (a bad
// document never takes the others down). Parse does not compare the documents with each other, see Collection.Unique and Collection.Resolve.
func Parse(file string, src []byte, opts ...Option) (c *Collection, errs []*Error) {
	p := &parser{file: file, src: src}
	for _, opt := range opts {
		opt(&p.options)
	}
	c = &Collection{}
	for _, doc := range p.collection(p.documents()) {
		p.document(c, doc)
	}
	return c, tidy(p.errs)
}

// documents reads the file's YAML documents that have content.
func (p *parser) documents() []*yaml.Node {
	p.src = bytes.TrimPrefix(p.src, []byte("\xef\xbb\xbf"))
	docs, problems := yamltree.Documents(p.src)
	for _, problem := range problems {
		p.errorAt(problem.Line, problem.Column, "%s", problem.Msg)
	}
	return docs
}

// document reads a rule, a correlation or a filter, and adds it if it is good.
func (p *parser) document(c *Collection, doc *yaml.Node) {
	switch {
	case yamltree.ValueOf(doc, "correlation") != nil:
		if correlation := p.correlation(doc); correlation != nil {
			c.Correlations = append(c.Correlations, correlation)
		}
	case yamltree.ValueOf(doc, "filter") != nil:
		if filter := p.filter(doc); filter != nil {
			c.Filters = append(c.Filters, filter)
		}
	default:
		if rule := p.rule(doc); rule != nil {
			c.Rules = append(c.Rules, rule)
		}
	}
}

// ParseDir reads the rule files of a directory, see ParseFS. Files are named by their path with dir before it.
func ParseDir(dir string, opts ...Option) (c *Collection, errs []*Error) {
	return ParseFS(os.DirFS(dir), ".", append([]Option{WithDisplayPrefix(dir)}, opts...)...)
}

// ParseFS reads every file *.yml and *.yaml under root in the order of their paths, but not those in directories whose name
// begins with a dot. Of documents with the same id only the first is kept. errs also tells what could not be read.
func ParseFS(fsys fs.FS, root string, opts ...Option) (c *Collection, errs []*Error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	c = &Collection{}
	walk := func(name string, entry fs.DirEntry, err error) error {
		shown := path.Join(o.display, name)
		switch {
		case err != nil:
			errs = append(errs, &Error{File: shown, Msg: "cannot be read: " + yamltree.Cause(err)})
			return nil
		case entry.IsDir() && name != root && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case !isRuleFile(fsys, name, entry):
			return nil
		}
		src, err := fs.ReadFile(fsys, name)
		if err != nil {
			errs = append(errs, &Error{File: shown, Msg: "cannot be read: " + yamltree.Cause(err)})
			return nil
		}
		fileRules, fileErrs := Parse(shown, src, opts...)
		c.Add(fileRules)
		errs = append(errs, fileErrs...)
		return nil
	}
	if err := fs.WalkDir(fsys, root, walk); err != nil {
		errs = append(errs, &Error{File: path.Join(o.display, root), Msg: err.Error()})
	}
	return c, append(errs, c.Unique()...)
}

// isRuleFile also accepts links to files, which is how container platforms provide configuration.
func isRuleFile(fsys fs.FS, name string, entry fs.DirEntry) bool {
	if !yamltree.IsFile(name) {
		return false
	}
	if entry.Type()&fs.ModeSymlink == 0 {
		return !entry.IsDir()
	}
	info, err := fs.Stat(fsys, name)
	return err != nil || !info.IsDir() // a broken link is reported when it is read
}

// parser reads one file and gathers its problems.
type parser struct {
	options
	file string
	src  []byte
	errs []*Error
}

// errorAt notes a problem. What it quotes from the file may have line breaks; a message has none.
func (p *parser) errorAt(line, column int, format string, args ...any) {
	p.errs = append(p.errs, &Error{File: p.file, Line: line, Column: column, Msg: yamltree.OneLine(fmt.Sprintf(format, args...))})
}

func (p *parser) errorf(n *yaml.Node, format string, args ...any) {
	p.errorAt(n.Line, n.Column, format, args...)
}
