/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Tells user space what was decided. Nothing here changes what becomes of an act. */
#ifndef VEDETTE_ENFORCE_TELL_H
#define VEDETTE_ENFORCE_TELL_H

#include "enforce_subject.h"

/* Verdicts of one rule that are told in a second; the rest are counted. */
#define TOLD_PER_SECOND 256

#define NAMES_TOLD 32

static __always_inline void count_lost(void)
{
	u32 zero = 0;
	u64 *n = bpf_map_lookup_elem(&lost, &zero);

	if (n)
		__sync_fetch_and_add(n, 1);
}

static __always_inline struct verdict *scratch(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&told, &zero);
}

/* Writes a name of the first or second path, and gives its bytes. */
__noinline u32 tell_name(u64 dentry, u32 at, u32 second)
{
	struct verdict *v = scratch();
	u8 *path;
	long n;

	if (!v)
		return 0;
	path = second ? v->path2 : v->path;
	n = bpf_probe_read_kernel_str(&path[at & (PATH_BYTES - 1)], LONGEST_NAME,
				      (void *)BPF_CORE_READ((struct dentry *)dentry, d_name.name));
	return n > 0 ? n : 0;
}

/* Writes the names from the object up, and gives their bytes; PATH_BYTES where that are not all. */
__noinline u32 tell_path(u64 object, u32 second)
{
	struct dentry *dentry = (void *)object, *parent;
	u32 at = 0;

	for (u32 i = 0; i < NAMES_TOLD; i++) {
		parent = BPF_CORE_READ(dentry, d_parent);
		if (parent == dentry)
			return at;
		at += tell_name((u64)dentry, at, second);
		if (at >= PATH_BYTES)
			break;
		dentry = parent;
	}
	return at | PATH_CUT;
}

static __always_inline void tell_object(struct verdict *v, u64 object, u64 other)
{
	struct dentry *dentry = (void *)object;
	struct inode *inode;

	if (!object)
		return;
	v->object = other ? OBJECT_FILES : OBJECT_FILE;
	v->device = BPF_CORE_READ(dentry, d_sb, s_dev);
	inode = BPF_CORE_READ(dentry, d_inode);
	if (inode)
		v->inode = BPF_CORE_READ(inode, i_ino);
	v->length = tell_path(object, 0);
	if (other)
		v->length2 = tell_path(other, 1);
}

static __always_inline void tell_process(struct verdict *v, u64 task)
{
	v->object = OBJECT_PROCESS;
	v->target = BPF_CORE_READ((struct task_struct *)task, tgid);
}

static __always_inline void tell_address(struct verdict *v, u64 task)
{
	struct peer *peer = bpf_map_lookup_elem(&peers, &task);

	v->object = OBJECT_ADDRESS;
	if (peer)
		v->peer = *peer;
}

static __always_inline void tell_actor(struct verdict *v)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	u64 id = bpf_get_current_pid_tgid();

	v->time = bpf_ktime_get_boot_ns();
	v->start = BPF_CORE_READ(task, group_leader, start_boottime);
	v->cgroup = BPF_CORE_READ(cgroup_of(task), id);
	v->tgid = id >> 32;
	v->tid = id;
	v->uid = BPF_CORE_READ(task, cred, euid.val);
	bpf_get_current_comm(v->comm, sizeof(v->comm));
}

/* Whether the verdict is to be told, and how many were not so far. */
static __always_inline bool due(struct counts *c, u64 *folded)
{
	u64 second = bpf_ktime_get_boot_ns() / NSEC;

	if (c->window != second) {
		c->window = second;
		c->told = 0;
	}
	__sync_fetch_and_add(&c->told, 1);
	if (c->told > TOLD_PER_SECOND) {
		__sync_fetch_and_add(&c->folded, 1);
		return false;
	}
	*folded = *(volatile u64 *)&c->folded;
	return true;
}

#define REFUSED 1 /* the act is */
#define AUDIT_ONLY 2
#define TELL_PROCESS 4 /* the object is one */
#define TELL_ADDRESS 8 /* the object is the address that is noted for the task */

static __always_inline u32 rule_at(u64 act, u64 bit)
{
	return ((GENERATION_OF(act) & 1) * RULE_WORDS + WORD_OF(act)) * 64 + number_of(bit);
}

__noinline u32 count_rule(u64 act, u64 bit, u32 enforced)
{
	u32 at = rule_at(act, bit);
	struct counts *c = bpf_map_lookup_elem(&rule_counts, &at);

	if (c)
		__sync_fetch_and_add(enforced ? &c->denied : &c->audited, 1);
	return 0;
}

static __always_inline void count_rules(u64 act, u64 deny, u64 enforce)
{
	for (u32 i = 0; i < RULES_OF_ACT; i++) {
		u64 bit = deny & -deny;

		if (!bit)
			break;
		deny ^= bit;
		count_rule(act, bit, !!(enforce & bit));
	}
}

__noinline u32 count_untold(u64 act, u64 bit, u32 lost)
{
	u32 at = rule_at(act, bit);
	struct counts *c = bpf_map_lookup_elem(&rule_counts, &at);

	if (c)
		__sync_fetch_and_add(lost ? &c->lost : &c->summed, 1);
	return 0;
}

/* A verdict that is told with a later one, or never, is counted for each of its rules. */
__noinline u32 leave_untold(u64 act, u64 deny, u32 lost)
{
	for (u32 i = 0; i < RULES_OF_ACT; i++) {
		u64 bit = deny & -deny;

		if (!bit)
			break;
		deny ^= bit;
		count_untold(act, bit, lost);
	}
	return 0;
}

/* Tells of the rules of one word that deny an act. */
__noinline u32 tell(u64 act, u64 deny, u64 object, u64 other, u32 flags)
{
	u64 generation = GENERATION_OF(act), folded = 0;
	struct settings *set = settings_of(generation);
	u32 at = rule_at(act, deny & -deny);
	struct verdict *v;
	struct counts *c;

	if (!set)
		return 0;
	c = bpf_map_lookup_elem(&rule_counts, &at);
	if (!c)
		return 0;
	count_rules(act, deny, flags & AUDIT_ONLY ? 0 : set->enforce.words[WORD_OF(act)]);
	if (!due(c, &folded))
		return leave_untold(act, deny, 0);
	v = scratch();
	if (!v)
		return 0;
	__builtin_memset(v, 0, __builtin_offsetof(struct verdict, path));
	tell_actor(v);
	if (flags & TELL_PROCESS)
		tell_process(v, object);
	else if (flags & TELL_ADDRESS)
		tell_address(v, object);
	else
		tell_object(v, object, other);
	v->folded = folded;
	v->generation = generation;
	v->rules = deny;
	v->word = WORD_OF(act);
	v->hook = HOOK_OF(act);
	v->operation = OPERATION_OF(act);
	v->refused = flags & REFUSED;
	v->audit_only = !!(flags & AUDIT_ONLY);
	if (bpf_ringbuf_output(&verdicts, v, sizeof(*v), 0)) {
		count_lost();
		leave_untold(act, deny, 1);
	}
	return 1;
}

#endif
