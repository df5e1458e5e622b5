// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// What a change is about.
const (
	ofPath  = "path"    // what is at a path
	ofValue = "value"   // a setting of the running kernel
	ofField = "account" // a field of an account
	ofUnit  = "unit"    // whether a service runs
	ofMount = "mount"   // the options of a mounted file system
	ofTable = "table"   // whether the packet filter has a table
)

// Change is one thing that is made different, and the same way back.
type Change struct {
	About   string `json:"about"`
	Path    string `json:"path,omitempty"`    // with links resolved
	Temp    string `json:"temp,omitempty"`    // the name beside Path under which the new file is made
	Found   bool   `json:"found,omitempty"`   // it is somewhere on the host, where others may write, and only its attributes change
	Before  *State `json:"before,omitempty"`  // of a path
	After   *State `json:"after,omitempty"`   // of a path
	Account string `json:"account,omitempty"` // of an account
	Field   string `json:"field,omitempty"`   // of an account
	Unit    string `json:"unit,omitempty"`
	Table   string `json:"table,omitempty"` // of the packet filter; Path is the file that has it
	Old     string `json:"old,omitempty"`   // of all but paths
	New     string `json:"new,omitempty"`   // of all but paths
}

// attributesOnly reports whether a change of a path has nothing to do with a file's content.
func (c Change) attributesOnly() bool { return c.Before.Hash == "" && c.After.Hash == "" }

// inverse is the change back.
func (c Change) inverse() Change {
	c.Before, c.After, c.Old, c.New = c.After, c.Before, c.New, c.Old
	return c
}

// String names what is changed.
func (c Change) String() string {
	switch c.About {
	case ofField:
		return "account " + c.Account + " " + c.Field
	case ofUnit:
		return c.Unit
	case ofTable:
		return "table " + c.Table
	}
	return c.Path
}

// standing is how what is there compares with a change.
type standing int

const (
	foreign standing = iota // neither as before nor as after
	asBefore
	asAfter
	partly // its attributes are some as before, some as after
)

// standing compares what is there with a change.
func (r *Repairer) standing(c Change) (standing, error) {
	if c.About == ofPath {
		look := r.root.look
		if c.Before.Hash != "" || c.After.Hash != "" {
			look = func(path string) (State, error) {
				s, _, err := r.root.read(path)
				return s, err
			}
		}
		now, err := look(c.Path)
		switch {
		case err != nil:
			return foreign, err
		case now.is(*c.After):
			return asAfter, nil
		case now.is(*c.Before):
			return asBefore, nil
		case now.between(*c.Before, *c.After):
			return partly, nil
		}
		return foreign, nil
	}
	now, err := r.current(c)
	switch {
	case err != nil:
		return foreign, err
	case now == c.New:
		return asAfter, nil
	case now == c.Old:
		return asBefore, nil
	}
	return foreign, nil
}

// current gives what is there of what is no path.
func (r *Repairer) current(c Change) (string, error) {
	switch c.About {
	case ofValue:
		return r.readValue(c.Path)
	case ofField:
		return r.readField(c)
	case ofUnit:
		return r.unitState(c.Unit)
	case ofMount:
		return r.mountOptions(c.Path)
	case ofTable:
		return r.tableState(c.Table)
	}
	return "", fmt.Errorf("found a change of %q, expected one that this version knows", c.About)
}

// errForeign says that what is there is somebody else's.
var errForeign = errors.New("it is neither as it was planned nor as it was left")

// make makes a change, or does nothing where it is made already.
func (r *Repairer) make(c Change) error {
	at, err := r.standing(c)
	switch {
	case err != nil:
		return err
	case at == foreign:
		return fmt.Errorf("%s: %w", c, errForeign)
	case at == asAfter:
		return nil
	}
	switch c.About {
	case ofPath:
		return r.makePath(c)
	case ofValue:
		return r.writeValue(c)
	case ofField:
		return r.writeField(c)
	case ofUnit:
		return r.setUnit(c)
	case ofTable:
		return r.setTable(c)
	default:
		return r.remount(c)
	}
}

func (r *Repairer) makePath(c Change) error {
	if !c.Found || !c.Before.sameContent(*c.After) {
		if err := guardParents(c.Path, r.root.look); err != nil {
			return err
		}
	}
	full := r.root.full(c.Path)
	switch {
	case c.After.Type == absent:
		// A directory in which others have put something is no longer ours alone and stays.
		if err := os.Remove(full); err != nil && !errors.Is(err, unix.ENOTEMPTY) {
			return err
		}
		r.step("removed " + c.Path)
		return syncDir(filepath.Dir(full))
	case c.Before.sameContent(*c.After):
		return r.changeAttributes(c)
	}
	temp := filepath.Join(filepath.Dir(full), c.Temp)
	if err := r.makeTemp(temp, c); err != nil {
		return errors.Join(err, removeIfThere(temp))
	}
	r.step("written " + c.Path)
	// What was planned may have been changed while the new file was written.
	at, err := r.standing(c)
	if err == nil && at != asBefore {
		err = fmt.Errorf("%s: %w", c.Path, errForeign)
	}
	if err == nil {
		err = os.Rename(temp, full)
	}
	if err != nil {
		return errors.Join(err, removeIfThere(temp))
	}
	r.step("renamed " + c.Path)
	return syncDir(filepath.Dir(full))
}

// makeTemp makes beside a path what is to take its place.
func (r *Repairer) makeTemp(temp string, c Change) error {
	// One that is there is of a try that was ended by a crash.
	if err := removeIfThere(temp); err != nil {
		return err
	}
	switch c.After.Type {
	case link:
		if err := os.Symlink(c.After.Target, temp); err != nil {
			return err
		}
		return os.Lchown(temp, c.After.UID, c.After.GID)
	case directory:
		if err := os.Mkdir(temp, 0o700); err != nil {
			return err
		}
		return setAttributes(temp, *c.After)
	}
	content, err := r.journal.image(c.After.Hash)
	if err != nil {
		return err
	}
	return writeFile(temp, content, *c.After)
}

// writeFile makes a file that is on disk with all its attributes when it returns.
func writeFile(full string, content []byte, attributes State) error {
	f, err := os.OpenFile(full, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = setAttributes(full, attributes)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// removeIfThere looks first, because a file system that is read-only refuses to remove even what is not there.
func removeIfThere(full string) error {
	if _, err := os.Lstat(full); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.Remove(full); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func syncDir(full string) error {
	d, err := os.Open(full)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
