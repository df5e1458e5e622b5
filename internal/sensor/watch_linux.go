// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package sensor

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cilium/ebpf"

	"github.com/vedette-sec/vedette/bpf"
)

// FileID identifies a file of the host: an inode and the kernel's number of its file system's device.
type FileID struct {
	Inode  uint64
	Device uint32
}

func (f FileID) key() bpf.SensorWatchedFile {
	return bpf.SensorWatchedFile{Inode: f.Inode, Device: f.Device}
}

// WatchReads makes file.access report the opens for reading of these files, and of the files in these
// directories, and of no others. Where not all find room, the others are watched.
func (s *Sensor) WatchReads(files []FileID) error {
	watched := s.maps.Maps[bpf.SensorMapWatchedFiles]
	var errs []error
	for file := range maps.Keys(s.watched) {
		if slices.Contains(files, file) {
			continue
		}
		if err := watched.Delete(file.key()); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			errs = append(errs, fmt.Errorf("stop watching a file: %w", err))
			continue
		}
		delete(s.watched, file)
	}
	if s.watched == nil {
		s.watched = map[FileID]bool{}
	}
	for _, file := range files {
		if s.watched[file] {
			continue
		}
		if err := watched.Put(file.key(), uint8(1)); err != nil {
			errs = append(errs, fmt.Errorf("watch a file: %w", err))
			break
		}
		s.watched[file] = true
	}
	if err := s.maps.Maps[bpf.SensorMapWatchFilter].Put(uint32(0), s.watchedBits()); err != nil {
		errs = append(errs, fmt.Errorf("watch files: %w", err))
	}
	return errors.Join(errs...)
}

// watchedBits has a bit for the inode of each watched file, by which the kernel drops most others.
func (s *Sensor) watchedBits() bpf.SensorWatchedBits {
	var bits bpf.SensorWatchedBits
	for file := range s.watched {
		bits.Words[file.Inode/64%uint64(len(bits.Words))] |= 1 << (file.Inode % 64)
	}
	return bits
}
