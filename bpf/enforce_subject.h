/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Who acts: the programs that led to a task, its user, its unit and its container. */
#ifndef VEDETTE_ENFORCE_SUBJECT_H
#define VEDETTE_ENFORCE_SUBJECT_H

#include "enforce_names.h"

#define PF_IO_WORKER 0x10
#define PF_KTHREAD 0x200000
#define NSEC_PER_TICK 10000000

#define CGROUP_DEPTH 16
#define SUBJECTS_OF_RULE 32

/* Rules of one word that are looked at for one act. Where there are more the act is refused. */
#define RULES_OF_ACT 16

/*
 * An act in one number, which is all that global functions of 5.10 take: up to two operations by
 * their bits' numbers, the hook, how subjects are asked for, a word of the rules, the generation.
 */
#define NO_OPERATION 31
#define ACT(operation, hook) ((operation) | NO_OPERATION << 8 | (u64)(hook) << 16)
#define ACT2(operation, other, hook) ((operation) | (other) << 8 | (u64)(hook) << 16)
#define ASK_TRUST                                                                                  \
	(1ULL << 24) /* for being allowed something, and not for being held to something */
#define ASK_EXEC (2ULL << 24) /* by the lineage that the task will have when its exec succeeds */
#define NAME_ONLY (4ULL << 24) /* about a name, and not about what has it now */
#define IN_HOOK(hook) ((u64)(hook) << 16)
#define IN_WORD(word) ((u64)(word) << 28)
#define IN_GENERATION(generation) ((generation) << 32)

#define OPERATION_OF(act) ((act) & 31)
#define OTHER_OF(act) ((act) >> 8 & 31)
#define HOOK_OF(act) ((act) >> 16 & 0xff)
#define WORD_OF(act) ((act) >> 28 & (RULE_WORDS - 1))
#define GENERATION_OF(act) ((act) >> 32)

/*
 * The kernel's own work. A thread of the kernel that works off what a process put into an io_uring
 * has that process's files, and is none: until 5.12 they are threads of the kernel.
 */
static __always_inline bool is_kernel(void)
{
	struct task_struct *task = (void *)bpf_get_current_task(), *parent;
	u32 flags = FIELD(task, flags);

	if (!(flags & PF_KTHREAD) || flags & PF_IO_WORKER)
		return false;
	parent = FIELD(task, real_parent);
	return FIELD(task, files) == FIELD(parent, files);
}

/* When a task's process started, in ns since boot. */
static __always_inline u64 start_of(struct task_struct *task)
{
	struct task_struct *leader = FIELD(task, group_leader);

	return FIELD(leader, start_boottime);
}

/* The agent, which has to find files before it can protect them. */
static __always_inline bool is_agent(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct current_set *a = in_force();

	if (!a || FIELD(task, tgid) != a->agent)
		return false;
	return start_of(task) / NSEC_PER_TICK == a->agent_ticks;
}

static __always_inline struct lineage *lineage_of(struct task_struct *task)
{
	u32 tgid = FIELD(task, tgid);
	struct lineage *l = bpf_map_lookup_elem(&lineages, &tgid);

	return l && l->start == start_of(task) ? l : NULL;
}

static __always_inline struct given *given_of(struct task_struct *task)
{
	u32 tgid = FIELD(task, tgid);
	struct given *g = bpf_map_lookup_elem(&givens, &tgid);

	return g && g->ticks == start_of(task) / NSEC_PER_TICK ? g : NULL;
}

/* The number of a lineage's exec, and in the upper half its turn, as they are at one moment. */
static __always_inline u64 state_of(struct lineage *l)
{
	return *(volatile u64 *)&l->execs;
}

static __always_inline struct led *led_to(struct lineage *l, u64 state)
{
	return &l->led[state >> 32 & 1];
}

/* What will have led to the process when its exec succeeds. */
static __always_inline struct led *leads_to(struct lineage *l)
{
	return led_to(l, ~state_of(l));
}

static __always_inline bool given_holds(struct given *g, struct lineage *l)
{
	return g && g->execs == (l ? l->execs : 0);
}

static __always_inline bool is_init(struct task_struct *task)
{
	struct lineage *l = lineage_of(task);
	struct given *g = given_of(task);

	return (l && led_to(l, state_of(l))->flags & LINEAGE_INIT) ||
	       (given_holds(g, l) && g->flags & LINEAGE_INIT);
}

static __always_inline struct kernfs_node *above(struct kernfs_node *node)
{
	struct kernfs_node___new *new = (void *)node;

	if (bpf_core_field_exists(new->__parent))
		return FIELD(new, __parent);
	return FIELD(node, parent);
}

/* The v2 cgroup, or on hosts that keep processes in v1 hierarchies the one that counts them. */
static __always_inline struct kernfs_node *cgroup_of(struct task_struct *task)
{
	struct css_set *css = FIELD(task, cgroups);
	struct cgroup *unified = FIELD(css, dfl_cgrp);
	struct kernfs_node *node = FIELD(unified, kn);
	struct cgroup_subsys_state *state = NULL;
	u32 index;

	if (FIELD(node, id) != 1 ||
	    !bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id))
		return node;
	index = bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id);
	bpf_probe_read_kernel(&state, sizeof(state),
			      (void *)css + bpf_core_field_offset(struct css_set, subsys) +
				      index * sizeof(void *));
	return state ? BPF_CORE_READ(state, cgroup, kn) : node;
}

#define SLICE 0x6563696c732eULL /* ".slice" */

static __always_inline bool is_slice(u64 name, u32 len)
{
	u64 end = 0;

	if (len < 6)
		return false;
	bpf_probe_read_kernel(&end, 6, (void *)name + len - 6);
	return end == SLICE;
}

__noinline u64 place_bit(u32 generation, u32 kind, u64 value)
{
	struct place_key key = {.generation = generation, .kind = kind, .value = value};
	u64 *bit = bpf_map_lookup_elem(&places, &key);

	return bit ? *bit : 0;
}

/*
 * The units and containers that hold a task. A unit counts where only slices are above it: users
 * and containers name the cgroups below their own as they like.
 */
__noinline u64 places_of(u64 of, u32 generation)
{
	struct kernfs_node *node = cgroup_of((void *)of), *parent;
	u64 units = 0, containers = 0, name;
	u32 len;

	for (u32 i = 0; i < CGROUP_DEPTH; i++) {
		parent = above(node);
		if (!parent)
			return units | containers;
		name = NUMBER(node, name);
		len = length_of(name);
		if (!is_slice(name, len))
			units = 0;
		units |= place_bit(generation, PLACE_UNIT, hash_name(name, len));
		containers |= place_bit(generation, PLACE_CONTAINER, FIELD(node, id));
		node = parent;
	}
	return containers;
}

static __always_inline bool has(struct program_set *set, u32 program)
{
	return set->words[(program >> 6) & (PROGRAM_WORDS - 1)] >> (program & 63) & 1;
}

#define IN_ALL 1
#define IN_TRUSTED 2
#define IN_RUNNING 4
#define IN_UNKNOWN 8 /* nobody knows what it is */

static __always_inline u32 find_led(struct led *led, u32 program)
{
	u32 found = led->flags & LINEAGE_UNKNOWN ? IN_UNKNOWN : 0;

	found |= has(&led->all, program) ? IN_ALL : 0;
	found |= has(&led->trusted, program) ? IN_TRUSTED : 0;
	return found | (has(&led->running, program) ? IN_RUNNING : 0);
}

#define LOOKS 3

/*
 * Where in a task's lineage a program is. Other processes may run something else while it is looked
 * for, and begin to run a third thing, which is written where the first was.
 */
__noinline u32 find_program(u64 who, u32 program, u64 act)
{
	struct task_struct *task = (void *)who;
	struct lineage *l = lineage_of(task);
	struct given *g = given_of(task);
	u32 execs_before = 0, found = IN_UNKNOWN;
	struct led *led;
	u64 state;

	for (u32 i = 0; l && i < LOOKS; i++) {
		state = state_of(l);
		execs_before = state;
		led = led_to(l, state);
		if (act & ASK_EXEC) { /* what was given is in it */
			led = leads_to(l);
			execs_before++;
		}
		found = find_led(led, program);
		asm volatile("" ::: "memory"); /* the compiler must not look at anything later */
		if (state_of(l) == state)
			break;
		found = IN_UNKNOWN;
	}
	if (g) {
		found |= has(&g->all, program) ? IN_ALL : 0;
		if (g->execs == execs_before) {
			found &= ~IN_UNKNOWN;
			found |= has(&g->trusted, program) ? IN_TRUSTED : 0;
			found |= has(&g->running, program) ? IN_RUNNING : 0;
		}
	}
	if (FIELD(task, flags) & PF_KTHREAD && !(FIELD(task, flags) & PF_IO_WORKER))
		found &= ~IN_UNKNOWN;
	return found;
}

/*
 * For being allowed something all that ran since the program must be trusted. For being held to
 * something it must not, and whoever is not known is held to everything.
 */
static __always_inline bool program_holds(struct subject *s, u64 who, u64 act)
{
	u32 found = find_program(who, s->program, act);
	u32 wanted = s->flags & SUBJECT_LINEAGE ? IN_ALL : IN_RUNNING;

	if (act & ASK_TRUST)
		return (found & (wanted | IN_TRUSTED)) == (wanted | IN_TRUSTED);
	return found & (wanted | IN_UNKNOWN);
}

static __always_inline u32 user_of(struct task_struct *task)
{
	struct cred *cred = (void *)FIELD(task, cred);

	return FIELD(cred, euid.val);
}

__noinline u32 subject_holds(u64 who, u32 at, u64 act, u64 held_by)
{
	struct subject *s = bpf_map_lookup_elem(&subjects, &at);

	if (!s)
		return 0;
	if (s->flags & SUBJECT_USER && s->uid != user_of((void *)who))
		return 0;
	if (s->unit != NO_PLACE && !(held_by >> (s->unit & 63) & 1))
		return 0;
	if (s->container != NO_PLACE && !(held_by >> (s->container & 63) & 1))
		return 0;
	return s->program == NO_PROGRAM || program_holds(s, who, act);
}

/* Whether the task, which the places hold, is one of a rule's subjects. */
__noinline u32 is_among(u64 who, u32 first, u32 count, u64 act, u64 held_by)
{
	for (u32 i = 0; i < SUBJECTS_OF_RULE; i++) {
		if (i >= count)
			break;
		if (subject_holds(who, first + i, act, held_by))
			return 1;
	}
	return 0;
}

#endif
