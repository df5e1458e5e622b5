// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	rpmdb "github.com/knqyf263/go-rpmdb/pkg"
)

const dpkgStatus = "/var/lib/dpkg/status"

// rpmDatabases are where rpm keeps what is installed, in files of Berkeley DB and of its own format.
var rpmDatabases = []string{"/var/lib/rpm/Packages", "/usr/lib/sysimage/rpm/Packages", "/var/lib/rpm/Packages.db", "/usr/lib/sysimage/rpm/Packages.db"}

// rpmSQLite is where newer versions of rpm keep it.
var rpmSQLite = []string{"/var/lib/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm/rpmdb.sqlite"}

// Packages gives the versions of the packages that dpkg or rpm has installed, by name without architecture. Of several versions
// that rpm has of one package it gives any.
func (h *Host) Packages() (map[string]string, error) {
	return cached(h, "packages", func(h *Host) (map[string]string, error) {
		all := map[string]string{}
		data, err := h.Read(dpkgStatus)
		switch {
		case err == nil:
			all = parseDpkg(string(data))
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("reading the database of packages: %w", err)
		}
		byDpkg := err == nil
		byRPM, err := h.addRPM(all)
		if err == nil && !byDpkg && !byRPM {
			err = fmt.Errorf("found neither %s nor %s", dpkgStatus, strings.Join(rpmDatabases, ", "))
		}
		if err != nil {
			return nil, fmt.Errorf("reading the database of packages: %w", err)
		}
		return all, nil
	})
}

// addRPM adds what rpm has installed; found is false where the host has no rpm.
func (h *Host) addRPM(all map[string]string) (found bool, err error) {
	for _, file := range rpmSQLite {
		if h.Exists(file) {
			return true, fmt.Errorf("%s: found a database of SQLite, expected one of Berkeley DB, as RHEL 8 has it", file)
		}
	}
	for _, file := range rpmDatabases {
		full, err := h.real(file)
		if err != nil {
			return false, err
		}
		at := h.askContent(file)
		h.note(Look{bytesOf, file}, at)
		if at.problem != "" {
			continue
		}
		return true, readRPM(full, all)
	}
	return false, nil
}

func readRPM(full string, all map[string]string) error {
	db, err := rpmdb.Open(full)
	if err != nil {
		return fmt.Errorf("%s: %w", full, err)
	}
	defer db.Close()
	packages, err := db.ListPackages()
	if err != nil {
		return fmt.Errorf("%s: %w", full, err)
	}
	for _, p := range packages {
		all[p.Name] = p.Version + "-" + p.Release
	}
	return nil
}

func parseDpkg(text string) map[string]string {
	all := map[string]string{}
	var name, version string
	installed := false
	keep := func() {
		if installed && name != "" {
			all[name] = version
		}
		name, version, installed = "", "", false
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if line == "" {
			keep()
			continue
		}
		if value, ok := strings.CutPrefix(line, "Package: "); ok {
			name = value
		} else if value, ok := strings.CutPrefix(line, "Version: "); ok {
			version = value
		} else if value, ok := strings.CutPrefix(line, "Status: "); ok {
			installed = strings.HasSuffix(value, " installed")
		}
	}
	keep()
	return all
}
