/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef VEDETTE_FALLBACK_H
#define VEDETTE_FALLBACK_H
/*
 * What is forbidden to whom, and what every process is, for kernels without BPF LSM.
 *
 * Rules are bits of a word. A set of policies is one value of a map, which user space replaces as a
 * whole: each act is judged by one set. What leads from programs to their descendants is kept for
 * each process, as bits too: one for each program that a policy names.
 */
#include "task.h"
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_endian.h>

#define RULES 64
#define ENDPOINTS 256
#define SUBJECTS 256
#define PROGRAM_WORDS 4
#define OPERATIONS 24
#define ORIGINS 4
#define UNIT_NAME 256
#define COMM 16

#define SIGKILL 9

/* The agent itself, which must not be killed by its own rules. */
const volatile u32 agent_tgid = 0;

enum subject_flags {
	SUBJECT_PROGRAM = 1, /* runs one of the programs */
	SUBJECT_LINEAGE = 2, /* or descends from one */
	SUBJECT_USER = 4,
	SUBJECT_UNIT = 8,
	SUBJECT_CONTAINER = 16,
	SUBJECT_ALLOW = 32, /* else it is one that the rule is about */
	SUBJECT_USED = 64,
};

enum origin {
	ORIGIN_OTHER = 0,
	ORIGIN_MEMFD = 1,
	ORIGIN_TMPFS = 2,
	ORIGIN_NETWORK = 3,
};

/* Numbers of the operations of pkg/policy that are judged here: the places of their bits. */
enum operation {
	OPERATION_SIGNAL = 9,
	OPERATION_PTRACE = 10,
	OPERATION_MEMORY = 11,
	OPERATION_PRIORITY = 12,
	OPERATION_RUN = 13,
	OPERATION_CONNECT = 14,
	OPERATION_BIND = 15,
	OPERATION_ACCEPT = 16,
	OPERATION_MODULES = 17,
	OPERATION_BPF = 18,
	OPERATION_KEXEC = 19,
	OPERATION_KERNEL_MOUNT = 20,
	OPERATION_KERNEL_PTRACE = 21,
	OPERATION_TIME = 23,
};

/* What noticed an act. */
enum hook {
	HOOK_SOCKET_CONNECT = 1,
	HOOK_SOCKET_SENDMSG = 2,
	HOOK_SOCKET_BIND = 3,
	HOOK_EXEC = 4,
	HOOK_SIGNAL = 5,
	HOOK_CALL = 6, /* a system call, whose operation says the rest */
	HOOK_INGRESS = 7, /* a packet to a socket that listens */
};

struct endpoint {
	u64 address[2]; /* IPv4 in the first four bytes, cut to the mask */
	u64 mask[2];
	u16 first_port; /* host byte order; higher than the last one where nothing is meant */
	u16 last_port;
	u8 family;
	u8 family_mask; /* 0: both */
	u8 protocol;
	u8 protocol_mask; /* 0: all */
	u32 rule;
	u32 reserved;
};

struct subject {
	u64 programs[PROGRAM_WORDS];
	u64 container; /* a bit of cgroup_place.containers */
	u64 unit;
	u32 uid;
	u16 flags;
	u16 rule;
};

struct target_rule {
	u64 programs[PROGRAM_WORDS];
	u64 units;
};

/* A set of policies; all words are of rules. */
struct tables {
	u64 generation;
	u64 by_operation[OPERATIONS];
	u64 by_origin[ORIGINS];
	u64 by_policy[RULES]; /* of each policy */
	u64 enforce;
	u64 only; /* what is listed is allowed, and nothing else */
	u64 everybody; /* about all processes */
	u32 endpoint_count;
	u32 subject_count;
	struct endpoint endpoints[ENDPOINTS];
	struct subject subjects[SUBJECTS];
	struct target_rule targets[RULES];
};

enum task_flags {
	TASK_TRUSTED = 1, /* nobody untrusted could have written what runs */
	TASK_INIT = 2, /* the host's init, or a child that has run its own programs only */
};

struct task_state {
	u64 start_time; /* CLOCK_BOOTTIME, ns */
	u64 own[PROGRAM_WORDS]; /* what runs now */
	u64 trusted[PROGRAM_WORDS]; /* led here, and nothing untrusted since */
	u64 chain[PROGRAM_WORDS]; /* led here */
	u64 cgroup; /* these three as they were at the end */
	u32 euid;
	u32 flags;
	u8 comm[COMM];
};

/* Who called listen(2), as it was then. */
struct listener {
	u64 cgroup;
	u32 tgid;
	u32 euid;
	u8 comm[COMM];
};

struct program_key {
	u64 inode;
	u32 device;
	u32 reserved;
};

struct program_value {
	u32 flags; /* enum program_flags */
	u32 generation; /* of the inode, whose number another file can get; 0 where it is not known */
};

enum program_flags {
	PROGRAM_NUMBER =
		0xffff, /* the number and one; 0 for a program of init that no policy names */
	PROGRAM_OF_INIT = 0x10000,
	PROGRAM_UNTRUSTED = 0x20000, /* of a script that somebody untrusted could have written */
};

/* What a cgroup of version 2 is inside of. */
struct cgroup_place {
	u64 units;
	u64 containers;
	u32 open; /* nothing but slices so far, so that the next name counts */
	u32 reserved;
};

struct unit_name {
	u8 text[UNIT_NAME];
};

/* The digits of a container's id that policies must give at least. */
#define ID_DIGITS 12
#define ID_LENGTH 64

struct container_id {
	u8 digits[ID_DIGITS];
};

struct verdict {
	u64 time; /* CLOCK_BOOTTIME, ns */
	u64 generation;
	u64 denied; /* the rules that refuse, and those that only report */
	u64 audited;
	u64 start_time;
	u64 cgroup;
	u32 tgid;
	u32 tid;
	u32 euid;
	u32 target; /* the process acted on */
	u64 inode; /* the file that is run */
	u32 device;
	u16 port; /* host byte order */
	u8 operation;
	u8 hook;
	u8 family;
	u8 protocol;
	u8 reserved[6];
	u64 address[2];
	u8 comm[COMM];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_ARRAY);
			__uint(max_entries, 1);
			__type(key, u32);
			__type(value, struct tables);
		});
} in_force SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, u32);
	__type(value, struct task_state);
} tasks SEC(".maps");

/* Processes that ended lately: what they did may be looked at later. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, u32);
	__type(value, struct task_state);
} ended SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct program_key);
	__type(value, struct program_value);
} programs SEC(".maps");

/* Scripts whose execution has begun, by thread. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, u32);
} scripts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 32768);
	__type(key, u64);
	__type(value, struct cgroup_place);
} cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct unit_name);
	__type(value, u64);
} units SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct container_id);
	__type(value, u64);
} containers SEC(".maps");

/* Not 0: nothing is refused. Only user space writes it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} audit_only SEC(".maps");

/* What there was no room for. Only the kernel side writes it. */
struct losses {
	u64 verdicts;
	u64 tasks;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct losses);
} lost SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} verdicts SEC(".maps");

struct untold {
	u64 denied;
	u64 audited;
};

/* Verdicts for which there was no room, by rule, for a set and the one before. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * RULES);
	__type(key, u32);
	__type(value, struct untold);
} lost_of_rules SEC(".maps");

/* Who acts, as far as subjects ask. All are zero of one that nothing is known of. */
struct actor {
	u64 own[PROGRAM_WORDS];
	u64 trusted[PROGRAM_WORDS];
	u64 chain[PROGRAM_WORDS];
	u64 units;
	u64 containers;
	u64 clean; /* all bits where what runs is trusted, else none */
	u32 euid;
	u32 flags;
};

static __always_inline struct tables *tables_in_force(void)
{
	u32 zero = 0;
	void *inner = bpf_map_lookup_elem(&in_force, &zero);

	return inner ? bpf_map_lookup_elem(inner, &zero) : NULL;
}

static __always_inline u32 effective_uid(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, cred, euid.val);
}

static __always_inline void fill_actor(struct actor *actor, const struct task_state *state,
				       const struct cgroup_place *place)
{
	__builtin_memset(actor, 0, sizeof(*actor));
	if (state) {
		actor->flags = state->flags;
		__builtin_memcpy(actor->own, state->own, sizeof(actor->own));
		__builtin_memcpy(actor->trusted, state->trusted, sizeof(actor->trusted));
		__builtin_memcpy(actor->chain, state->chain, sizeof(actor->chain));
		actor->clean = state->flags & TASK_TRUSTED ? ~0ULL : 0;
	}
	if (place) {
		actor->units = place->units;
		actor->containers = place->containers;
	}
}

static __always_inline void find_actor(struct actor *actor)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	u64 cgroup = bpf_get_current_cgroup_id();

	fill_actor(actor, bpf_map_lookup_elem(&tasks, &tgid),
		   bpf_map_lookup_elem(&cgroups, &cgroup));
	actor->euid = effective_uid();
}

/*
 * What follows is done for each of many entries. It has no branches, so that the verifier need not
 * look at every way through all of them.
 */

/* 1 for all but 0. The compiler must not make a comparison of it, which would be a branch. */
static __always_inline u64 any(u64 word)
{
	word |= -word;
	asm volatile("" : "+r"(word));
	return word >> 63;
}

/* All bits where the flag is set, which is a power of two. */
static __always_inline u64 all_if(u64 flags, u64 flag)
{
	return -any(flags & flag);
}

/* Trust under allow ends with what somebody untrusted could have written; confinement never does. */
static __always_inline u64 runs(const struct subject *s, const struct actor *actor)
{
	u64 lineage = all_if(s->flags, SUBJECT_LINEAGE), allow = all_if(s->flags, SUBJECT_ALLOW);
	u64 found = 0;

	for (int i = 0; i < PROGRAM_WORDS; i++)
		found |= s->programs[i] & ((lineage & allow & actor->trusted[i]) |
					   (lineage & ~allow & actor->chain[i]) |
					   (~lineage & allow & actor->clean & actor->own[i]) |
					   (~lineage & ~allow & actor->own[i]));
	return any(found);
}

/* 1 or 0. */
static __always_inline u64 holds(const struct subject *s, const struct actor *actor)
{
	u64 fails = any(s->flags & SUBJECT_USER) & any(s->uid ^ actor->euid);

	fails |= any(s->flags & SUBJECT_UNIT) & ~any(actor->units & s->unit);
	fails |= any(s->flags & SUBJECT_CONTAINER) & ~any(actor->containers & s->container);
	fails |= any(s->flags & SUBJECT_PROGRAM) & ~runs(s, actor);
	return any(s->flags & SUBJECT_USED) & ~fails;
}

/* The rules under which the actor is allowed, and those that are about it. */
static __always_inline void find_subjects(struct tables *t, const struct actor *actor, u64 *allowed,
					  u64 *concerned)
{
	*allowed = 0;
	*concerned = t->everybody;
	for (u32 i = 0; i < SUBJECTS; i++) {
		const struct subject *s = &t->subjects[i];
		u64 bit = holds(s, actor) << (s->rule & (RULES - 1));
		u64 allow = all_if(s->flags, SUBJECT_ALLOW);

		if (i >= t->subject_count)
			break;
		*allowed |= bit & allow;
		*concerned |= bit & ~allow;
	}
}

/* Of the rules about an act, those that forbid it: within a policy one that allows beats the others. */
static __always_inline u64 forbidding(struct tables *t, u64 about, u64 listed,
				      const struct actor *actor)
{
	u64 allowed, concerned, denying;

	find_subjects(t, actor, &allowed, &concerned);
	about &= concerned;
	allowed = about & (allowed | listed);
	denying = about & ~allowed;
	for (u32 i = 0; i < RULES; i++)
		denying &= ~(t->by_policy[i] & -any(allowed & t->by_policy[i]));
	return denying;
}

static __always_inline struct losses *losses(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&lost, &zero);
}

static __always_inline void count_lost(const struct verdict *v)
{
	struct losses *all = losses();

	if (all)
		__sync_fetch_and_add(&all->verdicts, 1);
	for (u32 i = 0; i < RULES; i++) {
		u32 at = (v->generation & 1) * RULES + i;
		struct untold *n = bpf_map_lookup_elem(&lost_of_rules, &at);

		if (!n)
			continue;
		__sync_fetch_and_add(&n->denied, v->denied >> i & 1);
		__sync_fetch_and_add(&n->audited, v->audited >> i & 1);
	}
}

/* Sends a verdict that says who acted. True where the act is to be refused: whether it could be told or not. */
static __always_inline bool send(struct tables *t, struct verdict *v, u64 denying)
{
	u32 zero = 0;
	u64 *switched = bpf_map_lookup_elem(&audit_only, &zero);
	u64 enforced = t->enforce;

	if (!denying || !switched)
		return false;
	if (*switched)
		enforced = 0;
	v->denied = denying & enforced;
	v->audited = denying & ~enforced;
	v->generation = t->generation;
	v->time = bpf_ktime_get_boot_ns();
	if (bpf_ringbuf_output(&verdicts, v, sizeof(*v), 0))
		count_lost(v);
	return v->denied != 0;
}

/* The same of an act of the current task. */
static __always_inline bool tell(struct tables *t, struct verdict *v, u64 denying)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	u64 id = bpf_get_current_pid_tgid();

	if (!denying)
		return false;
	v->tgid = id >> 32;
	v->tid = id;
	v->start_time = BPF_CORE_READ(task, group_leader, start_boottime);
	v->euid = effective_uid();
	v->cgroup = bpf_get_current_cgroup_id();
	bpf_get_current_comm(v->comm, sizeof(v->comm));
	return send(t, v, denying);
}

#endif
