// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// engine is the cgroup below which Docker puts its containers; the agent knows them by it.
const engine = "docker"

// cpuPeriod is over how long the use of the processor is counted, in microseconds.
const cpuPeriod = 100_000

// cgroup is where the server's processes are, with a path by which the agent takes it for a container.
type cgroup struct {
	id    string // the container's
	dir   string
	quota string   // microseconds of processor time in a period
	other string   // of the cpu controller, where it has a hierarchy of its own
	made  []string // directories, outermost first
}

// newCgroup makes the cgroup below the unified hierarchy, wherever that is mounted.
func newCgroup(percent int) (*cgroup, error) {
	id := make([]byte, 32)
	if _, err := rand.Read(id); err != nil {
		return nil, err
	}
	c := &cgroup{id: hex.EncodeToString(id), quota: strconv.Itoa(percent * cpuPeriod / 100)}
	unified, cpu, err := hierarchies()
	if err != nil {
		return nil, err
	}
	if c.dir, err = c.mkdir(unified); err != nil {
		return nil, err
	}
	if cpu == "" {
		return c, c.limitUnified(unified)
	}
	if c.other, err = c.mkdir(cpu); err != nil {
		return nil, err
	}
	period := os.WriteFile(filepath.Join(c.other, "cpu.cfs_period_us"), []byte(strconv.Itoa(cpuPeriod)), 0o644)
	quota := os.WriteFile(filepath.Join(c.other, "cpu.cfs_quota_us"), []byte(c.quota), 0o644)
	return c, errors.Join(period, quota)
}

// hierarchies tells where the unified hierarchy is mounted, and the cpu controller where it is not
// part of it.
func hierarchies() (unified, cpu string, err error) {
	mounts, err := os.Open("/proc/mounts")
	if err != nil {
		return "", "", err
	}
	defer mounts.Close()
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) < 4:
		case fields[2] == "cgroup2":
			unified = fields[1]
		case fields[2] == "cgroup" && slices.Contains(strings.Split(fields[3], ","), "cpu"):
			cpu = fields[1]
		}
	}
	if unified == "" {
		return "", "", errors.New("no cgroup2 file system is mounted")
	}
	return unified, cpu, nil
}

// mkdir makes the cgroup in one hierarchy.
func (c *cgroup) mkdir(hierarchy string) (string, error) {
	dir := hierarchy
	for _, part := range []string{engine, c.id} {
		dir = filepath.Join(dir, part)
		err := os.Mkdir(dir, 0o755)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("make the cgroup: %w", err)
		}
		if err == nil {
			c.made = append(c.made, dir)
		}
	}
	return dir, nil
}

func (c *cgroup) limitUnified(hierarchy string) error {
	for _, dir := range []string{hierarchy, filepath.Join(hierarchy, engine)} {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+cpu"), 0o644); err != nil {
			return fmt.Errorf("hand down the cpu controller: %w", err)
		}
	}
	return os.WriteFile(filepath.Join(c.dir, "cpu.max"), fmt.Appendf(nil, "%s %d", c.quota, cpuPeriod), 0o644)
}

// limit puts the first process under the limit; those that follow inherit it.
func (c *cgroup) limit(pid int) error {
	if c.other == "" {
		return nil
	}
	return os.WriteFile(filepath.Join(c.other, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644)
}

// remove takes away what was made.
func (c *cgroup) remove() error {
	var errs []error
	for _, dir := range slices.Backward(c.made) {
		if filepath.Base(dir) == engine {
			_ = os.Remove(dir) // others may have put their containers into it
			continue
		}
		errs = append(errs, removeEmptied(dir))
	}
	return errors.Join(errs...)
}

// removeEmptied gives the last processes of the server a moment to be gone.
func removeEmptied(dir string) error {
	var err error
	for range 100 {
		if err = os.Remove(dir); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("remove the cgroup: %w", err)
}
