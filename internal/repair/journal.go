// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Directory is where transactions are kept, below the root of the host that is repaired.
const Directory = "/var/lib/vedette/baseline/journal"

// journal keeps what is intended, before it is done, and the images of files. Everything is on disk when a method returns.
type journal struct {
	dir  string // with transactions and images; nobody but the owner may enter it
	lock *os.File
}

// openJournal makes the directory where it is not there and keeps other processes out until close. It fails where one is in for longer than wait.
func openJournal(dir string, wait time.Duration) (*journal, error) {
	// Those above it are no secret.
	if err := os.MkdirAll(filepath.Dir(dir), directoryMode); err != nil {
		return nil, fmt.Errorf("making the journal: %w", err)
	}
	for _, d := range []string{dir, filepath.Join(dir, "images"), filepath.Join(dir, "transactions")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("making the journal: %w", err)
		}
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	if uid, _ := owners(info); uid != os.Geteuid() || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s: found a directory of the number %d with the mode %o, expected one's own with 700: it has images of private files", dir, uid, info.Mode().Perm())
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	for until := time.Now().Add(wait); ; time.Sleep(busyPause) {
		if err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			return &journal{dir: dir, lock: lock}, nil
		}
		if time.Now().After(until) {
			break
		}
	}
	return nil, errors.Join(fmt.Errorf("%s: %w: %w", dir, errBusy, err), lock.Close())
}

// How long other processes are waited for, and how often it is tried: one that waits for a confirmation looks now and then.
const (
	longestBusy = 10 * time.Second
	busyPause   = 50 * time.Millisecond
)

// errBusy says that another process has the journal.
var errBusy = errors.New("another repair is at work")

func (j *journal) close() error { return j.lock.Close() }

func (j *journal) imagePath(hash string) string { return filepath.Join(j.dir, "images", hash) }

// keep keeps a file's content under its hash.
func (j *journal) keep(content []byte) error {
	name := j.imagePath(hashOf(content))
	if have, err := os.ReadFile(name); err == nil && bytes.Equal(have, content) {
		return nil
	}
	temp := name + ".new"
	if err := removeIfThere(temp); err != nil {
		return err
	}
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("keeping an image: %w", err)
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(temp, name)
	}
	if err == nil {
		err = syncDir(filepath.Dir(name))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("keeping an image: %w", err), removeIfThere(temp))
	}
	return nil
}

// image gives a content that was kept.
func (j *journal) image(hash string) ([]byte, error) {
	content, err := os.ReadFile(j.imagePath(hash))
	if err != nil {
		return nil, fmt.Errorf("reading an image: %w", err)
	}
	if hashOf(content) != hash {
		return nil, fmt.Errorf("reading an image: %s is damaged", j.imagePath(hash))
	}
	return content, nil
}

// What a record tells.
const (
	eventBegin   = "begin"     // what the transaction is
	eventIntent  = "intent"    // what will be changed for a rule
	eventKept    = "kept"      // the rule's changes are made and stay
	eventUndone  = "undone"    // the rule's changes are taken back
	eventWait    = "wait"      // what is kept is undone at a time, unless it is confirmed
	eventConfirm = "confirmed" // it stays
	eventEnd     = "end"       // nothing more is done
)

// record is a line of a transaction's journal.
type record struct {
	Event    string    `json:"event"`
	Time     time.Time `json:"time"`
	Kind     string    `json:"kind,omitempty"`
	Template string    `json:"template,omitempty"`
	Rule     string    `json:"rule,omitempty"`
	Of       string    `json:"of,omitempty"` // the transaction whose changes are taken back
	Changes  []Change  `json:"changes,omitempty"`
	Guarded  bool      `json:"guarded,omitempty"` // it could lock people out
	Until    time.Time `json:"until,omitzero"`
	Reason   string    `json:"reason,omitempty"`
	Left     []string  `json:"left,omitempty"` // what was somebody else's and was not touched
}

func (j *journal) path(id string) string { return filepath.Join(j.dir, "transactions", id) }

// append adds a record to a transaction.
func (j *journal) append(id string, r record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	f, err := os.OpenFile(j.path(id), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	err = j.appendLine(f, append(line, '\n'))
	if err = errors.Join(err, f.Close()); err == nil && r.Event == eventBegin {
		err = syncDir(filepath.Dir(j.path(id)))
	}
	if err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	return nil
}

// appendLine leaves no part of a line behind that did not fit on the disk.
func (j *journal) appendLine(f *os.File, line []byte) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if _, err = f.Write(line); err == nil {
		err = f.Sync()
	}
	if err != nil {
		return errors.Join(err, f.Truncate(info.Size()))
	}
	return nil
}

// ids gives all transactions, the oldest first.
func (j *journal) ids() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(j.dir, "transactions"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the journal: %w", err)
	}
	var ids []string
	for _, e := range entries {
		ids = append(ids, e.Name())
	}
	slices.Sort(ids)
	return ids, nil
}

// read gives a transaction. A last line that has no end was never synced, so nothing was done for it.
func (j *journal) read(id string) (*Transaction, error) {
	data, err := os.ReadFile(j.path(id))
	if err != nil {
		return nil, fmt.Errorf("reading the journal: %w", err)
	}
	return parseTransaction(id, j.path(id), data)
}

func parseTransaction(id, path string, data []byte) (*Transaction, error) {
	t := &Transaction{ID: id, State: Unended}
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		if !strings.HasSuffix(line, "\n") {
			break
		}
		var r record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			return nil, fmt.Errorf("%s:%d: found no record of a transaction: %w", path, n, err)
		}
		if err := t.add(r); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
	}
	return t, nil
}
