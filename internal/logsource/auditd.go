// SPDX-License-Identifier: Apache-2.0

package logsource

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/vedette-sec/vedette/internal/event"
)

// The parts of an audit record that no attribute of an event holds as they are; they are made of several
// attributes, or of the kind alone. The names are of values a judge reads, not of attributes on records.
const (
	AuditType     = "auditd.type"
	AuditCall     = "auditd.syscall"
	AuditNumber   = "auditd.syscall_number"
	AuditSuccess  = "auditd.success"
	AuditCount    = "auditd.argc"
	AuditCommand  = "auditd.comm"
	AuditNameType = "auditd.nametype"
	AuditUser     = "auditd.uid"
	AuditGroup    = "auditd.gid"
	auditArgument = "auditd.a"
)

// auditParts are the fields of audit records that are made up.
var auditParts = map[string][]string{
	"type":     {AuditType},
	"SYSCALL":  {AuditCall},
	"syscall":  {AuditCall, AuditNumber},
	"success":  {AuditSuccess},
	"argc":     {AuditCount},
	"comm":     {AuditCommand},
	"nametype": {AuditNameType},
	"uid":      {AuditUser},
	"gid":      {AuditGroup},
}

func auditAttributes(field string) []string {
	if parts, ok := auditParts[field]; ok {
		return append([]string(nil), parts...)
	}
	if _, ok := auditIndex(field); ok {
		return []string{AuditArgument(field)}
	}
	return event.SigmaAttributes(Auditd, field)
}

// AuditArgument names the value that holds an argument, such as a0.
func AuditArgument(field string) string { return auditArgument + field[1:] }

// IsAuditArgument reports whether a field is that of an argument.
func IsAuditArgument(field string) bool {
	_, ok := auditIndex(field)
	return ok
}

// maxArguments bounds the arguments that have a field of their own.
const maxArguments = 64

// auditIndex gives the number of an argument's field: a0, a1, …
func auditIndex(field string) (int, bool) {
	digits, ok := strings.CutPrefix(field, "a")
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || n >= maxArguments || strconv.Itoa(n) != digits {
		return 0, false
	}
	return n, true
}

// AuditArgumentNumber gives the number of the argument that a value of this name holds.
func AuditArgumentNumber(name string) (n int, ok bool) {
	digits, ok := strings.CutPrefix(name, auditArgument)
	if !ok {
		return 0, false
	}
	return auditIndex("a" + digits)
}

// AuditRecord is what the audit system would write of a kind of event: the types of its records, and the
// system calls that cause it.
type AuditRecord struct {
	Types   []string
	Calls   []string
	Numbers []int64 // of the calls, on x86-64
}

// auditRecords say it for each kind.
var auditRecords = map[string]AuditRecord{
	event.KindProcessExec:    {[]string{"SYSCALL", "EXECVE", "CWD", "PATH", "PROCTITLE"}, []string{"execve", "execveat"}, []int64{59, 322}},
	event.KindFileOpen:       {[]string{"SYSCALL", "CWD", "PATH", "PROCTITLE"}, []string{"open", "openat", "openat2", "creat"}, []int64{2, 257, 437, 85}},
	event.KindFileCreate:     {[]string{"SYSCALL", "CWD", "PATH", "PROCTITLE"}, nil, nil},
	event.KindFileDelete:     {[]string{"SYSCALL", "CWD", "PATH", "PROCTITLE"}, []string{"unlink", "unlinkat", "rmdir"}, []int64{87, 263, 84}},
	event.KindFileRename:     {[]string{"SYSCALL", "CWD", "PATH", "PROCTITLE"}, []string{"rename", "renameat", "renameat2"}, []int64{82, 264, 316}},
	event.KindNetworkConnect: {[]string{"SYSCALL", "SOCKADDR", "PROCTITLE"}, []string{"connect"}, []int64{42}},
	event.KindNetworkAccept:  {[]string{"SYSCALL", "SOCKADDR", "PROCTITLE"}, []string{"accept", "accept4"}, []int64{43, 288}},
	event.KindNetworkBind:    {[]string{"SYSCALL", "SOCKADDR", "PROCTITLE"}, []string{"bind"}, []int64{49}},
	event.KindNetworkListen:  {[]string{"SYSCALL", "PROCTITLE"}, []string{"listen"}, []int64{50}},
	event.KindFileAccess:     {[]string{"SYSCALL", "CWD", "PATH", "PROCTITLE"}, []string{"open", "openat", "openat2"}, []int64{2, 257, 437}},
	event.KindFileAttributes: {[]string{"SYSCALL", "CWD", "PATH", "PROCTITLE"}, nil, nil},
	event.KindProcessAccess:  {[]string{"SYSCALL", "OBJ_PID", "PROCTITLE"}, []string{"ptrace", "process_vm_readv", "pidfd_getfd"}, []int64{101, 310, 438}},
	event.KindProcessInject:  {[]string{"SYSCALL", "OBJ_PID", "PROCTITLE"}, []string{"ptrace", "process_vm_writev"}, []int64{101, 311}},
	event.KindProcessSetid: {[]string{"SYSCALL", "PROCTITLE"},
		[]string{"setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setfsuid", "setfsgid"},
		[]int64{105, 106, 113, 114, 117, 119, 122, 123}},
	event.KindKernelModuleLoad:   {[]string{"SYSCALL", "KERN_MODULE", "PROCTITLE"}, []string{"init_module", "finit_module"}, []int64{175, 313}},
	event.KindKernelModuleUnload: {[]string{"SYSCALL", "KERN_MODULE", "PROCTITLE"}, []string{"delete_module"}, []int64{176}},
}

// created are the calls that make a file, by what they make.
var created = map[string]AuditRecord{
	"dir":     {Calls: []string{"mkdir", "mkdirat"}, Numbers: []int64{83, 258}},
	"symlink": {Calls: []string{"symlink", "symlinkat"}, Numbers: []int64{88, 266}},
	"link":    {Calls: []string{"link", "linkat"}, Numbers: []int64{86, 265}},
	"fifo":    {Calls: []string{"mknod", "mknodat"}, Numbers: []int64{133, 259}},
	"socket":  {Calls: []string{"mknod", "mknodat"}, Numbers: []int64{133, 259}},
	"device":  {Calls: []string{"mknod", "mknodat"}, Numbers: []int64{133, 259}},
	"file":    {Calls: []string{"open", "openat", "openat2", "creat"}, Numbers: []int64{2, 257, 437, 85}},
}

// changed are the calls that change what a file is beside its content, by what they change.
var changed = map[string]AuditRecord{
	"mode":  {Calls: []string{"chmod", "fchmod", "fchmodat", "fchmodat2"}, Numbers: []int64{90, 91, 268, 452}},
	"owner": {Calls: []string{"chown", "fchown", "lchown", "fchownat"}, Numbers: []int64{92, 93, 94, 260}},
	"xattr": {Calls: []string{"setxattr", "lsetxattr", "fsetxattr"}, Numbers: []int64{188, 189, 190}},
}

// specialCalls are the calls of kinds that several cause, each in another case.
var specialCalls = map[string]map[string]AuditRecord{event.KindFileCreate: created, event.KindFileAttributes: changed}

// Audit returns what the audit system would write of an event; ok is false where it would write nothing. what
// is the type of a file that came into being, or what of a file was changed.
func Audit(kind, what string) (record AuditRecord, ok bool) {
	record, ok = auditRecords[kind]
	if special, known := specialCalls[kind][what]; known {
		record.Calls, record.Numbers = special.Calls, special.Numbers
	}
	return record, ok
}

// AuditVariants returns what Audit tells apart of a kind, "" for anything else.
func AuditVariants(kind string) []string {
	return append(slices.Sorted(maps.Keys(specialCalls[kind])), "")
}

// AuditCalls returns the names of all calls that some event stands for. The caller must not change it.
func AuditCalls() map[string]bool { return auditCalls }

// AuditTypes returns the types of all records that some event stands for. The caller must not change it.
func AuditTypes() map[string]bool { return auditTypes }

var auditCalls, auditTypes = callsOfRecords(), typesOfRecords()

func callsOfRecords() map[string]bool {
	calls := map[string]bool{}
	for _, records := range []map[string]AuditRecord{auditRecords, created, changed} {
		for _, record := range records {
			for _, call := range record.Calls {
				calls[call] = true
			}
		}
	}
	return calls
}

func typesOfRecords() map[string]bool {
	types := map[string]bool{}
	for _, record := range auditRecords {
		for _, name := range record.Types {
			types[name] = true
		}
	}
	return types
}

// AuditText writes an argument as audit records have it where it holds what they cannot: in hexadecimal.
// encoded is false where it stands as it is.
func AuditText(s string) (text string, encoded bool) {
	plain := true
	for i := range len(s) {
		if c := s[i]; c < 0x21 || c > 0x7e || c == '"' {
			plain = false
			break
		}
	}
	if plain {
		return s, false
	}
	const digits = "0123456789ABCDEF"
	hex := make([]byte, 0, 2*len(s))
	for i := range len(s) {
		hex = append(hex, digits[s[i]>>4], digits[s[i]&15])
	}
	return string(hex), true
}

// NameType is the role that the audit system gives to the file of an event.
func NameType(kind string) string {
	switch kind {
	case event.KindFileCreate, event.KindFileRename:
		return "CREATE"
	case event.KindFileDelete:
		return "DELETE"
	default:
		return "NORMAL"
	}
}
