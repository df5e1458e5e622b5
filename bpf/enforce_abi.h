/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What user space and the programs that enforce share. bpf2go makes the Go types from these.
 *
 * Rules are bits. What is decided about an act is a matter of sets of rules: those that are about the
 * object, those that are about the operation, those that concern or allow whoever acts.
 */
#ifndef VEDETTE_ENFORCE_ABI_H
#define VEDETTE_ENFORCE_ABI_H

#define RULE_WORDS 4
#define PROGRAM_WORDS 4
#define OPERATIONS 32 /* more than there are, so that five bits are a number of one */
#define ORIGINS 4 /* with none */
#define MAX_NODES 8192
#define MAX_AUTOMATA 64
#define MAX_SUBJECTS 2048
#define MAX_ENDPOINTS 2048
#define MAX_PATTERNS 16
#define AUTOMATA_OF_NODE 4
#define PATH_BYTES 1024
#define LONGEST_NAME 256

/* A bit of each word says in answers that a rule allowed; no rule has it. */
#define ALLOWED (1ULL << 63)

struct rule_set {
	u64 words[RULE_WORDS];
};

struct program_set {
	u64 words[PROGRAM_WORDS];
};

/* What is in force. The generation is in the keys of all that is looked up by content, its lowest bit
 * chooses one of two halves of all that is looked up by place: what is loaded is complete before the
 * number changes. */
struct current_set {
	u64 generation; /* 0: nothing is in force */
	u64 audit_only;
	u64 heartbeat; /* when the agent last ran, ns since boot */
	u64 next; /* a generation whose files with several names are being looked for; 0: none */
	u64 agent; /* its process */
	u64 agent_ticks; /* when that started, in hundredths of a second since boot */
	u64 unknown; /* counts programs that began in processes of which nothing is known */
};

/* What rules list files by, beside a bit for each origin. */
#define LISTS_OTHERS (1 << 4) /* they deny what they do not list */
#define LISTS_CHANGED (1 << 5)
#define LISTS_CONTENT (1 << 6)

/* What is known of all rules together, in each half. */
struct settings {
	struct rule_set
		operations[OPERATIONS]; /* the rules about an operation, by its bit's number */
	struct rule_set enforce;
	struct rule_set only; /* rules that deny what they do not list */
	struct rule_set origins[ORIGINS]; /* that list files of an origin */
	struct rule_set changed; /* that list files changed since boot */
	u64 used; /* the operations that any rule is about: a bit for each */
	u64 listing; /* what rules list files by that are run, wherever these are */
	u64 has_places; /* some subject is a unit or container */
	u64 has_hashes; /* some file is known by its content */
	u64 boot; /* ns of the clock at boot */
	u64 since; /* files changed before this time are taken as they are, in ns of the clock */
};

enum origin {
	ORIGIN_MEMFD = 0,
	ORIGIN_TMPFS = 1,
	ORIGIN_NETWORK = 2,
	ORIGIN_NONE = 3,
};

#define NODE_INNER 1 /* there are nodes or patterns below it */
#define NODE_INIT 2 /* it is a program of the host's init */

/* Beside the operations of rules: there is a program that subjects or the host's init have. */
#define NEAR_PROGRAM (1 << 9)

/* A file or directory that a policy names, leads through, or makes different from its neighbours. */
struct node {
	struct rule_set self; /* about it */
	struct rule_set way; /* about it where its removal would make a path lead elsewhere */
	struct rule_set below; /* about what is below it and is no node */
	struct program_set programs; /* of subjects that it is the executable of */
	u32 automaton; /* for the names in it that are no node; 0 for none */
	u32 flags;
	u32 within; /* the operations of rules about what is in it, a bit for each */
	u32 inside; /* the same of what is in it and is no node */
	u32 beneath; /* the same of what is below it and is no node */
	u32 reserved;
	u64 named[4]; /* a bit for each kind of name in it that nodes have, see name_bit */
};

/* In the generation of a key to links: the kernel noted it when the file got a name. */
#define NOTED (1U << 31)

/* A directory that was found to be a node; inode 0 is the root of the device's file system,
 * and the node after that stands for what cannot be found. */
struct label_key {
	u32 generation;
	u32 device;
	u64 inode;
};

struct name_key {
	u32 generation;
	u32 node;
	u64 hash;
};

/*
 * Patterns of names as one automaton: a state is a bit, a byte leads from each state to the next one
 * where the step has that bit, or back to itself where a star is.
 */
struct pattern {
	u64 accept;
	struct rule_set add;
	struct rule_set except;
};

struct automaton {
	u64 steps[256];
	u64 loops;
	u64 start;
	u32 next; /* another automaton for the same directory; 0 for none */
	u32 count;
	struct pattern patterns[MAX_PATTERNS];
};

struct rule {
	u64 policy; /* all rules of its policy, which are in one word */
	u64 loss_after; /* it ends when no agent has run for so many ns; 0: never */
	u32 who, whos; /* the first of its subjects, and how many; none: everybody */
	u32 allow, allows;
	u32 target, targets; /* the processes that it protects, as subjects */
	u32 endpoint, endpoints; /* the addresses that it lists */
};

/* Addresses, ports and a protocol. IPv4 is mapped into IPv6, a prefix counts from there. */
struct endpoint {
	u64 address[2]; /* in network order, as a packet has it */
	u64 mask[2];
	u16 first, last; /* ports */
	u8 protocol; /* 0: any */
	u8 family; /* AF_INET6: no address of IPv4 */
	u8 reserved[2];
};

/* What an act on the network is about. */
struct peer {
	u64 address[2];
	u16 port;
	u8 protocol;
	u8 family;
	u32 reserved;
};

#define SUBJECT_LINEAGE 1
#define SUBJECT_USER 2
#define NO_PROGRAM 0xffff
#define NO_PLACE 0xff

struct subject {
	u32 uid;
	u16 program;
	u8 flags;
	u8 unit; /* a bit's number in a set of places */
	u8 container;
	u8 reserved[3];
};

#define LINEAGE_INIT 1 /* process 1, or a child of it that has run init's programs only */
#define LINEAGE_UNKNOWN 2 /* something in it is not known */
#define LINEAGE_BEGUN 4 /* an exec has begun that leads to it */

/* The programs that led to what a process runs. */
struct led {
	u64 flags;
	struct program_set all;
	struct program_set trusted; /* since the last that someone untrusted could have written */
	struct program_set running;
};

/*
 * What led to a process, and beside it what will have when the exec succeeds that has begun: of a
 * process only one thread at a time can be in an exec. Which is which changes with one number. Only
 * the kernel writes these.
 */
struct lineage {
	u64 start; /* of the process, ns since boot */
	u32 execs; /* changes when what runs does */
	u32 turn; /* its lowest bit is the place of what led to the process */
	struct led led[2];
};

/* The same of processes that were there before, as /proc has it. Only user space writes these. */
struct given {
	u64 ticks; /* start of the process, in hundredths of a second since boot */
	u32 execs; /* of the lineage that it belongs to; 0 for none */
	u32 flags;
	struct program_set all;
	struct program_set trusted;
	struct program_set running;
};

struct inode_key {
	u32 device;
	u32 generation; /* of the inode, which tells it from an earlier one with the same number */
	u64 inode;
};

/* A file whose content user space has read, as long as it is unchanged. */
struct hashed {
	u64 changed; /* ns of the clock */
	struct program_set programs; /* that demand this content, by their path */
	struct rule_set rules; /* that list this content */
};

#define OWN_MAP 0
#define OWN_PROGRAM 1

/* A map or program of the agent's, by its id. */
struct own_key {
	u32 kind;
	u32 id;
};

struct handover {
	u32 length;
	u8 text[(1 << 20) - 4];
};

#define PLACE_UNIT 0 /* by the hash of its name */
#define PLACE_CONTAINER 1 /* by the id of its cgroup */
#define PLACE_CONTAINER_ID 2 /* by the first digits of the container's own id */
#define PLACE_CONTAINER_NAME 3 /* by the hash of its cgroup's name, its parent's added or not */

struct place_key {
	u32 generation;
	u32 kind;
	u64 value;
};

struct counts {
	u64 denied;
	u64 audited;
	u64 folded; /* verdicts that were not told one by one */
	u64 window; /* second in which the last was told */
	u64 told; /* in that second */
	u64 summed; /* as folded, also where another rule of the same verdict counts it */
	u64 lost; /* verdicts for which there was no room */
};

enum hook {
	HOOK_FILE_OPEN = 0,
	HOOK_FILE_PERMISSION,
	HOOK_FILE_RECEIVE,
	HOOK_MMAP_FILE,
	HOOK_FILE_MPROTECT,
	HOOK_FILE_IOCTL,
	HOOK_INODE_CREATE,
	HOOK_INODE_MKDIR,
	HOOK_INODE_MKNOD,
	HOOK_INODE_SYMLINK,
	HOOK_INODE_LINK,
	HOOK_INODE_UNLINK,
	HOOK_INODE_RMDIR,
	HOOK_INODE_RENAME,
	HOOK_INODE_SETATTR,
	HOOK_INODE_SETXATTR,
	HOOK_INODE_REMOVEXATTR,
	HOOK_INODE_SET_ACL,
	HOOK_INODE_REMOVE_ACL,
	HOOK_SB_MOUNT,
	HOOK_SB_UMOUNT,
	HOOK_SB_REMOUNT,
	HOOK_SB_PIVOTROOT,
	HOOK_MOVE_MOUNT,
	HOOK_BPRM_CHECK,
	HOOK_TASK_KILL,
	HOOK_PTRACE_ACCESS_CHECK,
	HOOK_PTRACE_TRACEME,
	HOOK_TASK_SETNICE,
	HOOK_TASK_SETIOPRIO,
	HOOK_TASK_SETSCHEDULER,
	HOOK_TASK_SETRLIMIT,
	HOOK_BPF,
	HOOK_CAPABLE,
	HOOK_KERNEL_READ_FILE,
	HOOK_KERNEL_LOAD_DATA,
	HOOK_LOCKED_DOWN,
	HOOK_SOCKET_CONNECT,
	HOOK_SOCKET_BIND,
	HOOK_SOCKET_SENDMSG,
	HOOK_BPF_MAP,
	HOOK_BPF_PROG,
	HOOK_SOCK_GRAFT,
	HOOK_INODE_FILE_SETATTR,
	HOOKS,
};

enum object {
	OBJECT_NONE = 0,
	OBJECT_FILE = 1,
	OBJECT_FILES = 2, /* with a second path: of a rename or link */
	OBJECT_PROCESS = 3,
	OBJECT_ADDRESS = 4,
};

/* A path is told name by name from the object up to the root of its file system, each ended by a zero byte. */
#define PATH_CUT 0x8000 /* in its length: names are missing */

struct verdict {
	u64 time;
	u64 start;
	u64 cgroup;
	u64 inode;
	u64 folded; /* of the first rule, so far */
	u64 generation;
	u64 rules; /* that deny the act, of one word */
	u32 device;
	u32 tgid;
	u32 tid;
	u32 uid;
	u32 target; /* a process */
	u8 word;
	u8 hook;
	u8 operation; /* its bit's number */
	u8 refused; /* the act */
	u8 audit_only;
	u8 object;
	u8 reserved2[2];
	u16 length;
	u16 length2;
	u32 reserved3;
	struct peer peer;
	char comm[16];
	u8 path[PATH_BYTES + LONGEST_NAME];
	u8 path2[PATH_BYTES + LONGEST_NAME];
};

#endif
