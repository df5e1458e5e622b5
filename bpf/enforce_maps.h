/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The maps, and what is asked of them everywhere. */
#ifndef VEDETTE_ENFORCE_MAPS_H
#define VEDETTE_ENFORCE_MAPS_H

#include "include/kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "include/block.h"
#include "enforce_abi.h"

#define NSEC 1000000000ULL
#define EPERM 1

/* Secret, so that nobody can find names that are taken for each other. */
const volatile u64 hash_key[2] = {};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct current_set);
} active SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, u32);
	__type(value, struct settings);
} halves SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * 64 * RULE_WORDS);
	__type(key, u32);
	__type(value, struct rule);
} rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * 64 * RULE_WORDS);
	__type(key, u32);
	__type(value, struct counts);
} rule_counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * MAX_SUBJECTS);
	__type(key, u32);
	__type(value, struct subject);
} subjects SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * MAX_ENDPOINTS);
	__type(key, u32);
	__type(value, struct endpoint);
} endpoints SEC(".maps");

/* The address that a task's act is about, by the task: it is more than fits into a number. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 262144);
	__type(key, u64);
	__type(value, struct peer);
} peers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * MAX_NODES);
	__type(key, u32);
	__type(value, struct node);
} nodes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * MAX_AUTOMATA);
	__type(key, u32);
	__type(value, struct automaton);
} automata SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, struct label_key);
	__type(value, u32);
} labels SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 131072);
	__type(key, struct name_key);
	__type(value, u32);
} names SEC(".maps");

/* The rules about files that have several names, by all of them. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct label_key);
	__type(value, struct rule_set);
} links SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, struct place_key);
	__type(value, u64);
} places SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 262144);
	__type(key, u32);
	__type(value, struct lineage);
} lineages SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 262144);
	__type(key, u32);
	__type(value, struct given);
} givens SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, struct label_key);
	__type(value, struct hashed);
} hashes SEC(".maps");

/* Files that were last opened for writing by somebody whom a policy allows it. To forget one breaks trust, no more. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct inode_key);
	__type(value, u32);
} vouched SEC(".maps");

/* Whether there ever was such a file with a number that ends so. */
struct vouched_numbers {
	u8 some[1 << 16];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct vouched_numbers);
} vouched_numbers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} verdicts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} lost SEC(".maps");

/* Where a verdict is written before it is told. Nothing that decides is here. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct verdict);
} told SEC(".maps");

/* The agent's own maps and programs. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, struct own_key);
	__type(value, u32);
} own SEC(".maps");

/* What an agent leaves to the next one in its own words. No program looks at it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct handover);
} handover SEC(".maps");

static __always_inline struct current_set *in_force(void)
{
	u32 zero = 0;
	struct current_set *a = bpf_map_lookup_elem(&active, &zero);

	return a && a->generation ? a : NULL;
}

static __always_inline u64 current_generation(void)
{
	struct current_set *a = in_force();

	return a ? *(volatile u64 *)&a->generation : 0;
}

static __always_inline u64 next_generation(void)
{
	struct current_set *a = in_force();

	return a ? *(volatile u64 *)&a->next : 0;
}

static __always_inline struct settings *settings_of(u64 generation)
{
	u32 half = generation & 1;

	return bpf_map_lookup_elem(&halves, &half);
}

/* The operations that any rule is about. */
static __always_inline u64 used_operations(u64 generation)
{
	struct settings *set = settings_of(generation);

	return set && generation ? set->used : 0;
}

static __always_inline struct node *node_of(u64 generation, u32 node)
{
	u32 at = (generation & 1) * MAX_NODES + node;

	return bpf_map_lookup_elem(&nodes, &at);
}

/*
 * Keeps a branch that the compiler would turn into arithmetic, which verifiers do not allow with
 * pointers, nor understand where a hook's answer comes from.
 */
#define KEEP_BRANCH asm volatile("" ::: "memory")

/* A set bit's number: of all below it. */
static __always_inline u32 number_of(u64 bit)
{
	return __builtin_popcountll(bit - 1);
}

/*
 * What is at an address as a number, whatever the verifier knows of it: a field of 64 bits of any type
 * serves. Functions that are checked once take nothing else.
 */
static __always_inline u64 number_at(const void *address)
{
	struct timespec64 *any;
	u64 value = 0;

	if (LOADS_ITSELF) {
		any = bpf_rdonly_cast(address, bpf_core_type_id_kernel(struct timespec64));
		return any->tv_sec;
	}
	bpf_probe_read_kernel(&value, sizeof(value), address);
	return value;
}

/* A field that is a pointer, as a number. */
#define NUMBER(object, field) number_at(__builtin_preserve_access_index(&(object)->field))

/* Where an argument of a hook is. The compiler must not follow it itself, which verifiers do not allow. */
static __always_inline const void *place_of_argument(void *ctx, u32 number)
{
	asm volatile("" : "+r"(ctx));
	return ctx + 8 * number;
}

/* The argument of a hook as a number. */
static __always_inline u64 argument(void *ctx, u32 number)
{
	return number_at(place_of_argument(ctx, number));
}

/* The same as a pointer that the verifier knows, which the hook's own function can follow without a call. */
#define ARGUMENT(type, ctx, number) (*(type *)((ctx) + 8 * (number)))

/* The device of an inode's file system. */
static __always_inline u32 device_of(struct inode *inode)
{
	struct super_block *sb = FIELD(inode, i_sb);

	return FIELD(sb, s_dev);
}

static __always_inline unsigned long magic_of(struct super_block *sb)
{
	return FIELD(sb, s_magic);
}

#endif
