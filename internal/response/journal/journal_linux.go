// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package journal records what was done in response to alerts, so that it can be listed, undone and
// ended in time whichever process did it, also after a restart.
//
// A journal is a file of JSON lines, each the state of one entry; the last line of an entry counts.
// Two locks guard it: one is held for the length of a change, by the agent or an operator's command,
// and the other as long as an agent works with the journal.
package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/extension/enforcementextension/enforcement"
	"github.com/vedette-sec/vedette/internal/filelock"
)

// Names of the files in the journal's directory.
const (
	fileName  = "responses.jsonl"
	lockName  = "lock"
	agentName = "agent"
)

// ErrNone says that there is no journal.
var ErrNone = errors.New("nothing was recorded")

// ErrAgent says that another agent works with the journal.
var ErrAgent = errors.New("another agent uses this directory")

// Entry is an action and what became of it.
type Entry struct {
	ID      string              `json:"id"`
	Time    time.Time           `json:"time"`
	Request enforcement.Request `json:"request"`
	// Outcome is empty while the action is under way.
	Outcome enforcement.Outcome `json:"outcome,omitempty"`
	Reason  string              `json:"reason,omitempty"`
	// Active tells whether there is something to end.
	Active bool `json:"active"`

	Expires time.Time `json:"expires,omitzero"` // zero: never
	// Boot is the boot in which it was done, and ExpiresBoot the time since that boot: a clock that
	// is set does not lengthen anything.
	Boot        string        `json:"boot"`
	ExpiresBoot time.Duration `json:"expires_boot,omitempty"`

	Vault string `json:"vault,omitempty"` // directory that holds the file

	End *End `json:"end,omitempty"`
}

// End is how an action ended.
type End struct {
	Time    time.Time           `json:"time"`
	Step    enforcement.Step    `json:"step"`
	Outcome enforcement.Outcome `json:"outcome"`
	Reason  string              `json:"reason,omitempty"`
}

// Journal is an open journal. It is safe for concurrent use.
type Journal struct {
	directory string
	now       func() time.Time
	limits    limits

	mu        sync.Mutex
	lock      *os.File
	agent     *os.File
	file      *os.File
	read      int64 // bytes that are in entries
	compacted int64 // bytes that the journal had when this one last wrote it anew
	entries   []*Entry
	index     map[string]*Entry
}

// Exists tells whether the directory holds a journal. One that may not be looked at is an error and not one without.
func Exists(directory string) (bool, error) {
	_, err := os.Stat(filepath.Join(directory, fileName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Open opens the journal in a directory, which is made with mode 0700 when create is set; else a
// journal that is not there is ErrNone. As the agent's, it is locked against other agents until Close.
func Open(directory string, create, agent bool) (*Journal, error) {
	if !create {
		exists, err := Exists(directory)
		if err != nil {
			return nil, err
		}
		if !exists {
			return nil, fmt.Errorf("%s: %w", directory, ErrNone)
		}
	}
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, err
	}
	j := &Journal{directory: directory, now: time.Now, limits: usualLimits, index: map[string]*Entry{}}
	var err error
	if agent {
		if j.agent, err = j.open(agentName); err == nil {
			err = unix.Flock(int(j.agent.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		}
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = fmt.Errorf("%s: %w", directory, ErrAgent)
		}
	}
	if err == nil {
		j.lock, err = j.open(lockName)
	}
	if err == nil && agent {
		err = j.locked(j.compact)
	}
	if err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

func (j *Journal) open(name string) (*os.File, error) {
	return os.OpenFile(filepath.Join(j.directory, name), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
}

// Close closes the journal.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var errs []error
	for _, file := range []**os.File{&j.lock, &j.agent, &j.file} {
		if *file != nil {
			errs = append(errs, (*file).Close())
			*file = nil
		}
	}
	return errors.Join(errs...)
}

// AgentWorks tells whether an agent works with the journal.
func (j *Journal) AgentWorks() bool {
	if j.agent != nil {
		return true
	}
	file, err := j.open(agentName)
	if err != nil {
		return false
	}
	defer file.Close()
	return errors.Is(unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// Do runs change while nobody else changes the journal or what it is about. Entries that others
// wrote have been read by then.
func (j *Journal) Do(change func(*Change) error) error {
	return j.locked(func() error { return change(&Change{j}) })
}

func (j *Journal) locked(do func() error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := filelock.Lock(j.lock); err != nil {
		return err
	}
	defer func() { _ = filelock.Unlock(j.lock) }()
	if err := j.catchUp(); err != nil {
		return err
	}
	return do()
}

// Change gives access to the entries while they are locked.
type Change struct{ j *Journal }

// Entries returns copies of all entries, oldest first.
func (c *Change) Entries() []Entry {
	all := make([]Entry, 0, len(c.j.entries))
	for _, e := range c.j.entries {
		all = append(all, *e)
	}
	return all
}

// Entry returns a copy of one entry.
func (c *Change) Entry(id string) (Entry, bool) {
	e, ok := c.j.index[id]
	if !ok {
		return Entry{}, false
	}
	return *e, true
}

// Put brings an entry to disk, a new one or the new state of one.
func (c *Change) Put(e Entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if _, err := c.j.file.Write(line); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	if err := c.j.file.Sync(); err != nil {
		return fmt.Errorf("bring the journal to disk: %w", err)
	}
	c.j.read += int64(len(line))
	c.j.put(e)
	return nil
}

func (j *Journal) put(e Entry) {
	if old, ok := j.index[e.ID]; ok {
		*old = e
		return
	}
	j.index[e.ID] = &e
	j.entries = append(j.entries, &e)
}

// catchUp reads what was written since, by whomever; all of it when the file is another one.
func (j *Journal) catchUp() error {
	if j.file != nil && !j.current() {
		_ = j.file.Close()
		j.file, j.read, j.entries, j.index = nil, 0, nil, map[string]*Entry{}
	}
	if j.file == nil {
		var err error
		if j.file, err = j.open(fileName); err != nil {
			return err
		}
	}
	lines := bufio.NewReader(io.NewSectionReader(j.file, j.read, 1<<62))
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return j.endLine(len(line))
		}
		if err != nil {
			return fmt.Errorf("read the journal: %w", err)
		}
		j.read += int64(len(line))
		j.parse(line)
	}
}

// parse takes a line in. One that a crash left incomplete says nothing that the line before it of the
// same entry does not.
func (j *Journal) parse(line []byte) {
	var e Entry
	if json.Unmarshal(bytes.TrimSpace(line), &e) == nil && e.ID != "" {
		j.put(e)
	}
}

// endLine ends a line that a crash left without an end, so that the next one is not part of it.
func (j *Journal) endLine(length int) error {
	if length == 0 {
		return nil
	}
	j.read += int64(length) + 1
	_, err := j.file.Write([]byte{'\n'})
	return err
}

func (j *Journal) current() bool {
	ours, err := j.file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(filepath.Join(j.directory, fileName))
	return err == nil && os.SameFile(ours, there) && ours.Size() >= j.read
}

// limits bound a journal; beyond the size, it is written anew without what is older or more than that of what is over.
type limits struct {
	size    int64 // in bytes
	age     time.Duration
	entries int
}

var usualLimits = limits{size: 4 << 20, age: 30 * 24 * time.Hour, entries: 10_000}

// Compact writes the journal anew when it is large, and has become so since it was last: each entry once, and not all that is over.
func (j *Journal) Compact() error { return j.locked(j.compact) }

func (j *Journal) compact() error {
	if j.read <= max(j.limits.size, 2*j.compacted) {
		return nil
	}
	var content bytes.Buffer
	lines := json.NewEncoder(&content)
	for _, e := range j.kept() {
		if err := lines.Encode(e); err != nil {
			return err
		}
	}
	path := filepath.Join(j.directory, fileName)
	if err := replace(path, content.Bytes()); err != nil {
		return fmt.Errorf("write the journal anew: %w", err)
	}
	j.compacted = int64(content.Len())
	return j.catchUp()
}

// kept are the entries that are in force, and of those that are over the latest that are not too old.
func (j *Journal) kept() []*Entry {
	var kept []*Entry
	over := 0
	for _, e := range slices.Backward(j.entries) {
		if !e.Active {
			over++
			if over > j.limits.entries || j.now().Sub(e.Time) > j.limits.age {
				continue
			}
		}
		kept = append(kept, e)
	}
	slices.Reverse(kept)
	return kept
}

// replace puts a file in the place of another, and leaves nothing behind where it cannot.
func replace(path string, content []byte) error {
	file, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(path+".new"))
	}
	return nil
}
