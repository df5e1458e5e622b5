// SPDX-License-Identifier: Apache-2.0

// Package hostconf reads how a host is configured and what it runs: from its files, /proc and sysfs, below any root directory,
// and without starting programs. Each source is read once for a Host, by whoever asks first.
package hostconf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	securejoin "github.com/cyphar/filepath-securejoin"
)

// Place is a line of a file; Line is 0 where it is about the whole file.
type Place struct {
	File string
	Line int
}

// Host is a host by its root directory. Its methods may be called concurrently.
type Host struct {
	root   string
	memory *memory
	seen   *seen // what was looked at through this Host; nil where nobody wants to know
}

// New gives the host whose root directory this is: "/" for the one this runs on.
func New(root string) *Host { return &Host{root: filepath.Clean(root), memory: &memory{}} }

// real gives the path below the root, with symbolic links as the host has them.
func (h *Host) real(path string) (string, error) {
	if h.root == "/" {
		return path, nil
	}
	full, err := securejoin.SecureJoin(h.root, path)
	if err != nil {
		return "", fmt.Errorf("finding %s below %s: %w", path, h.root, err)
	}
	return full, nil
}

// realParent is real for all but the last name, which may be a link itself.
func (h *Host) realParent(path string) (string, error) {
	dir, err := h.real(filepath.Dir(path))
	return filepath.Join(dir, filepath.Base(path)), err
}

// mostBytes bounds what is read of a file; the database of packages is the longest.
const mostBytes = 64 << 20

// Read gives a file. The error is one of fs.ErrNotExist where there is none.
func (h *Host) Read(path string) ([]byte, error) {
	return cached(h, contentOf+path, func(h *Host) ([]byte, error) { return h.read(path) })
}

func (h *Host) read(path string) ([]byte, error) {
	data, stamp, err := h.readStamped(path)
	h.note(Look{bytesOf, path}, stamp)
	if h.root != "/" && isMade(path) && errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", err, ErrOtherRoot)
	}
	return data, err
}

func (h *Host) readStamped(path string) ([]byte, stamp, error) {
	full, err := h.real(path)
	if err != nil {
		return nil, failed(err), err
	}
	// A pipe in the place of a file would never end.
	info, err := os.Stat(full)
	if err != nil {
		return nil, failed(err), err
	}
	at := stampOfContent(info)
	if !info.Mode().IsRegular() {
		return nil, at, fmt.Errorf("%s: found %s, expected a file", path, TypeName(info.Mode()))
	}
	file, err := os.Open(full)
	if err != nil {
		return nil, failed(err), err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, mostBytes+1))
	if err == nil && len(data) > mostBytes {
		err = fmt.Errorf("%s: found more than %d bytes", path, mostBytes)
	}
	if isMade(path) {
		at = stampOfBytes(data, err)
	}
	return data, at, err
}

// TypeName says what there is by its mode.
func TypeName(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a directory"
	case m.IsRegular():
		return "a file"
	case m&fs.ModeSymlink != 0:
		return "a link"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

// Exists reports whether there is a file or directory.
func (h *Host) Exists(path string) bool {
	_, err := h.Stat(path)
	return err == nil
}

// Stat gives the attributes of what a path leads to.
func (h *Host) Stat(path string) (fs.FileInfo, error) {
	full, err := h.real(path)
	if err != nil {
		h.note(Look{attributesOf, path}, failed(err))
		return nil, err
	}
	info, err := os.Stat(full)
	h.note(Look{attributesOf, path}, stampOfAttributes(info, err))
	return info, err
}

// Lstat gives the attributes of a path's last name.
func (h *Host) Lstat(path string) (fs.FileInfo, error) {
	full, err := h.realParent(path)
	if err != nil {
		h.note(Look{ownAttributesOf, path}, failed(err))
		return nil, err
	}
	info, err := os.Lstat(full)
	h.note(Look{ownAttributesOf, path}, stampOfAttributes(info, err))
	return info, err
}

// Readlink gives what a symbolic link says.
func (h *Host) Readlink(path string) (string, error) {
	full, err := h.realParent(path)
	if err != nil {
		h.note(Look{linkOf, path}, failed(err))
		return "", err
	}
	target, err := os.Readlink(full)
	h.note(Look{linkOf, path}, stampOfBytes([]byte(target), err))
	return target, err
}

// Names gives the names in a directory in order, none where there is no directory.
func (h *Host) Names(dir string) ([]string, error) {
	full, err := h.real(dir)
	if err != nil {
		h.note(Look{namesOf, dir}, failed(err))
		return nil, err
	}
	at := stampOfNames(full)
	entries, err := os.ReadDir(full)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	if isMade(dir) {
		at = stampOfBytes([]byte(strings.Join(names, "/")), err)
	}
	h.note(Look{namesOf, dir}, at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return names, err
}

// LeadsNowhere reports whether an error says that there is nothing at a path: no such name, something else in the place of a directory
// on the way, or links that lead in a circle. After any other error nobody knows what is there.
func LeadsNowhere(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP)
}

// Glob gives the paths that match a pattern in order. A path without a pattern is given if it is there.
func (h *Host) Glob(pattern string) ([]string, error) {
	if !strings.ContainsAny(pattern, "*?[") {
		if _, err := h.Lstat(pattern); LeadsNowhere(err) {
			return nil, nil
		}
		return []string{pattern}, nil
	}
	dirs, err := h.Glob(filepath.Dir(pattern))
	if err != nil {
		return nil, err
	}
	var all []string
	for _, dir := range dirs {
		info, err := h.Stat(dir)
		if err != nil && !LeadsNowhere(err) {
			return nil, fmt.Errorf("finding %s: %w", pattern, err)
		}
		if err != nil || !info.IsDir() {
			continue
		}
		names, err := h.Names(dir)
		if err != nil {
			return nil, fmt.Errorf("listing %s: %w", dir, err)
		}
		for _, name := range names {
			matched, err := filepath.Match(filepath.Base(pattern), name)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", pattern, err)
			}
			// As in a shell, a pattern does not mean hidden names unless it says so.
			if matched && (!strings.HasPrefix(name, ".") || strings.HasPrefix(filepath.Base(pattern), ".")) {
				all = append(all, filepath.Join(dir, name))
			}
		}
	}
	return all, nil
}

// Files gives the files that match patterns, in the order of the patterns and each once. What a pattern finds that is no file is left
// out, as programs do with directories of snippets; a path without a pattern is given whatever it is.
func (h *Host) Files(patterns []string) ([]string, error) {
	var all []string
	for _, p := range patterns {
		paths, err := h.Glob(p)
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			if slices.Contains(all, path) {
				continue
			}
			info, err := h.Stat(path)
			if err != nil && path != p && !LeadsNowhere(err) {
				return nil, fmt.Errorf("finding %s: %w", p, err)
			}
			if path != p && (err != nil || !info.Mode().IsRegular()) {
				continue
			}
			all = append(all, path)
		}
	}
	return all, nil
}

// Line is a line of a file without its end.
type Line struct {
	Place
	Text string
}

// Lines gives the lines of a file, none where there is no file.
func (h *Host) Lines(path string) ([]Line, error) {
	data, err := h.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return linesOf(path, data), nil
}

func linesOf(path string, data []byte) []Line {
	var all []Line
	for line := range strings.Lines(string(data)) {
		all = append(all, Line{Place{path, len(all) + 1}, strings.TrimRight(line, "\r\n")})
	}
	return all
}

// continued joins lines that end with a backslash; the place is the first one's.
func continued(lines []Line) []Line {
	var all []Line
	open := false
	for _, line := range lines {
		text, more := strings.CutSuffix(line.Text, `\`)
		if open {
			all[len(all)-1].Text += " " + text
		} else {
			all = append(all, Line{line.Place, text})
		}
		open = more
	}
	return all
}

// content gives the lines that are neither empty nor comments, without white space around.
func content(lines []Line, comments string) []Line {
	var all []Line
	for _, line := range lines {
		text := strings.TrimSpace(line.Text)
		if text != "" && !strings.ContainsRune(comments, rune(text[0])) {
			all = append(all, Line{line.Place, text})
		}
	}
	return all
}
