/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Paths as the kernel holds them: names from an object up to its mount's root, then on through the
 * mounts, until the root of the outermost one. bpf_d_path is no help here: few hooks may call it
 * and on 5.10 no tracepoint may.
 *
 * A path is the view of the process's mount namespace, whatever its root directory: for a process
 * of the host the host's, for one in a container the container's.
 */
#ifndef VEDETTE_PATH_H
#define VEDETTE_PATH_H

#include "common.h"

static __always_inline void no_string(struct event_string *string)
{
	__builtin_memset(string, 0, sizeof(*string));
}

#define MAX_COMPONENTS 96

enum walk {
	WALK_ON,
	WALK_DONE,
	WALK_CUT,
};

/*
 * One step: a name, or from a mount's root to the directory it is mounted on. A global function
 * that keeps its state in a map: the verifier checks it once, and not for every component of every
 * path in every program. On 5.10 such a function may only take numbers.
 */
__noinline int walk_step(u32 slot)
{
	struct path_buffer *w = bpf_map_lookup_elem(&path_buffers, &slot);
	struct dentry *dentry, *parent;
	u64 entry[DENTRY_WORDS];
	const unsigned char *name;
	u32 len, at;
	char first = 0;

	if (!w)
		return WALK_CUT;
	dentry = (void *)w->dentry;
	if (w->mount && w->dentry == w->mnt_root) {
		struct mount *mount = (void *)w->mount;
		struct mount *above = FIELD(mount, mnt_parent);

		if (above == mount)
			return WALK_DONE;
		w->dentry = (u64)FIELD(mount, mnt_mountpoint);
		w->mount = (u64)above;
		w->mnt_root = (u64)BPF_CORE_READ(above, mnt.mnt_root);
		return WALK_ON;
	}
	READ_BLOCK(entry, dentry);
	parent = BLOCK_FIELD(entry, dentry, d_parent);
	name = BLOCK_FIELD(entry, dentry, d_name.name);
	len = BLOCK_FIELD(entry, dentry, d_name.len) & (NAME_CAP - 1);
	if (parent == dentry) {
		/* A root without a mount, or an object that is in no directory, such as a memfd. */
		bpf_probe_read_kernel(&first, 1, name);
		if (first == '/')
			return WALK_DONE;
	}
	at = w->at;
	if (at > PATH_CAP || at < len + 1)
		return WALK_CUT;
	at -= len;
	bpf_probe_read_kernel(&w->bytes[at & (PATH_CAP - 1)], len, name);
	at -= 1;
	w->bytes[at & (PATH_CAP - 1)] = '/';
	w->at = at;
	w->dentry = (u64)parent;
	return parent == dentry ? WALK_DONE : WALK_ON;
}

/* Appends the path of an object behind the record's other strings and returns the new end. */
static __always_inline u32 append_path(u8 *data, u32 end, struct event_string *string, u32 slot,
				       struct dentry *dentry, struct vfsmount *mnt)
{
	struct path_buffer *w = bpf_map_lookup_elem(&path_buffers, &slot);
	int step = WALK_ON;
	u32 at, len;

	no_string(string);
	string->truncated = 1;
	if (!w || end >= DATA_CAP)
		return end;
	w->at = PATH_CAP;
	w->dentry = (u64)dentry;
	w->mount = 0;
	w->mnt_root = 0;
	if (mnt) {
		w->mnt_root = (u64)FIELD(mnt, mnt_root);
		w->mount = (u64)mnt - bpf_core_field_offset(struct mount, mnt);
	}
	for (int i = 0; i < MAX_COMPONENTS && step == WALK_ON; i++)
		step = walk_step(slot);
	at = w->at;
	if (at > PATH_CAP - 1) { /* nothing was written: the root itself */
		at = PATH_CAP - 1;
		w->bytes[at] = '/';
	}
	if (at < 1) /* the length has to fit its mask: a path of PATH_CAP bytes loses its first */
		at = 1;
	len = PATH_CAP - at;
	bpf_probe_read_kernel(&data[end & (DATA_CAP - 1)], len & (PATH_CAP - 1),
			      &w->bytes[at & (PATH_CAP - 1)]);
	string->len = len;
	if (step == WALK_DONE) {
		string->truncated = 0;
		string->true_len = len;
	}
	return end + (len & (PATH_CAP - 1));
}

static __always_inline u32 append_string(u8 *data, u32 end, struct event_string *string,
					 const void *from, bool user)
{
	long n;

	string->reserved = 0;
	string->truncated = 1;
	string->len = 0;
	string->true_len = 0;
	if (end >= DATA_CAP)
		return end;
	if (user)
		n = bpf_probe_read_user_str(&data[end & (DATA_CAP - 1)], PATH_CAP, from);
	else
		n = bpf_probe_read_kernel_str(&data[end & (DATA_CAP - 1)], PATH_CAP, from);
	if (n <= 0)
		return end;
	n -= 1; /* the zero byte is not part of the string */
	if (n < PATH_CAP - 1) {
		string->truncated = 0;
		string->true_len = n;
	}
	string->len = n;
	return end + (n & (PATH_CAP - 1));
}

#endif
