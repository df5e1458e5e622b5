// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/term"

	"github.com/vedette-sec/vedette/internal/baselines"
)

// output is where a report goes and how it is written.
type output struct {
	format, file string
}

// extensions are formats by the end of a file's name.
var extensions = map[string]string{".html": "html", ".htm": "html", ".json": "json", ".jsonl": "ocsf", ".csv": "csv", ".sarif": "sarif", ".xml": "xccdf", ".txt": "text"}

// check finds the format before there is anything to write.
func (o *output) check() error {
	if known, ok := extensions[filepath.Ext(o.file)]; ok && o.format == "text" {
		o.format = known
	}
	if !slices.Contains(baselines.Formats(), o.format) {
		return fmt.Errorf("--format: found %q, expected one of %s", o.format, strings.Join(baselines.Formats(), ", "))
	}
	return nil
}

func (o *output) write(stdout io.Writer, report *baselines.Report, view baselines.View) error {
	if o.file == "" {
		view.Colour = colourful(stdout)
		return report.Write(stdout, o.format, view)
	}
	// What is wrong with a host is not for everybody to read.
	file, err := os.OpenFile(o.file, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	if err := errors.Join(report.Write(file, o.format, view), file.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", o.file, err)
	}
	return nil
}

const (
	progressWidth  = 40 // signs that the bar has where there is room
	progressCounts = 20 // columns that are kept for what is around it
)

// progress is a bar on a terminal, and nothing elsewhere.
type progress struct {
	guard sync.Mutex
	out   io.Writer // nil where there is no terminal
	width int       // of the bar
	shown int
}

func newProgress(out io.Writer) *progress {
	if !colourful(out) {
		return &progress{}
	}
	p := &progress{out: out, width: progressWidth}
	// A line that is broken cannot be taken back by a carriage return.
	if columns, _, err := term.GetSize(int(out.(*os.File).Fd())); err == nil && columns > 0 {
		p.width = max(0, min(p.width, columns-progressCounts))
	}
	return p
}

// tell moves the bar, never back, as those who work tell it in any order.
func (p *progress) tell(done, all int) {
	p.guard.Lock()
	defer p.guard.Unlock()
	if p.out == nil || done <= p.shown {
		return
	}
	p.shown = done
	filled := p.width * done / all
	fmt.Fprintf(p.out, "\r[%s%s] %d/%d", strings.Repeat("#", filled), strings.Repeat(".", p.width-filled), done, all)
}

// end takes the bar away.
func (p *progress) end() {
	if p.out != nil {
		fmt.Fprintf(p.out, "\r%*s\r", p.width+progressCounts-1, "")
	}
}
