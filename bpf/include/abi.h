/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Every record that crosses a ring buffer. bpf2go makes the Go types from these.
 *
 * A record is a head, a tail that depends on the kind, and the bytes of its strings one after
 * another in the order of the tail's string descriptions. All numbers are in the host's byte
 * order except ports and addresses, which stay in network order.
 */
#ifndef VEDETTE_ABI_H
#define VEDETTE_ABI_H

enum event_kind {
	EVENT_NONE = 0,
	EVENT_PROCESS_FORK = 1,
	EVENT_PROCESS_EXEC = 2,
	EVENT_PROCESS_EXIT = 3,
	EVENT_FILE_OPEN = 4,
	EVENT_FILE_CREATE = 5,
	EVENT_FILE_DELETE = 6,
	EVENT_FILE_RENAME = 7,
	EVENT_NET_CONNECT = 8,
	EVENT_NET_ACCEPT = 9,
	EVENT_NET_BIND = 10,
	EVENT_NET_LISTEN = 11,
	EVENT_DNS_QUERY = 12,
	EVENT_MODULE_LOAD = 13,
	EVENT_MODULE_UNLOAD = 14,
	EVENT_PROCESS_ACCESS = 15,
	EVENT_PROCESS_INJECT = 16,
	EVENT_FILE_ACCESS = 17,
	EVENT_PROCESS_SETID = 18,
	EVENT_FILE_ATTRIBUTES = 19,
	EVENT_IMAGE_LOAD = 20, /* a file record */
	EVENT_STDIO = 21,
	EVENT_KINDS = 22,
};

/* Why a record was lost; the loss counters have a slot for each kind and cause. */
enum loss_cause {
	LOSS_RING_FULL = 0,
	LOSS_SCRATCH = 1,
	LOSS_PENDING_FULL = 2,
	LOSS_UNREADABLE = 3, /* what the process gave the kernel is not in its memory */
	LOSS_CAUSES = 4,
};

/* Who acted. A process is {boot id, tgid, start time}; user space knows the boot id. */
struct event_head {
	u16 kind;
	u16 reserved;
	u32 size; /* bytes of the whole record, strings included */
	u64 time; /* CLOCK_BOOTTIME, ns */
	u64 start_time; /* of the process (its leader's), CLOCK_BOOTTIME, ns */
	u32 tgid;
	u32 tid;
	u64 cgroup; /* identity of the cgroup; bit 63 marks the v1 pids hierarchy */
	u32 uid;
	u32 euid;
	u32 gid;
	u32 egid;
};

/* A string: len bytes are in the record, true_len is how long it really is (0: longer than known). */
struct event_string {
	u16 len;
	u8 truncated;
	u8 reserved;
	u32 true_len;
};

struct event_parent {
	u64 start_time;
	u32 tgid;
	u32 reserved;
};

enum fd_type {
	FD_CLOSED = 0,
	FD_TTY = 1,
	FD_PIPE = 2,
	FD_FIFO = 3,
	FD_FILE = 4,
	FD_SOCKET = 5, /* IPv4 or IPv6 */
	FD_UNIX = 6,
	FD_NULL = 7,
	FD_DEVICE = 8,
	FD_OTHER = 9,
};

struct event_address {
	u8 family; /* AF_INET, AF_INET6 or 0 */
	u8 protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	u16 local_port;
	u16 peer_port;
	u16 reserved;
	u8 local[16];
	u8 peer[16];
};

struct event_fd {
	u64 inode;
	u32 device; /* of the file system; for a terminal or device the device's own number */
	u32 unix_peer; /* process that made the other end of a socket pair */
	u8 type;
	u8 readable;
	u8 writable;
	u8 reserved[5];
	struct event_address address;
};

enum exe_flags {
	EXE_MEMORY = 1, /* memfd: the file has no name in any file system */
	EXE_DELETED = 2,
};

struct fork_event {
	struct event_head head; /* the child */
	struct event_parent parent;
};

struct exit_event {
	struct event_head head;
	s32 exit_code; /* as wait(2) gives it: status << 8 | signal */
	u32 reserved;
};

struct exec_event {
	struct event_head head;
	struct event_parent parent;
	u64 exe_inode;
	u32 exe_device;
	u32 exe_flags;
	u32 session;
	u32 argc;
	char tty[16];
	struct event_fd fds[3];
	struct event_string exe; /* the file the kernel runs */
	struct event_string filename; /* as handed to execve */
	struct event_string cwd;
	struct event_string args; /* each ended by a zero byte */
};

/* A standard stream was made a network socket: what all three are now. */
struct stdio_event {
	struct event_head head;
	struct event_fd fds[3];
};

enum file_flags {
	FILE_USER_PATH =
		1, /* path and path2 are what user space passed, relative to base and base2 */
	FILE_ATTEMPT = 2, /* seen before the kernel acted: the outcome is not known */
};

struct file_event {
	struct event_head head;
	u64 inode;
	u32 device;
	u32 mode;
	u32 open_flags;
	s32 ret;
	u32 flags;
	u32 reserved;
	struct event_string path; /* the file; the new name of a rename or link */
	struct event_string path2; /* the old name of a rename; the target of a link */
	struct event_string base; /* directory path is relative to */
	struct event_string base2;
};

/* A file, or a directory with all that is in it, whose readers are told. */
struct watched_file {
	u64 inode;
	u32 device;
	u32 reserved;
};

#define WATCHED_WORDS 64

struct watched_bits {
	u64 words[WATCHED_WORDS];
};

struct net_event {
	struct event_head head;
	struct event_address address;
	s32 ret;
	u32 flags; /* FILE_ATTEMPT */
};

/* A datagram to a port of name resolution that is no answer. */
struct dns_event {
	struct event_head head;
	struct event_address address;
	u32 flags; /* FILE_ATTEMPT */
	u32 reserved;
	struct event_string message; /* as it was sent */
};

struct event_ids {
	u32 uid;
	u32 euid;
	u32 suid;
	u32 gid;
	u32 egid;
	u32 sgid;
};

struct setid_event {
	struct event_head head;
	struct event_ids before;
	struct event_ids now;
	u32 flags; /* FILE_ATTEMPT */
	u32 reserved;
};

enum attribute_change {
	ATTRIBUTE_MODE = 1,
	ATTRIBUTE_OWNER = 2,
	ATTRIBUTE_XATTR = 3,
};

struct attribute_event {
	struct event_head head;
	u64 inode;
	u32 device;
	u32 mode; /* before; 0 where only the path is known */
	u32 change;
	u32 new_mode; /* permissions, of ATTRIBUTE_MODE */
	u32 uid; /* of ATTRIBUTE_OWNER, ~0: stays */
	u32 gid;
	u32 flags;
	u32 reserved;
	struct event_string path;
	struct event_string base; /* directory path is relative to */
	struct event_string name; /* of ATTRIBUTE_XATTR */
};

/* How a process got at another. */
enum access_call {
	ACCESS_PTRACE_ATTACH = 1,
	ACCESS_PTRACE_SEIZE = 2,
	ACCESS_VM_READ = 3,
	ACCESS_VM_WRITE = 4,
	ACCESS_PIDFD_GETFD = 5,
	ACCESS_MEM_READ = 6, /* an open of /proc/PID/mem */
	ACCESS_MEM_WRITE = 7,
	ACCESS_PTRACE_POKE = 8,
	ACCESS_PTRACE_SETREGS = 9,
};

struct access_target {
	u64 start_time;
	u32 tgid;
	u32 euid;
};

struct access_event {
	struct event_head head;
	struct access_target target;
	u32 call;
	s32 ret;
	u32 flags; /* FILE_ATTEMPT */
	u32 reserved;
};

enum module_origin {
	MODULE_ORIGIN_UNKNOWN = 0,
	MODULE_FROM_FILE = 1,
	MODULE_FROM_MEMORY = 2,
};

struct module_event {
	struct event_head head;
	u64 taints; /* a bit for each of the kernel's TAINT_ numbers that the module causes */
	char name[64];
	u32 origin;
	u32 reserved;
	struct event_string path; /* of a module from a file */
};

#endif
