/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Whether rules may have anything to say about an object, without looking for where it is.
 *
 * The operations of all rules about anything in a directory, by any name there, are noted with the
 * directory's inode. The note holds while the same policies are in force and no name has moved on any
 * file system: the kernel counts that in the lock that it takes for each, before and after, so that
 * what was found while something moved does not count either. Other names of a file do not matter
 * here: who has any is looked for.
 */
#ifndef VEDETTE_ENFORCE_NEAR_H
#define VEDETTE_ENFORCE_NEAR_H

#include "enforce_judge.h"

#define NEAR_BITS 14
#define NEAR_MASK ((1U << NEAR_BITS) - 1)

/* What a note holds for: half the count of moves, and the generation. */
#define NEAR_KEY(generation, moves) ((u64)(generation) << 45 | (u64)((moves) >> 1) << NEAR_BITS)

/* Spreads numbers over all bits. */
#define NEAR_SPREAD 0x9e3779b97f4a7c15ULL

/* Two processors may write at once, so that each number carries the key. */
struct near_note {
	u64 operations; /* by their bits */
	u64 node; /* that the directory is, where names in it are nodes; 0 for none */
};

struct {
	__uint(type, BPF_MAP_TYPE_INODE_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct near_note);
} near_notes SEC(".maps");

/* A sequence lock, whose number is odd while a name moves. Kernels that do not list it have no notes. */
extern void rename_lock __ksym __weak;

static __always_inline u32 moves(void)
{
	u32 count = FIELD((struct seqcount *)&rename_lock, sequence);

	asm volatile("" ::: "memory"); /* the compiler must not look at anything sooner */
	return count;
}

#define NEAR_UNKNOWN (~0ULL)

/* The operations of rules about anything in the object's directory, and its node in the upper half. */
__noinline u64 look_near(u64 object, u64 generation)
{
	struct dentry *dentry = (void *)object;
	struct super_block *sb = FIELD(dentry, d_sb);
	u64 place = locate(object, generation), how = place & LOCATED_HOW;
	u32 number = place;
	struct node *node;

	if (!place)
		return 0;
	if (how == LOCATED_LOST)
		return NEAR_UNKNOWN;
	if (how != LOCATED_BELOW)
		number = node_at(generation, FIELD(sb, s_dev), FIELD(dentry, d_parent),
				 FIELD(sb, s_root));
	node = node_of(generation, number);
	if (!number || !node)
		return NEAR_UNKNOWN;
	return how == LOCATED_BELOW ? node->beneath : node->within | (u64)number << 32;
}

/* One of 256 kinds of names: by the first eight bytes and the length. */
static __always_inline u32 name_bit(u64 bytes, u32 len)
{
	if (len < 8)
		bytes &= (1ULL << 8 * len) - 1;
	return (bytes ^ len) * NEAR_SPREAD >> 56;
}

/* Whether a node in the directory may have this name. */
static __always_inline bool may_be_named(struct node *node, struct dentry *dentry)
{
	u32 bit = name_bit(number_at(dentry->d_name.name), dentry->d_name.len);

	return node->named[bit >> 6] >> (bit & 63) & 1;
}

/*
 * The operations of rules that may be about an object that one of these operations is on, from the
 * note, which is written where there is none. The dentry is a pointer that the verifier knows, and its
 * number is read where it is needed, from where the pointer is. Moves were counted first: what is seen
 * after it was so at that count, or the count is over.
 */
static __always_inline u64 noted_operations(struct inode *holder, u64 key, u32 count,
					    struct dentry *dentry, const void *where,
					    u64 operations, u64 generation)
{
	struct near_note *note;
	struct node *node;
	u64 known, number, found;

	note = bpf_inode_storage_get(&near_notes, holder, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!note)
		return NEAR_UNKNOWN;
	known = *(volatile u64 *)&note->operations ^ key;
	number = *(volatile u64 *)&note->node ^ key;
	if (known > NEAR_MASK || number > NEAR_MASK || !key) {
		found = look_near(number_at(where), generation);
		if (found == NEAR_UNKNOWN)
			return found;
		known = (u32)found;
		number = found >> 32;
		*(volatile u64 *)&note->operations = key | known;
		*(volatile u64 *)&note->node = key | number;
	}
	if (!(known & operations) || !number)
		return known;
	node = node_of(generation, number);
	if (!node || may_be_named(node, dentry) || moves() != count)
		return known;
	return node->inside;
}

/* From the note that is with the directory. */
static __always_inline u64 operations_near(struct dentry *dentry, const void *where, u64 operations,
					   u64 generation)
{
	struct dentry *parent;
	struct inode *dir;
	u32 count;

	if (!&rename_lock)
		return NEAR_UNKNOWN;
	count = moves();
	parent = dentry->d_parent;
	dir = parent->d_inode;
	if (count & 1 || parent == dentry || !dir)
		return NEAR_UNKNOWN;
	return noted_operations(dir, NEAR_KEY(generation, count), count, dentry, where, operations,
				generation);
}

/*
 * What a note holds for that is with a file: the directory as well, as the file may have been given a
 * name elsewhere since, and have lost this one. The secret keeps everybody from finding a directory,
 * a count and a generation that are taken for others.
 */
static __always_inline u64 key_beside(struct inode *dir, u64 generation, u32 count)
{
	u64 which = (dir->i_ino ^ hash_key[0]) * NEAR_SPREAD ^ dir->i_generation;

	which = (which ^ hash_key[1]) * NEAR_SPREAD ^ NEAR_KEY(generation, count);
	return (which ^ which >> 32) * NEAR_SPREAD & ~(u64)NEAR_MASK;
}

/* From a note about the directory that is with a file in it. */
static __always_inline u64 operations_beside(struct inode *inode, struct dentry *dentry,
					     const void *where, u64 operations, u64 generation)
{
	struct dentry *parent;
	struct inode *dir;
	u32 count;

	if (!&rename_lock || (inode->i_mode & S_IFMT) != S_IFREG)
		return NEAR_UNKNOWN;
	count = moves();
	parent = dentry->d_parent;
	dir = parent->d_inode;
	if (count & 1 || parent == dentry || !dir)
		return NEAR_UNKNOWN;
	return noted_operations(inode, key_beside(dir, generation, count), count, dentry, where,
				operations, generation);
}

/* Whether no rule is about one of the operations on a hook's argument, which has, or is to have, a name. */
static __always_inline bool is_far(void *ctx, u32 number, u64 operations, u64 generation)
{
	struct dentry *dentry = ARGUMENT(struct dentry *, ctx, number);
	struct inode *inode;

	if (!(operations & used_operations(generation)))
		return true;
	inode = dentry->d_inode;
	if (inode && inode->i_nlink > 1 && (inode->i_mode & S_IFMT) != S_IFDIR)
		return false;
	return !(operations_near(dentry, place_of_argument(ctx, number), operations, generation) &
		 operations);
}

/*
 * Verifiers follow no pointer that is in a union to where notes are: there, what is noted about the
 * directory of an open file is with the file.
 */
static __always_inline bool has_path_in_union(void)
{
	return bpf_core_field_exists(((struct file___union *)0)->__f_path);
}

/* The operations of rules that may be about an open file; all where that is not known. */
static __always_inline u64 operations_on(struct file *file, u64 operations, u64 generation)
{
	struct inode *inode = file->f_inode;
	struct dentry *dentry;

	dentry = file->f_path.dentry;
	/* An overlay opens files under names that are not theirs. */
	if (dentry->d_inode != inode || (inode->i_nlink > 1 && (inode->i_mode & S_IFMT) != S_IFDIR))
		return NEAR_UNKNOWN;
	if (has_path_in_union())
		return operations_beside(inode, dentry, &file->f_path.dentry, operations,
					 generation);
	return operations_near(dentry, &file->f_path.dentry, operations, generation);
}

/* Whether no rule is about one of the operations on an open file, and nobody vouches for its content. */
static __always_inline bool is_file_far(struct file *file, u64 operations, u64 generation, u64 used)
{
	if (operations & 1 << OP_WRITE && may_be_vouched(file->f_inode->i_ino))
		return false;
	return !(operations & used) || !(operations_on(file, operations, generation) & operations);
}

#endif
