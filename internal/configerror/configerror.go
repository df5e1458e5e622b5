// SPDX-License-Identifier: Apache-2.0

// Package configerror turns the Collector's configuration errors into lines that name the file,
// the line, what was found there and what was expected.
package configerror

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"

	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/otelcol"
)

// Problem is one thing that is wrong with the configuration.
type Problem struct {
	File    string // path as the user gave it; empty where no file is to blame
	Line    int    // from 1; 0 where no line is to blame
	Message string
}

func (p Problem) String() string {
	switch {
	case p.File == "":
		return p.Message
	case p.Line == 0:
		return fmt.Sprintf("%s: %s", p.File, p.Message)
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message)
}

// Error is a broken configuration: one line for each problem, in the order of the files.
type Error struct {
	Problems []Problem
	cause    error
}

func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, problem := range e.Problems {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the Collector's own error.
func (e *Error) Unwrap() error { return e.cause }

// Files collects the configuration files that a Collector reads, in their order. It is safe for
// concurrent use.
type Files struct {
	mu      sync.Mutex
	paths   []string
	digests map[string][sha256.Size]byte // of each file's content when it was last read
	changed confmap.WatcherFunc          // nil where nobody is to be told: before the first reading, before an announced one, after the end
}

// Watch returns provider factories that do what the given ones do and note the files they read.
func (f *Files) Watch(factories []confmap.ProviderFactory) []confmap.ProviderFactory {
	watched := make([]confmap.ProviderFactory, len(factories))
	for i, factory := range factories {
		watched[i] = confmap.NewProviderFactory(func(set confmap.ProviderSettings) confmap.Provider {
			return watchedProvider{factory.Create(set), f}
		})
	}
	return watched
}

type watchedProvider struct {
	confmap.Provider
	files *Files
}

func (p watchedProvider) Retrieve(ctx context.Context, uri string, changed confmap.WatcherFunc) (*confmap.Retrieved, error) {
	if path, ok := strings.CutPrefix(uri, "file:"); ok {
		p.files.add(path, changed)
	}
	return p.Provider.Retrieve(ctx, uri, changed)
}

// Shutdown ends the announcements first: the Collector closes their channel next, though a signal may still be being answered.
func (p watchedProvider) Shutdown(ctx context.Context) error {
	p.files.mu.Lock()
	p.files.changed = nil
	p.files.mu.Unlock()
	return p.Provider.Shutdown(ctx)
}

func (f *Files) add(path string, changed confmap.WatcherFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Contains(f.paths, path) {
		f.paths = append(f.paths, path)
	}
	if f.digests == nil {
		f.digests = map[string][sha256.Size]byte{}
	}
	f.digests[path] = digest(path)
	f.changed = changed
}

// digest stands for the content of a file; one that cannot be read counts as empty.
func digest(path string) [sha256.Size]byte {
	content, err := os.ReadFile(path)
	if err != nil {
		content = nil
	}
	return sha256.Sum256(content)
}

// Changed reports whether a file has another content than when the Collector read it.
func (f *Files) Changed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for path, before := range f.digests {
		if digest(path) != before {
			return true
		}
	}
	return false
}

// Announce makes the Collector that read the files read them anew and start its pipelines with them. It does nothing where that is
// announced already, so that it never waits for the Collector, whose channel has room for one, and nothing after the Collector's end.
func (f *Files) Announce() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.changed != nil {
		f.changed(&confmap.ChangeEvent{})
		f.changed = nil
	}
}

func (f *Files) list() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.paths)
}

// Explain returns an *Error for a configuration error of the Collector that read the files, and
// any other error as it is. The factories tell which keys and components there are.
func Explain(err error, files *Files, factories otelcol.Factories) error {
	if err == nil {
		return nil
	}
	docs := loadDocuments(files.list())
	if problem, ok := docs.broken(); ok {
		return &Error{[]Problem{problem}, err}
	}
	if problem, ok := unreadable(err, docs); ok {
		return &Error{[]Problem{problem}, err}
	}
	e := explainer{docs: docs, schema: schema{factories}}
	e.walk(err, nil)
	if !e.located {
		return err
	}
	slices.SortStableFunc(e.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	slices.SortStableFunc(e.problems, func(a, b Problem) int { return docs.order(a.File) - docs.order(b.File) })
	return &Error{slices.Compact(e.problems), err}
}

// unreadable explains a file that cannot be read, be it named by --config or by ${file:...}.
func unreadable(err error, docs documents) (Problem, bool) {
	var at *fs.PathError
	if !errors.As(err, &at) || !strings.Contains(err.Error(), "cannot resolve the configuration") {
		return Problem{}, false
	}
	message := fmt.Sprintf("cannot read the configuration file %s: %v", at.Path, at.Err)
	problem, ok := docs.findText("file:" + at.Path)
	problem.Message = message
	if !ok {
		return Problem{Message: message}, true
	}
	return problem, true
}
