/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Keeps the programs that led to each process. */
#ifndef VEDETTE_ENFORCE_LINEAGE_H
#define VEDETTE_ENFORCE_LINEAGE_H

#include "enforce_locate.h"
#include "enforce_subject.h"
#include "enforce_trust.h"

/* What is known of what led to a task, from the kernel and from user space, as one. */
static __always_inline void gather(struct led *out, struct task_struct *task, struct lineage *l)
{
	struct given *g = given_of(task);
	bool holds = given_holds(g, l);

	if (l)
		*out = *led_to(l, state_of(l));
	else
		__builtin_memset(out, 0, sizeof(*out));
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

/* User space has to look at the processes again. */
static __always_inline void count_unknown(void)
{
	u32 zero = 0;
	struct current_set *a = bpf_map_lookup_elem(&active, &zero);

	if (a)
		__sync_fetch_and_add(&a->unknown, 1);
}

/* A new process has its parent's lineage before it can do anything. */
SEC("tp_btf/sched_process_fork")
int follow_fork(void *ctx)
{
	struct task_struct *parent = (void *)argument(ctx, 0), *child = (void *)argument(ctx, 1);
	u32 tgid = FIELD(child, tgid);
	struct lineage l = {.execs = 1};

	if (tgid != FIELD(child, pid))
		return 0;
	gather(&l.led[0], parent, lineage_of(parent));
	if (l.led[0].flags & LINEAGE_UNKNOWN) { /* nothing is known before user space has looked */
		count_unknown();
		return 0;
	}
	l.start = start_of(child);
	if (FIELD(parent, tgid) != 1)
		l.led[0].flags &= ~LINEAGE_INIT;
	if (bpf_map_update_elem(&lineages, &tgid, &l, BPF_ANY))
		count_unknown();
	return 0;
}

SEC("tp_btf/sched_process_exit")
int follow_exit(void *ctx)
{
	struct task_struct *task = (void *)argument(ctx, 0);
	struct signal_struct *shared = FIELD(task, signal);
	u32 tgid = FIELD(task, tgid);

	if (FIELD(shared, live.counter))
		return 0;
	bpf_map_delete_elem(&lineages, &tgid);
	if (bpf_map_lookup_elem(&givens, &tgid)) /* which few have, and to look takes no lock */
		bpf_map_delete_elem(&givens, &tgid);
	return 0;
}

/* Writes what is known of the current process where nothing is, nor another thread does it. */
__noinline u32 add_lineage(u32 tgid)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct lineage l = {.start = start_of(task)};

	gather(&l.led[0], task, NULL);
	if (!bpf_map_update_elem(&lineages, &tgid, &l, BPF_NOEXIST) || lineage_of(task))
		return 1;
	/* There is one of an earlier process with the same number. */
	return bpf_map_update_elem(&lineages, &tgid, &l, BPF_ANY) ? 0 : 1;
}

SEC("lsm/bprm_creds_for_exec")
int begin_exec(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct lineage *l = lineage_of(task);
	struct led *next;

	if (!l) {
		add_lineage(FIELD(task, tgid));
		l = lineage_of(task);
		if (!l)
			return -EPERM; /* what cannot be followed is not allowed */
	}
	next = leads_to(l);
	gather(next, task, l);
	next->flags |= LINEAGE_BEGUN;
	return 0;
}

/* Adds a program to the lineage that the exec will have. */
__noinline u32 step_exec(u64 file_of, u64 generation, u64 place)
{
	struct file *file = (void *)file_of;
	struct inode *inode = FIELD(file, f_inode);
	struct task_struct *task = (void *)bpf_get_current_task();
	struct lineage *l = lineage_of(task);
	struct settings *set = settings_of(generation);
	struct hashed *h = hashed_as(inode, generation);
	struct node *node = NULL;
	struct led *next;
	bool trusted;

	if (!l)
		return 0;
	next = leads_to(l);
	/* Whoever traces a program can make it do anything. */
	trusted = (h || is_unwritten(inode, set)) && !FIELD(task, ptrace);
	if ((place & LOCATED_HOW) == LOCATED_SELF)
		node = node_of(generation, place);
	if (!node || !(node->flags & NODE_INIT))
		next->flags &= ~LINEAGE_INIT;
	for (u32 w = 0; w < PROGRAM_WORDS; w++) {
		u64 is = (node ? node->programs.words[w] : 0) | (h ? h->programs.words[w] : 0);

		next->all.words[w] |= is;
		next->running.words[w] = is;
		next->trusted.words[w] = trusted ? next->trusted.words[w] | is : 0;
	}
	return 1;
}

/* Until user space looks again nothing is known of the process but what led to it. */
__noinline u32 doubt(u32 tgid)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct lineage *old = lineage_of(task), l = {.start = start_of(task)};

	gather(&l.led[0], task, old);
	for (u32 w = 0; w < PROGRAM_WORDS; w++)
		l.led[0].trusted.words[w] = l.led[0].running.words[w] = 0;
	l.led[0].flags = LINEAGE_UNKNOWN;
	l.execs = (old ? old->execs : 0) + 1;
	count_unknown();
	return bpf_map_update_elem(&lineages, &tgid, &l, BPF_ANY) ? 0 : 1;
}

SEC("lsm/bprm_committed_creds")
int end_exec(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	u32 tgid = FIELD(task, tgid);
	struct lineage *l = lineage_of(task);
	struct led *next;
	u64 state;

	if (!l || !(leads_to(l)->flags & LINEAGE_BEGUN)) {
		/* It began before these programs were there, and nobody looked at what runs now. */
		doubt(tgid);
		return 0;
	}
	next = leads_to(l);
	next->flags &= ~LINEAGE_BEGUN;
	if (tgid == 1)
		next->flags |= LINEAGE_INIT;
	state = state_of(l);
	asm volatile("" ::: "memory"); /* the compiler must not write anything later */
	*(volatile u64 *)&l->execs = (u32)(state + 1) | ((state >> 32) + 1) << 32;
	return 0;
}

/* Takes the trust from a process that maps as code what someone untrusted could have written. */
__noinline u32 distrust(u32 tgid)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct lineage *l = lineage_of(task);
	struct led *led;

	if (!l) {
		add_lineage(tgid);
		l = lineage_of(task);
		if (!l)
			return 0;
	}
	led = led_to(l, state_of(l));
	gather(led, task, l); /* what was given holds no more */
	for (u32 w = 0; w < PROGRAM_WORDS; w++)
		led->trusted.words[w] = 0;
	__sync_fetch_and_add(&l->execs, 1);
	return 1;
}

#endif
