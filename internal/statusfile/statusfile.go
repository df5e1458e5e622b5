// SPDX-License-Identifier: Apache-2.0

// Package statusfile is how a running agent tells the command line what is in force: a file of JSON, replaced as a whole.
package statusfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Write replaces the file in one step. Its directory is made when it does not exist.
func Write(file string, status any) error {
	return replace(file, status, func(*os.File) error { return nil })
}

// WriteForGood is Write for what must be there after the host has lost its power. It returns when the disk has it.
func WriteForGood(file string, status any) error {
	if err := replace(file, status, (*os.File).Sync); err != nil {
		return err
	}
	directory, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}

// replace settles what is written before it gets the file's name.
func replace(file string, status any, settle func(*os.File) error) error {
	content, err := json.MarshalIndent(status, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*")
	if err != nil {
		return err
	}
	if _, err = temporary.Write(append(content, '\n')); err == nil {
		err = settle(temporary)
	}
	err = errors.Join(err, temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), file)
	}
	if err != nil {
		_ = os.Remove(temporary.Name())
	}
	return err
}

// Read reads the file. what says what the file is, such as "status of rules", and absent what it means that there is none.
func Read(file string, status any, what, absent string) error {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s does not exist: %s", file, absent)
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, status); err != nil {
		return fmt.Errorf("%s: not a %s: %w", file, what, err)
	}
	return nil
}

// longestSilence is how old the file of a running agent gets; it writes every half minute.
const longestSilence = 2 * time.Minute

// Doubt says why an agent that wrote a file is not taken to be running; "" where it is.
func Doubt(pid int, written, now time.Time) string {
	switch age := now.Sub(written); {
	case pid <= 0 || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH):
		return fmt.Sprintf("the agent that wrote this (process %d) is gone", pid)
	case age > longestSilence:
		return fmt.Sprintf("the agent (process %d) has written nothing for %s: it hangs, or its number belongs to another process by now", pid, age.Round(time.Second))
	}
	return ""
}
