// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// Password is the state of an account's password.
type Password string

// The states of passwords.
const (
	Usable     Password = "usable"
	Empty      Password = "empty"
	Locked     Password = "locked"     // "!" before what it was, or alone
	Disabled   Password = "disabled"   // "*" or anything that no password gives
	Unshadowed Password = "unshadowed" // readable by everybody in passwd
	Missing    Password = "missing"    // passwd points to shadow, which has no such account
)

// Account is a line of passwd with the line of shadow that belongs to it. Days that are not set are -1.
type Account struct {
	Name, Home, Shell string
	UID, GID          int64
	Password          Password
	Hash              string // the hash function; never the hash
	LastChange        int64  // days since 1970
	MinDays, MaxDays  int64
	WarnDays          int64
	InactiveDays      int64
	Expires           int64
	Place             Place // in passwd
	Shadow            Place // in shadow, zero where there is none
}

// Interactive reports whether somebody could log in to get a shell.
func (a Account) Interactive() bool {
	base := a.Shell[strings.LastIndex(a.Shell, "/")+1:]
	return !slices.Contains([]string{"nologin", "false", "sync", "halt", "shutdown"}, base)
}

// Group is a line of group.
type Group struct {
	Name    string
	GID     int64
	Members []string
	Place   Place
}

// Accounts are what passwd, shadow and group have.
type Accounts struct {
	Users  []Account
	Groups []Group
}

// Accounts gives the host's own accounts, not those of directories on the network.
func (h *Host) Accounts() (*Accounts, error) {
	return cached(h, "accounts", func(h *Host) (*Accounts, error) {
		passwd, err := h.required("/etc/passwd")
		if err != nil {
			return nil, err
		}
		shadow, err := h.Lines("/etc/shadow")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("reading accounts: %w", err)
		}
		group, err := h.required("/etc/group")
		if err != nil {
			return nil, err
		}
		return parseAccounts(passwd, shadow, group)
	})
}

// users are the accounts by which files are owned. They are known without the rights that shadow needs.
func (h *Host) users() ([]Account, error) {
	return cached(h, "users", func(h *Host) ([]Account, error) {
		passwd, err := h.required("/etc/passwd")
		if err != nil {
			return nil, err
		}
		all, err := parseAccounts(passwd, nil, nil)
		if err != nil {
			return nil, err
		}
		return all.Users, nil
	})
}

// groups are those by which files are owned.
func (h *Host) groups() ([]Group, error) {
	return cached(h, "groups", func(h *Host) ([]Group, error) {
		group, err := h.required("/etc/group")
		if err != nil {
			return nil, err
		}
		all, err := parseAccounts(nil, nil, group)
		if err != nil {
			return nil, err
		}
		return all.Groups, nil
	})
}

// Root is the name of the account and of the group with the number 0, which the kernel knows whatever files say.
const Root = "root"

// UserName gives the host's name for the number of a file's owner, and the number where it has none. Where the accounts cannot be
// read it gives root for 0, and the number with the error for all others.
func (h *Host) UserName(uid int64) (string, error) {
	users, err := h.users()
	i := slices.IndexFunc(users, func(a Account) bool { return a.UID == uid })
	if i >= 0 {
		return users[i].Name, nil
	}
	return unnamed(uid, err)
}

// GroupName is UserName for the number of a file's group.
func (h *Host) GroupName(gid int64) (string, error) {
	groups, err := h.groups()
	i := slices.IndexFunc(groups, func(g Group) bool { return g.GID == gid })
	if i >= 0 {
		return groups[i].Name, nil
	}
	return unnamed(gid, err)
}

func unnamed(id int64, err error) (string, error) {
	if err != nil && id == 0 {
		return Root, nil
	}
	return strconv.FormatInt(id, 10), err
}

// OwnersKnown says why the accounts, and why the groups, by which files are owned cannot be read; nil where they can.
func (h *Host) OwnersKnown() (users, groups error) {
	_, users = h.users()
	_, groups = h.groups()
	return users, groups
}

func (h *Host) required(path string) ([]Line, error) {
	data, err := h.Read(path)
	if err != nil {
		return nil, fmt.Errorf("reading accounts: %w", err)
	}
	return linesOf(path, data), nil
}

func parseAccounts(passwd, shadow, group []Line) (*Accounts, error) {
	shadows := map[string][]string{}
	places := map[string]Place{}
	for _, line := range databaseLines(shadow) {
		f := strings.Split(line.Text, ":")
		if len(f) < 8 {
			return nil, fieldsError(line, len(f), 9)
		}
		shadows[f[0]], places[f[0]] = f, line.Place
	}
	all := &Accounts{}
	for _, line := range databaseLines(passwd) {
		a, err := parseAccount(line)
		if err != nil {
			return nil, err
		}
		a.addShadow(strings.Split(line.Text, ":")[1], shadows[a.Name])
		a.Shadow = places[a.Name]
		all.Users = append(all.Users, a)
	}
	for _, line := range databaseLines(group) {
		f := strings.Split(line.Text, ":")
		if len(f) != 4 {
			return nil, fieldsError(line, len(f), 4)
		}
		gid, err := parseID(line, f[2])
		if err != nil {
			return nil, err
		}
		members := strings.FieldsFunc(f[3], func(r rune) bool { return r == ',' })
		all.Groups = append(all.Groups, Group{f[0], gid, members, line.Place})
	}
	return all, nil
}

// databaseLines leaves out what is for the Network Information Service.
func databaseLines(lines []Line) []Line { return content(lines, "#+-") }

func fieldsError(line Line, found, expected int) error {
	return fmt.Errorf("%s:%d: found %d fields, expected %d", line.File, line.Line, found, expected)
}

func parseID(line Line, text string) (int64, error) {
	id, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%s:%d: found the id %q, expected a number", line.File, line.Line, text)
	}
	return int64(id), nil
}

func parseAccount(line Line) (Account, error) {
	f := strings.Split(line.Text, ":")
	if len(f) != 7 {
		return Account{}, fieldsError(line, len(f), 7)
	}
	uid, err := parseID(line, f[2])
	if err != nil {
		return Account{}, err
	}
	gid, err := parseID(line, f[3])
	if err != nil {
		return Account{}, err
	}
	return Account{Name: f[0], Home: f[5], Shell: f[6], UID: uid, GID: gid, Place: line.Place}, nil
}

func (a *Account) addShadow(password string, shadow []string) {
	days := []*int64{&a.LastChange, &a.MinDays, &a.MaxDays, &a.WarnDays, &a.InactiveDays, &a.Expires}
	for i, d := range days {
		*d = -1
		if shadow != nil {
			if n, err := strconv.ParseInt(shadow[2+i], 10, 64); err == nil {
				*d = n
			}
		}
	}
	switch {
	case password == "x" && shadow == nil:
		a.Password = Missing
	case password == "x":
		a.Password, a.Hash = passwordState(shadow[1])
	case password == "":
		a.Password = Empty
	case strings.ContainsAny(password[:1], "*!"):
		a.Password = Disabled
	default:
		a.Password = Unshadowed
		_, a.Hash = passwordState(password)
	}
}

// hashes are the prefixes of hash functions in crypt(5).
var hashes = []struct{ prefix, name string }{
	{"$y$", "yescrypt"}, {"$gy$", "gost-yescrypt"}, {"$7$", "scrypt"}, {"$2", "bcrypt"}, {"$6$", "sha512"}, {"$5$", "sha256"},
	{"$sha1", "sha1"}, {"$md5", "sunmd5"}, {"$1$", "md5"}, {"_", "bsdicrypt"}, {"$3$", "nt"},
}

func passwordState(field string) (Password, string) {
	rest := strings.TrimLeft(field, "!")
	switch {
	case field == "":
		return Empty, ""
	case rest != field:
		return Locked, hashName(rest)
	case strings.HasPrefix(field, "*"):
		return Disabled, ""
	}
	if name := hashName(field); name != "" {
		return Usable, name
	}
	return Disabled, ""
}

// desLength is how many characters the oldest hashes have.
const desLength = 13

func hashName(hash string) string {
	for _, h := range hashes {
		if strings.HasPrefix(hash, h.prefix) {
			return h.name
		}
	}
	if len(hash) == desLength {
		return "des"
	}
	return ""
}
