/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Where an object is, seen by the policies: the node that it is, or the nearest one above it.
 *
 * Names decide, from the root of a file system on, whatever is mounted where: a bind mount, another
 * mount namespace or another root directory leads to the same names. Directories that are nodes are
 * labelled when they are met, so that a walk ends at the first label and not at the root.
 */
#ifndef VEDETTE_ENFORCE_LOCATE_H
#define VEDETTE_ENFORCE_LOCATE_H

#include "enforce_names.h"

/* A location is a node's number and how the object belongs to it. */
#define LOCATED_SELF (1ULL << 32) /* it is the node */
#define LOCATED_IN (2ULL << 32) /* it is in the node's directory, under a name that is no node */
#define LOCATED_BELOW (3ULL << 32) /* it is below the node */
#define LOCATED_LOST                                                                               \
	(4ULL << 32) /* nothing tells where on the file system it is: the node stands for that */
#define LOCATED_HOW (7ULL << 32)

#define STEPS 32 /* of one climb */
#define CLIMBS 48 /* that a path may take, with one for each label that is missing */

static __always_inline u32 label_of(u64 generation, u32 device, u64 inode)
{
	struct label_key key = {.generation = generation, .device = device, .inode = inode};
	u32 *node = bpf_map_lookup_elem(&labels, &key);

	return node ? *node : 0;
}

static __always_inline u32 name_in(u64 generation, u32 node, struct dentry *dentry)
{
	struct name_key key = {.generation = generation, .node = node};
	u32 *found;

	key.hash = hash_name(NUMBER(dentry, d_name.name),
			     FIELD(dentry, d_name.len) & (LONGEST_NAME - 1));
	found = bpf_map_lookup_elem(&names, &key);
	return found ? *found : 0;
}

/* The directory above, 0 where there is none, and the same again where the way up ends below it. */
__noinline u64 step_up(u64 from, u64 root, u32 device, u32 generation)
{
	struct dentry *dentry = (void *)from, *parent = (void *)NUMBER(dentry, d_parent);
	struct inode *inode;

	if (parent == dentry)
		return 0;
	if ((u64)parent == root)
		return from;
	inode = FIELD(parent, d_inode);
	return label_of(generation, device, FIELD(inode, i_ino)) ? from : (u64)parent;
}

/*
 * Goes up until the directory above is labelled or the root, and gives what is below that. After
 * many steps it gives what it has come to, and 0 where the way ends elsewhere.
 */
__noinline u64 climb(u64 start, u64 root, u32 device, u32 generation)
{
	u64 at = start, next;

	for (u32 i = 0; i < STEPS; i++) {
		next = step_up(at, root, device, generation);
		if (next == at)
			break;
		at = next;
		if (!at)
			break;
	}
	return at;
}

/* The node of a directory whose label is known, 0 for one without. */
static __always_inline u32 node_at(u64 generation, u32 device, struct dentry *dentry,
				   struct dentry *root)
{
	struct inode *inode;

	if (dentry == root)
		return label_of(generation, device, 0);
	inode = FIELD(dentry, d_inode);
	return label_of(generation, device, FIELD(inode, i_ino));
}

static __always_inline bool add_label(u64 generation, u32 device, struct dentry *dentry, u32 node)
{
	struct inode *inode = FIELD(dentry, d_inode);
	struct label_key key = {.generation = generation, .device = device};

	if (!inode)
		return false;
	key.inode = FIELD(inode, i_ino);
	return !bpf_map_update_elem(&labels, &key, &node, BPF_ANY);
}

#define AGAIN 1 /* a label was missing */
#define NOWHERE 0

/* One climb, from the start where that is AGAIN: gives the location, or AGAIN, or NOWHERE, or the dentry to go on from. */
__noinline u64 locate_from(u64 start, u64 from, u64 root_of, u32 device, u32 generation)
{
	struct dentry *root = (void *)root_of, *child = (void *)climb(from == AGAIN ? start : from,
								      root_of, device, generation);
	struct node *inner;
	u32 node, name;

	if (!child)
		return NOWHERE;
	node = node_at(generation, device, FIELD(child, d_parent), root);
	if (!node)
		return (u64)child;
	name = name_in(generation, node, child);
	if ((u64)child == start)
		return name ? LOCATED_SELF | name : LOCATED_IN | node;
	if (!name)
		return LOCATED_BELOW | node;
	inner = node_of(generation, name);
	if (!inner || !(inner->flags & NODE_INNER))
		return LOCATED_BELOW | name;
	return add_label(generation, device, child, name) ? AGAIN : NOWHERE;
}

__noinline u64 locate(u64 start, u64 generation)
{
	struct super_block *sb = FIELD((struct dentry *)start, d_sb);
	u32 device = FIELD(sb, s_dev);
	u32 anchor = label_of(generation, device, 0);
	u64 root, at = AGAIN;

	if (!anchor)
		return 0;
	root = NUMBER(sb, s_root);
	if (start == root)
		return LOCATED_SELF | anchor;
	for (u32 i = 0; i < CLIMBS; i++) {
		at = locate_from(start, at, root, device, generation);
		if (at == NOWHERE)
			break;
		if (at != AGAIN && at <= (LOCATED_HOW | 0xffffffff))
			return at;
	}
	return LOCATED_LOST | (anchor + 1);
}

/* Of an automaton's patterns that accept one of the states, the rules of a word that they add, or those that they except. */
__noinline u64 accepted(u32 at, u64 states, u32 word, u32 except)
{
	struct automaton *a = bpf_map_lookup_elem(&automata, &at);
	u64 all = 0;

	if (!a)
		return 0;
	for (u32 p = 0; p < MAX_PATTERNS; p++) {
		struct pattern *pattern = &a->patterns[p];
		struct rule_set *set = except ? &pattern->except : &pattern->add;

		if (states & pattern->accept)
			all |= set->words[word & (RULE_WORDS - 1)];
	}
	return all;
}

/* The rules of a word about a name in a directory with patterns: those that are about all, and by patterns. */
__noinline u64 by_patterns(u64 rules, u64 object, u32 first, u32 word, u32 half)
{
	struct dentry *dentry = (void *)object;
	u64 name = NUMBER(dentry, d_name.name), except = 0, states;
	u32 len = FIELD(dentry, d_name.len) & (LONGEST_NAME - 1);
	struct automaton *a;

	for (u32 i = 0; i < AUTOMATA_OF_NODE; i++) {
		u32 at = half * MAX_AUTOMATA + first;

		a = bpf_map_lookup_elem(&automata, &at);
		if (!first || !a)
			break;
		states = run_automaton(at, name, len);
		rules |= accepted(at, states, word, 0);
		except |= accepted(at, states, word, 1);
		first = a->next;
	}
	return rules & ~except;
}

#endif
