// SPDX-License-Identifier: Apache-2.0

package securitylogexporter

import (
	"fmt"
	"os"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"golang.org/x/term"
)

// writeTime is how long a write to the terminal may take. A terminal that someone has stopped with
// Ctrl-S must not hold up the security log.
const writeTime = 250 * time.Millisecond

// stalled is how long nothing is shown after a write that took too long.
const stalled = 5 * time.Second

// terminal shows records to a person. It is not safe for concurrent use.
type terminal struct {
	out      *os.File
	owned    bool // out was opened here: it takes deadlines, and is closed with the terminal
	patience time.Duration
	render   renderer
	resume   time.Time // nothing is shown before
	buffer   []byte
}

// newTerminal returns the terminal on stdout; nil where the mode says that nothing is shown.
func newTerminal(mode string, stdout *os.File) *terminal {
	isTerminal := term.IsTerminal(int(stdout.Fd()))
	if mode == terminalNever || (mode == terminalAuto && !isTerminal) {
		return nil
	}
	t := &terminal{out: stdout, patience: writeTime, render: renderer{location: time.Local}}
	if !isTerminal {
		return t
	}
	t.render.colour = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	// Deadlines need a descriptor that does not block. The flag belongs to the open file, which
	// other programs share, so the terminal is opened once more.
	if own, err := openNonblocking(stdout); err == nil {
		t.out, t.owned = own, true
	}
	return t
}

// show prints one record.
func (t *terminal) show(lr plog.LogRecord) error {
	if time.Now().Before(t.resume) {
		return fmt.Errorf("the terminal takes nothing since %s", t.resume.Add(-stalled).Format(time.TimeOnly))
	}
	t.buffer = t.render.append(t.buffer[:0], lr)
	if t.owned {
		// It counts from here, as what takes long before the write says nothing about the terminal.
		if err := t.out.SetWriteDeadline(time.Now().Add(t.patience)); err != nil {
			return fmt.Errorf("set a deadline: %w", err)
		}
	}
	if _, err := t.out.Write(t.buffer); err != nil {
		t.resume = time.Now().Add(stalled)
		return err
	}
	return nil
}

func (t *terminal) close() {
	if t.owned {
		t.out.Close() // nothing is buffered, so there is nothing to lose
	}
}
