/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef VEDETTE_CREDENTIALS_H
#define VEDETTE_CREDENTIALS_H
/*
 * User and group ids that a process changes.
 *
 * The better tiers see the kernel's old and new credentials; the tracepoint tier compares those
 * before and after the call. Servers switch their effective ids to and fro for each request: what
 * changes no real or saved id is told only where it gains an id that the process did not have.
 */
#include "file.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, struct event_ids);
} pending_ids SEC(".maps");

static __always_inline void read_ids(struct event_ids *ids, const struct cred *cred)
{
	ids->uid = BPF_CORE_READ(cred, uid.val);
	ids->euid = BPF_CORE_READ(cred, euid.val);
	ids->suid = BPF_CORE_READ(cred, suid.val);
	ids->gid = BPF_CORE_READ(cred, gid.val);
	ids->egid = BPF_CORE_READ(cred, egid.val);
	ids->sgid = BPF_CORE_READ(cred, sgid.val);
}

static __always_inline bool ids_matter(const struct event_ids *old, const struct event_ids *new)
{
	if (old->uid != new->uid || old->suid != new->suid || old->gid != new->gid ||
	    old->sgid != new->sgid)
		return true;
	if (!old->euid) /* it may become anybody, and remains who it really is */
		return false;
	return (new->euid != old->euid &&new->euid != old->uid &&new->euid != old->suid) ||
	       (new->egid != old->egid &&new->egid != old->gid &&new->egid != old->sgid);
}

static __always_inline int ids_changed(const struct event_ids *old, const struct cred *cred,
				       u32 flags)
{
	struct setid_event e = {};

	read_ids(&e.now, cred);
	if (!ids_matter(old, &e.now) || is_agent())
		return 0;
	fill_head(&e.head, EVENT_PROCESS_SETID, (void *)bpf_get_current_task());
	e.before = *old;
	e.flags = flags;
	submit(&activity_ring, &e.head, sizeof(e));
	return 0;
}

static __always_inline int credentials_fixed(const struct cred *new, const struct cred *old)
{
	struct event_ids before;

	read_ids(&before, old);
	return ids_changed(&before, new, FILE_ATTEMPT);
}

SECURITY_HOOK(task_fix_setuid, (struct cred * new, const struct cred *old), (new, old))
{
	return credentials_fixed(new, old);
}

SECURITY_HOOK(task_fix_setgid, (struct cred * new, const struct cred *old), (new, old))
{
	return credentials_fixed(new, old);
}

static __always_inline int setid_begins(struct sys_enter_args *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	u64 id = bpf_get_current_pid_tgid();
	struct event_ids ids;

	read_ids(&ids, BPF_CORE_READ(task, cred));
	if (bpf_map_update_elem(&pending_ids, &id, &ids, BPF_ANY))
		count_loss(EVENT_PROCESS_SETID, LOSS_PENDING_FULL);
	return 0;
}

static __always_inline int setid_ends(struct sys_exit_args *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	u64 id = bpf_get_current_pid_tgid();
	struct event_ids *pending = bpf_map_lookup_elem(&pending_ids, &id);
	struct event_ids before;

	if (!pending)
		return 0;
	before = *pending;
	bpf_map_delete_elem(&pending_ids, &id);
	return ids_changed(&before, BPF_CORE_READ(task, cred), 0);
}

#define SETID_CALL(call)                                                                           \
	SEC("tracepoint/syscalls/sys_enter_" #call)                                                \
	int sys_enter_##call(struct sys_enter_args *ctx)                                           \
	{                                                                                          \
		return setid_begins(ctx);                                                          \
	}                                                                                          \
	SYS_EXIT(call, setid_ends)

SETID_CALL(setuid)
SETID_CALL(setgid)
SETID_CALL(setreuid)
SETID_CALL(setregid)
SETID_CALL(setresuid)
SETID_CALL(setresgid)

#endif
