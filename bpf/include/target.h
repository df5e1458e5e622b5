/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The other process: who it is, and what was told of it lately. */
#ifndef VEDETTE_TARGET_H
#define VEDETTE_TARGET_H

#include "common.h"

/* A debugger does the same thousands of times: it is told once in so long for a caller and a target. */
#define ACCESS_AGAIN_NS (10ULL * 1000 * 1000 * 1000)

struct access_key {
	u32 tgid;
	u32 target;
	u32 call;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct access_key);
	__type(value, u64);
} accesses_told SEC(".maps");

/* False where there is none, and where it is the caller itself. */
static __always_inline bool fill_target(struct access_target *target, struct task_struct *task)
{
	const struct cred *cred;

	if (!task)
		return false;
	target->tgid = BPF_CORE_READ(task, tgid);
	if (!target->tgid || target->tgid == (u32)(bpf_get_current_pid_tgid() >> 32))
		return false;
	cred = BPF_CORE_READ(task, cred);
	target->start_time = BPF_CORE_READ(task, group_leader, start_boottime);
	target->euid = BPF_CORE_READ(cred, euid.val);
	return true;
}

static __always_inline bool told_lately(u32 target, u32 call)
{
	struct access_key key = {
		.tgid = bpf_get_current_pid_tgid() >> 32, .target = target, .call = call};
	u64 *last = bpf_map_lookup_elem(&accesses_told, &key);

	return last && bpf_ktime_get_boot_ns() - *last < ACCESS_AGAIN_NS;
}

static __always_inline int submit_access(u32 kind, const struct access_target *target, u32 call,
					 s32 ret, u32 flags)
{
	struct access_key key = {
		.tgid = bpf_get_current_pid_tgid() >> 32, .target = target->tgid, .call = call};
	struct access_event e = {};

	if (told_lately(target->tgid, call))
		return 0;
	fill_head(&e.head, kind, (void *)bpf_get_current_task());
	e.target = *target;
	e.call = call;
	e.ret = ret;
	e.flags = flags;
	bpf_map_update_elem(&accesses_told, &key, &e.head.time, BPF_ANY);
	submit(&activity_ring, &e.head, sizeof(e));
	return 0;
}

#endif
