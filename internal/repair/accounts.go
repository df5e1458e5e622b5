// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	passwdFile = "/etc/passwd"
	shadowFile = "/etc/shadow"
)

// accountField is a field of a line of passwd or shadow.
type accountField struct {
	file  string
	index int
}

// fieldLock is whether the password of an account is locked. Of the password itself a digest is kept, by which another one is noticed.
const fieldLock = "lock"

// accountFields are those that repairs change.
var accountFields = map[string]accountField{
	"shell": {passwdFile, 6}, fieldLock: {shadowFile, 1}, "min_days": {shadowFile, 3}, "max_days": {shadowFile, 4}, "warn_days": {shadowFile, 5},
	"inactive_days": {shadowFile, 6},
}

// digestLength is enough to tell one password from another.
const digestLength = 16

// lockState tells whether a password is locked, and which one it is.
func lockState(password string) string {
	if rest, locked := strings.CutPrefix(password, "!"); locked {
		return "locked " + hashOf([]byte(rest))[:digestLength]
	}
	return "unlocked " + hashOf([]byte(password))[:digestLength]
}

// locked is the state after a lock.
func locked(state string) string {
	if digest, unlocked := strings.CutPrefix(state, "unlocked "); unlocked {
		return "locked " + digest
	}
	return state
}

// fieldsOf gives the line of an account, and what is before and after it.
func fieldsOf(content []byte, path, account string) (before string, fields []string, after string, err error) {
	text := string(content)
	for line := range strings.Lines(text) {
		fields = strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if fields[0] == account {
			return before, fields, strings.TrimPrefix(text[len(before):], strings.TrimSuffix(line, "\n")), nil
		}
		before += line
	}
	return "", nil, "", fmt.Errorf("%s: found no line of the account %s", path, account)
}

func (r *Repairer) readField(c Change) (string, error) {
	_, content, err := r.root.read(c.Path)
	if err != nil {
		return "", err
	}
	return fieldIn(content, c)
}

func fieldIn(content []byte, c Change) (string, error) {
	_, fields, _, err := fieldsOf(content, c.Path, c.Account)
	if err != nil {
		return "", err
	}
	index := accountFields[c.Field].index
	if index == 0 || len(fields) <= index {
		return "", fmt.Errorf("%s: found %d fields for the account %s, expected one for %s", c.Path, len(fields), c.Account, c.Field)
	}
	if c.Field == fieldLock {
		return lockState(fields[index]), nil
	}
	return fields[index], nil
}

// withField gives the file's content with the field changed, which must be as it was before.
func withField(content []byte, c Change) ([]byte, error) {
	now, err := fieldIn(content, c)
	if err != nil {
		return nil, err
	}
	if now != c.Old {
		return nil, fmt.Errorf("%s: %w", c, errForeign)
	}
	before, fields, after, err := fieldsOf(content, c.Path, c.Account)
	if err != nil {
		return nil, err
	}
	index := accountFields[c.Field].index
	switch {
	case c.Field != fieldLock:
		fields[index] = c.New
	case strings.HasPrefix(c.New, "locked "):
		fields[index] = "!" + fields[index]
	default:
		fields[index] = strings.TrimPrefix(fields[index], "!")
	}
	return []byte(before + strings.Join(fields, ":") + after), nil
}

// writeField changes a field while the tools for accounts are kept out. The other fields are as they are now.
func (r *Repairer) writeField(c Change) error {
	if err := guardParents(c.Path, r.root.look); err != nil {
		return err
	}
	unlock, err := lockAccounts(r.root.full("/etc/.pwd.lock"))
	if err != nil {
		return err
	}
	return errors.Join(r.writeLockedField(c), unlock())
}

func (r *Repairer) writeLockedField(c Change) error {
	state, content, err := r.root.read(c.Path)
	if err != nil {
		return err
	}
	changed, err := withField(content, c)
	if err != nil {
		return err
	}
	full := r.root.full(c.Path)
	temp := filepath.Join(filepath.Dir(full), c.Temp)
	if err := removeIfThere(temp); err != nil {
		return err
	}
	err = writeFile(temp, changed, state)
	if err == nil {
		r.step("written " + c.String())
		var now State
		if now, _, err = r.root.read(c.Path); err == nil && !now.is(state) {
			err = fmt.Errorf("%s: %w", c.Path, errForeign)
		}
	}
	if err == nil {
		err = os.Rename(temp, full)
	}
	if err != nil {
		return errors.Join(err, removeIfThere(temp))
	}
	r.step("renamed " + c.String())
	return syncDir(filepath.Dir(full))
}

// How often and how long the tools for accounts are waited for.
const (
	lockTries = 30
	lockPause = 500 * time.Millisecond
)

// lockAccounts takes the lock that passwd, useradd and their like take.
func lockAccounts(full string) (unlock func() error, err error) {
	f, err := os.OpenFile(full, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the accounts: %w", err)
	}
	for range lockTries {
		if err = unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}); err == nil {
			return f.Close, nil
		}
		time.Sleep(lockPause)
	}
	return nil, errors.Join(fmt.Errorf("locking the accounts: %w", err), f.Close())
}
