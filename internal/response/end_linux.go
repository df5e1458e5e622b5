// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package response

import (
	"errors"
	"fmt"
	"maps"

	"github.com/vedette-sec/vedette/extension/enforcementextension/enforcement"
	"github.com/vedette-sec/vedette/internal/response/firewall"
	"github.com/vedette-sec/vedette/internal/response/journal"
	"github.com/vedette-sec/vedette/internal/response/target"
	"github.com/vedette-sec/vedette/internal/response/vault"
)

// Entries returns everything that was recorded, oldest first.
func (e *Engine) Entries() (all []journal.Entry, err error) {
	err = e.journal.Do(func(c *journal.Change) error {
		all = c.Entries()
		return nil
	})
	return all, err
}

// Undo ends an action as an operator asks for it. A quarantined file is not given back this way:
// that deserves a word of its own.
func (e *Engine) Undo(id string) (journal.Entry, error) {
	return e.endByOperator(id, func(entry journal.Entry) error {
		if entry.Request.Action == enforcement.QuarantineFile {
			return fmt.Errorf("%s is a file in quarantine; `vedette response restore %s` puts it back", id, id)
		}
		return nil
	})
}

// Restore puts a quarantined file back.
func (e *Engine) Restore(id string) (journal.Entry, error) {
	return e.endByOperator(id, func(entry journal.Entry) error {
		if entry.Request.Action != enforcement.QuarantineFile {
			return fmt.Errorf("%s is no file in quarantine but %s; `vedette response undo %s` ends it", id, entry.Request.Action, id)
		}
		return nil
	})
}

func (e *Engine) endByOperator(id string, fits func(journal.Entry) error) (ended journal.Entry, err error) {
	err = e.journal.Do(func(c *journal.Change) error {
		entry, ok := c.Entry(id)
		if !ok {
			return fmt.Errorf("no response has the id %q; `vedette response list` shows those there are", id)
		}
		if err := fits(entry); err != nil {
			return err
		}
		if !entry.Active {
			return fmt.Errorf("%s is not in force: %s", id, whyNot(entry))
		}
		ended, err = e.end(c, entry, enforcement.Undo)
		return err
	})
	return ended, err
}

func whyNot(entry journal.Entry) string {
	switch {
	case entry.End != nil:
		return fmt.Sprintf("it ended at %s (%s)", entry.End.Time.Local().Format("2006-01-02 15:04:05"), entry.End.Step)
	case entry.Outcome != enforcement.Done:
		return fmt.Sprintf("its outcome was %s", entry.Outcome)
	}
	return fmt.Sprintf("%s cannot be undone", entry.Request.Action)
}

// end takes an action back. When that fails it stays in force, so that it can be tried again.
func (e *Engine) end(c *journal.Change, entry journal.Entry, step enforcement.Step) (journal.Entry, error) {
	note, err := e.takeBack(entry)
	if err != nil {
		return entry, err
	}
	entry.Active = false
	entry.End = &journal.End{Time: e.now().UTC(), Step: step, Outcome: enforcement.Done, Reason: note}
	return entry, c.Put(entry)
}

func (e *Engine) takeBack(entry journal.Entry) (note string, err error) {
	sameBoot := entry.Boot == e.processes.BootID
	switch entry.Request.Action {
	case enforcement.Suspend:
		if !sameBoot {
			return "the process ended with the boot", nil
		}
		err = e.processes.Resume(entry.Request.Process)
		if errors.Is(err, target.ErrGone) || errors.Is(err, target.ErrRefused) {
			return "the process has ended", nil
		}
		return "", err
	case enforcement.BlockAddress:
		return e.hits(entry), e.config.Firewall.Unblock(entry.Request.Address)
	case enforcement.BlockExecutable:
		if e.config.Executables == nil {
			return "a running agent lets it be run again within a second", nil
		}
		return "", e.letRun(entry.ID)
	case enforcement.IsolateHost:
		return e.hits(entry), e.config.Firewall.Release()
	case enforcement.QuarantineFile:
		return e.restore(entry)
	}
	return "", nil
}

func (e *Engine) restore(entry journal.Entry) (string, error) {
	v := vault.Vault{Directory: entry.Vault}
	// The agent may have died before the file was moved.
	if entry.Outcome == "" && !v.Holds(entry.ID) {
		return "the file never came into the vault", nil
	}
	_, err := v.Restore(entry.ID)
	return "", err
}

// hits tells how much was refused. A block that expired is out of the kernel's maps already.
func (e *Engine) hits(entry journal.Entry) string {
	state, err := e.config.Firewall.State()
	if err != nil {
		return ""
	}
	block, there := state.Blocks[entry.Request.Address]
	if entry.Request.Action == enforcement.IsolateHost {
		block, there = state.Isolation, state.Isolated
	}
	if !there {
		return ""
	}
	return fmt.Sprintf("%d calls and packets were refused", block.Hits)
}

// Recover brings the kernel in line with the journal when an agent starts: it adopts what an earlier
// one left in force, does again what a reboot undid, and closes what was never finished. What it ends
// because its time is up is reported by Tick.
func (e *Engine) Recover() error {
	return e.journal.Do(func(c *journal.Change) error {
		_, err := e.config.Firewall.Adopt()
		errs := []error{err}
		for _, entry := range c.Entries() {
			if !entry.Active {
				e.ended[entry.ID] = true
				continue
			}
			if !e.expired(entry) {
				errs = append(errs, e.resume(c, entry))
			}
		}
		return errors.Join(errs...)
	})
}

// resume puts an action in force again.
func (e *Engine) resume(c *journal.Change, entry journal.Entry) error {
	again := entry
	if entry.Request.Action == enforcement.IsolateHost && len(e.config.Peers) == 0 {
		// Nobody could reach the host any more.
		_, err := e.end(c, entry, enforcement.Undo)
		return err
	}
	switch entry.Request.Action {
	case enforcement.BlockAddress, enforcement.BlockExecutable, enforcement.IsolateHost:
		if entry.Boot != e.processes.BootID && !entry.Expires.IsZero() {
			again.ExpiresBoot = firewall.SinceBoot() + entry.Expires.Sub(e.now())
		}
		again.Boot = e.processes.BootID
		if _, err := e.act(&again); err != nil {
			return fmt.Errorf("put %s %s in force again: %w", entry.Request.Action, entry.ID, err)
		}
	case enforcement.QuarantineFile:
		again.Active = vault.Vault{Directory: entry.Vault}.Holds(entry.ID)
	}
	if again.Outcome == "" {
		again.Outcome, again.Reason = enforcement.Done, "the agent ended before it was finished"
	}
	if again == entry {
		return nil
	}
	return c.Put(again)
}

// expired tells whether the time of an action is up. In the boot in which it began, no clock that was
// set counts.
func (e *Engine) expired(entry journal.Entry) bool {
	switch {
	case entry.Expires.IsZero():
		return false
	case entry.Boot == e.processes.BootID:
		return firewall.SinceBoot() >= entry.ExpiresBoot
	}
	return !e.now().Before(entry.Expires)
}

// Tick ends what is due and returns the results of all ends since the last call, those that operators
// asked for among them.
func (e *Engine) Tick() ([]enforcement.Result, error) {
	var results []enforcement.Result
	var errs []error
	err := e.journal.Do(func(c *journal.Change) error {
		all := c.Entries()
		e.forget(all)
		for _, entry := range all {
			if entry.Active && e.expired(entry) {
				ended, err := e.end(c, entry, enforcement.Expire)
				if err != nil {
					errs = append(errs, fmt.Errorf("end %s %s: %w", entry.Request.Action, entry.ID, err))
				}
				entry = ended
			}
			if entry.End != nil && !e.ended[entry.ID] {
				e.ended[entry.ID] = true
				errs = append(errs, e.letRun(entry.ID)) // an operator's command cannot
				results = append(results, endResult(entry))
			}
		}
		return nil
	})
	return results, errors.Join(append(errs, err, e.journal.Compact())...)
}

// forget drops what is remembered of entries that the journal has no more.
func (e *Engine) forget(all []journal.Entry) {
	if len(e.ended) <= len(all) {
		return
	}
	there := map[string]bool{}
	for _, entry := range all {
		there[entry.ID] = true
	}
	maps.DeleteFunc(e.ended, func(id string, _ bool) bool { return !there[id] })
}

func endResult(entry journal.Entry) enforcement.Result {
	return enforcement.Result{
		Request: entry.Request, Step: entry.End.Step, Outcome: entry.End.Outcome, Reason: entry.End.Reason,
		UndoID: entry.ID, Time: entry.End.Time,
	}
}
