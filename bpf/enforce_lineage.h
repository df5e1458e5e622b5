/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Keeps the programs that led to each process. */
#ifndef VEDETTE_ENFORCE_LINEAGE_H
#define VEDETTE_ENFORCE_LINEAGE_H

#include "enforce_locate.h"
#include "enforce_subject.h"
#include "enforce_trust.h"

/* What is known of a task, from the kernel and from user space, as one. */
static __always_inline void gather(struct lineage *out, struct task_struct *task)
{
	struct lineage *l = lineage_of(task);
	struct given *g = given_of(task);
	bool holds = given_holds(g, l);

	__builtin_memset(out, 0, sizeof(*out));
	if (l)
		*out = *l;
	if (!l && !g && !(FIELD(task, flags) & PF_KTHREAD))
		out->flags = LINEAGE_UNKNOWN;
	if (holds)
		out->flags = (out->flags & ~LINEAGE_UNKNOWN) | g->flags;
	for (u32 w = 0; w < PROGRAM_WORDS && g; w++) {
		out->all.words[w] |= g->all.words[w];
		if (!holds)
			continue;
		out->trusted.words[w] |= g->trusted.words[w];
		out->running.words[w] |= g->running.words[w];
	}
}

/* A new process has its parent's lineage before it can do anything. */
SEC("tp_btf/sched_process_fork")
int follow_fork(void *ctx)
{
	struct task_struct *parent = (void *)argument(ctx, 0), *child = (void *)argument(ctx, 1);
	u32 tgid = FIELD(child, tgid);
	struct lineage l;

	if (tgid != FIELD(child, pid))
		return 0;
	gather(&l, parent);
	if (l.flags & LINEAGE_UNKNOWN) /* nothing is known before user space has looked */
		return 0;
	l.start = start_of(child);
	l.execs = 1;
	if (FIELD(parent, tgid) != 1)
		l.flags &= ~LINEAGE_INIT;
	bpf_map_update_elem(&lineages, &tgid, &l, BPF_ANY);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int follow_exit(void *ctx)
{
	struct task_struct *task = (void *)argument(ctx, 0);
	u64 key = (u64)task;
	u32 tgid = FIELD(task, tgid);

	bpf_map_delete_elem(&execs, &key);
	if (BPF_CORE_READ(task, signal, live.counter))
		return 0;
	bpf_map_delete_elem(&lineages, &tgid);
	bpf_map_delete_elem(&givens, &tgid);
	return 0;
}

SEC("lsm/bprm_creds_for_exec")
int begin_exec(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	u64 key = (u64)task;
	struct lineage l;

	gather(&l, task);
	return bpf_map_update_elem(&execs, &key, &l, BPF_ANY) ? -1 : 0;
}

/* Adds a program to the lineage that the exec will have. */
__noinline u32 step_exec(u64 file_of, u64 generation, u64 place)
{
	struct file *file = (void *)file_of;
	struct inode *inode = FIELD(file, f_inode);
	struct task_struct *task = (void *)bpf_get_current_task();
	u64 key = (u64)task;
	struct lineage *l = bpf_map_lookup_elem(&execs, &key);
	struct settings *set = settings_of(generation);
	struct hashed *h = hashed_as(inode, generation);
	struct node *node = NULL;
	bool trusted;

	if (!l)
		return 0;
	/* Whoever traces a program can make it do anything. */
	trusted = (h || is_unwritten(inode, set)) && !FIELD(task, ptrace);
	if ((place & LOCATED_HOW) == LOCATED_SELF)
		node = node_of(generation, place);
	if (!node || !(node->flags & NODE_INIT))
		l->flags &= ~LINEAGE_INIT;
	for (u32 w = 0; w < PROGRAM_WORDS; w++) {
		u64 is = (node ? node->programs.words[w] : 0) | (h ? h->programs.words[w] : 0);

		l->all.words[w] |= is;
		l->running.words[w] = is;
		l->trusted.words[w] = trusted ? l->trusted.words[w] | is : 0;
	}
	return 1;
}

/* Until user space looks again nothing is known of the process but what led to it. */
__noinline u32 doubt(u32 tgid)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct lineage l;

	gather(&l, task);
	for (u32 w = 0; w < PROGRAM_WORDS; w++)
		l.trusted.words[w] = l.running.words[w] = 0;
	l.flags = LINEAGE_UNKNOWN;
	l.start = BPF_CORE_READ(task, group_leader, start_boottime);
	l.execs += 1;
	return bpf_map_update_elem(&lineages, &tgid, &l, BPF_ANY) ? 0 : 1;
}

SEC("lsm/bprm_committed_creds")
int end_exec(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	u64 key = (u64)task;
	u32 tgid = FIELD(task, tgid);
	struct lineage *l = bpf_map_lookup_elem(&execs, &key);

	if (!l) { /* it began before these programs were there, and nobody looked at what runs now */
		doubt(tgid);
		return 0;
	}
	l->start = start_of(task);
	l->execs += 1;
	if (tgid == 1)
		l->flags |= LINEAGE_INIT;
	bpf_map_update_elem(&lineages, &tgid, l, BPF_ANY);
	bpf_map_delete_elem(&execs, &key);
	return 0;
}

/* Takes the trust from a process that maps as code what someone untrusted could have written. */
__noinline u32 distrust(u32 tgid)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct lineage l;

	gather(&l, task);
	for (u32 w = 0; w < PROGRAM_WORDS; w++)
		l.trusted.words[w] = 0;
	l.start = start_of(task);
	l.execs += 1;
	return bpf_map_update_elem(&lineages, &tgid, &l, BPF_ANY) ? 0 : 1;
}

#endif
