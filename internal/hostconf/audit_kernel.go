// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// The layout of struct audit_rule_data of the kernel, in 32-bit words: three numbers, the system calls as bits, three tables
// of fields, and the length of the texts that come after it.
const (
	auditCalls      = 64 // words of bits
	auditMostFields = 64
	auditFilterAt   = 0
	auditActionAt   = 1
	auditCountAt    = 2
	auditCallsAt    = 3
	auditFieldsAt   = auditCallsAt + auditCalls
	auditValuesAt   = auditFieldsAt + auditMostFields
	auditFlagsAt    = auditValuesAt + auditMostFields
	auditLengthAt   = auditFlagsAt + auditMostFields
	auditTextsAt    = 4 * (auditLengthAt + 1)
)

// auditFilters are the lists of rules by number.
var auditFilters = map[uint32]string{0: "user", 1: "task", 4: "exit", 5: "exclude", 6: "filesystem", 7: "io_uring"}

// auditActions are what rules of a list do by number.
var auditActions = map[uint32]string{0: "never", 2: "always"}

// auditFieldNames are the names by which auditctl calls the fields that the kernel numbers.
var auditFieldNames = map[uint32]string{
	0: "pid", 1: "uid", 2: "euid", 3: "suid", 4: "fsuid", 5: "gid", 6: "egid", 7: "sgid", 8: "fsgid", 9: "auid", 10: "pers", 11: "arch", 12: "msgtype",
	13: "subj_user", 14: "subj_role", 15: "subj_type", 16: "subj_sen", 17: "subj_clr", 18: "ppid", 19: "obj_user", 20: "obj_role", 21: "obj_type",
	22: "obj_lev_low", 23: "obj_lev_high", 24: "loginuid_set", 25: "sessionid", 26: "fstype",
	100: "devmajor", 101: "devminor", 102: "inode", 103: "exit", 104: "success", 105: "object", 106: "perm", 107: "object", 108: "filetype", 109: "obj_uid",
	110: "obj_gid", 111: "compare", 112: "exe", 113: "saddr_fam", 200: "a0", 201: "a1", 202: "a2", 203: "a3", 210: "key",
}

// auditTexts are the fields whose value is the length of a text that comes after the tables.
var auditTexts = []uint32{13, 14, 15, 16, 17, 19, 20, 21, 22, 23, 105, 107, 112, 210}

// auditOperatorBits are the operators by the bits that the kernel has for them.
var auditOperatorBits = map[uint32]string{
	0x40000000: "=", 0x30000000: "!=", 0x10000000: "<", 0x20000000: ">", 0x50000000: "<=", 0x60000000: ">=", 0x08000000: "&", 0x48000000: "&=",
}

// auditComparisons are the pairs of fields that can be compared with each other, as the kernel numbers them.
var auditComparisons = [][2]string{
	1: {"obj_uid", "uid"}, {"gid", "obj_gid"}, {"euid", "obj_uid"}, {"egid", "obj_gid"}, {"auid", "obj_uid"}, {"obj_uid", "suid"}, {"obj_gid", "sgid"},
	{"fsuid", "obj_uid"}, {"fsgid", "obj_gid"}, {"auid", "uid"}, {"euid", "uid"}, {"fsuid", "uid"}, {"suid", "uid"}, {"auid", "fsuid"}, {"auid", "suid"},
	{"auid", "euid"}, {"euid", "suid"}, {"euid", "fsuid"}, {"fsuid", "suid"}, {"egid", "gid"}, {"fsgid", "gid"}, {"gid", "sgid"}, {"egid", "fsgid"},
	{"egid", "sgid"}, {"fsgid", "sgid"},
}

// auditFileTypes are the types of files by the bits of their mode.
var auditFileTypes = map[uint32]string{
	unix.S_IFREG: "file", unix.S_IFDIR: "dir", unix.S_IFSOCK: "socket", unix.S_IFLNK: "link", unix.S_IFCHR: "character", unix.S_IFBLK: "block", unix.S_IFIFO: "fifo",
}

// decodeAuditRule reads a rule as the kernel gives it.
func decodeAuditRule(data []byte) (AuditRule, error) {
	if len(data) < auditTextsAt {
		return AuditRule{}, fmt.Errorf("found a rule of %d bytes, expected %d at least", len(data), auditTextsAt)
	}
	word := func(at uint32) uint32 { return binary.NativeEndian.Uint32(data[4*at:]) }
	filter, known := auditFilters[word(auditFilterAt)]
	action, also := auditActions[word(auditActionAt)]
	if !known || !also {
		return AuditRule{}, fmt.Errorf("found the list %d and the action %d, expected ones that auditctl has", word(auditFilterAt), word(auditActionAt))
	}
	r := AuditRule{When: sortedList(action + "," + filter)}
	count := word(auditCountAt)
	if count > auditMostFields {
		return r, fmt.Errorf("found %d fields, expected at most %d", count, auditMostFields)
	}
	texts := data[auditTextsAt:]
	table := nativeCalls()
	for i := range count {
		field, value, operator := word(auditFieldsAt+i), word(auditValuesAt+i), auditOperatorBits[word(auditFlagsAt+i)]
		text := ""
		if slices.Contains(auditTexts, field) {
			if int64(value) > int64(len(texts)) {
				return r, fmt.Errorf("found a text of %d bytes, expected at most %d", value, len(texts))
			}
			text, texts = string(texts[:value]), texts[value:]
		}
		if auditFieldNames[field] == "arch" {
			table = callsOf(value)
		}
		r.addNumbered(field, operator, value, text)
	}
	r.addCalls(word, table)
	r.sort()
	return r, nil
}

// addNumbered adds a field as the kernel numbers it.
func (r *AuditRule) addNumbered(field uint32, operator string, value uint32, text string) {
	name, known := auditFieldNames[field]
	if !known {
		name = "f" + strconv.FormatUint(uint64(field), 10)
	}
	switch {
	case slices.Contains(auditTexts, field):
		r.addField(name, operator, text)
	case name == "perm":
		r.Perm = permLetters(value)
	case name == "compare" && int(value) < len(auditComparisons):
		r.addComparison(auditComparisons[value][0], operator, auditComparisons[value][1])
	case name == "arch":
		r.addField(name, operator, "0x"+strconv.FormatUint(uint64(value), 16))
	case name == "exit":
		r.addField(name, operator, strconv.FormatInt(int64(int32(value)), 10))
	case name == "filetype" && auditFileTypes[value] != "":
		r.addField(name, operator, auditFileTypes[value])
	default:
		r.addField(name, operator, strconv.FormatUint(uint64(value), 10))
	}
}

// permLetters are the permissions of a watch by their bits.
func permLetters(bits uint32) string {
	letters := ""
	for i, letter := range []string{"x", "w", "r", "a"} {
		if bits&(1<<i) != 0 {
			letters += letter
		}
	}
	return letters
}

// addCalls names the system calls whose bits are set; none where all are. The last word has no calls in it.
func (r *AuditRule) addCalls(word func(at uint32) uint32, names map[int]string) {
	all := true
	for i := range uint32(auditCalls - 1) {
		all = all && word(auditCallsAt+i) == ^uint32(0)
	}
	if all {
		return
	}
	for call := range 32 * (auditCalls - 1) {
		if word(auditCallsAt+uint32(call/32))&(1<<(call%32)) == 0 {
			continue
		}
		name, known := names[call]
		if !known {
			name = strconv.Itoa(call)
		}
		r.Syscalls = append(r.Syscalls, name)
	}
}

// callTables are the machines whose system calls are known by name, by what auditctl calls them.
var callTables = map[string]*arch.Info{
	"x86_64": arch.X86_64, "i386": arch.I386, "i486": arch.I386, "i586": arch.I386, "i686": arch.I386, "aarch64": arch.AARCH64, "arm": arch.ARM, "armv7l": arch.ARM,
}

// nativeCalls are the system calls of this machine by number.
func nativeCalls() map[int]string {
	if info, err := arch.GetInfo(""); err == nil {
		return info.SyscallNumbers
	}
	return nil
}

// callsOf are those of a machine by the number that the audit system has for it.
func callsOf(machine uint32) map[int]string {
	for _, info := range callTables {
		if uint32(info.ID) == machine {
			return info.SyscallNumbers
		}
	}
	return nil
}

// wide is the bit that the audit system's numbers of machines of 64 bits have.
const wide = 0x80000000

// archWidth writes a machine as b64 or b32, by its number or name, as far as it is known.
func archWidth(value string) string {
	number, err := strconv.ParseUint(value, 0, 32)
	if info, known := callTables[value]; known {
		number, err = uint64(info.ID), nil
	}
	switch {
	case err != nil:
		return value
	case number&wide != 0:
		return "b64"
	}
	return "b32"
}

// mostErrors is behind the highest number of an error.
const mostErrors = 4096

// errorNumber gives the number of an error by its name, 0 where there is none.
func errorNumber(name string) int {
	if !strings.HasPrefix(name, "E") {
		return 0
	}
	for number := 1; number < mostErrors; number++ {
		if unix.ErrnoName(unix.Errno(number)) == name {
			return number
		}
	}
	return 0
}

// LeaveOutKernelAudit has nothing be known of the audit rules that the kernel has.
func (h *Host) LeaveOutKernelAudit() { h.memory.noKernelAudit = true }
