/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Whether someone untrusted could have written a file. */
#ifndef VEDETTE_ENFORCE_TRUST_H
#define VEDETTE_ENFORCE_TRUST_H

#include "enforce_maps.h"

/* When the inode was changed last, which nobody can set, in ns of the clock. */
static __always_inline u64 changed_at(struct inode *inode)
{
	struct inode___6_6 *old = (void *)inode;
	struct inode___6_11 *middle = (void *)inode;
	struct inode___new *new = (void *)inode;

	if (bpf_core_field_exists(old->i_ctime))
		return FIELD(old, i_ctime.tv_sec) * NSEC + FIELD(old, i_ctime.tv_nsec);
	if (bpf_core_field_exists(middle->__i_ctime))
		return FIELD(middle, __i_ctime.tv_sec) * NSEC + FIELD(middle, __i_ctime.tv_nsec);
	/* Since 6.13 the highest bit says that the time was asked for. */
	return FIELD(new, i_ctime_sec) * NSEC + (FIELD(new, i_ctime_nsec) & ~(1U << 31));
}

static __always_inline struct inode_key inode_key_of(struct inode *inode)
{
	struct inode_key key = {
		.device = device_of(inode),
		.generation = FIELD(inode, i_generation),
		.inode = FIELD(inode, i_ino),
	};

	return key;
}

static __always_inline u8 *vouched_near(u64 inode)
{
	u32 zero = 0;
	struct vouched_numbers *n = bpf_map_lookup_elem(&vouched_numbers, &zero);

	return n ? &n->some[inode & (sizeof(n->some) - 1)] : NULL;
}

/* Cheap, and wrong only about some files that nobody vouches for. */
static __always_inline bool may_be_vouched(u64 inode)
{
	u8 *some = vouched_near(inode);

	return !some || *(volatile u8 *)some;
}

static __always_inline bool is_vouched(struct inode *inode)
{
	struct inode_key key = inode_key_of(inode);

	return may_be_vouched(key.inode) && bpf_map_lookup_elem(&vouched, &key);
}

/* Remembers who opened a file for writing last: someone whom a policy allows it, or someone else. */
__noinline u32 vouch(u64 of, u32 allowed)
{
	struct inode_key key = inode_key_of((void *)of);
	u8 *some = vouched_near(key.inode);
	u32 yes = 1;

	if (allowed && some)
		*(volatile u8 *)some = 1;
	if (allowed)
		bpf_map_update_elem(&vouched, &key, &yes, BPF_ANY);
	else if (may_be_vouched(key.inode) && bpf_map_lookup_elem(&vouched, &key))
		bpf_map_delete_elem(&vouched, &key);
	return 0;
}

/* What user space knows of a file's content, if that is still the same. */
static __always_inline struct hashed *hashed_as(struct inode *inode, u64 generation)
{
	struct label_key key = {.generation = generation};
	struct settings *set = settings_of(generation);
	struct hashed *h;

	if (!set || !set->has_hashes)
		return NULL;
	key.device = device_of(inode);
	key.inode = FIELD(inode, i_ino);
	h = bpf_map_lookup_elem(&hashes, &key);
	return h && h->changed == changed_at(inode) ? h : NULL;
}

/* Nobody changed it since the agent began to look, or somebody whom a policy allows it. */
static __always_inline bool is_unwritten(struct inode *inode, struct settings *set)
{
	return set && (changed_at(inode) < set->since || is_vouched(inode));
}

#endif
