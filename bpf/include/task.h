/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Files and processes by the numbers that system calls name them by. */
#ifndef VEDETTE_TASK_H
#define VEDETTE_TASK_H

#include "block.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

static __always_inline struct file *file_of(struct files_struct *files, u32 fd)
{
	struct fdtable *table = FIELD(files, fdt);
	u64 descriptors[FDTABLE_WORDS];
	struct file *file = NULL;

	READ_BLOCK(descriptors, table);
	if (fd >= BLOCK_FIELD(descriptors, table, max_fds))
		return NULL;
	bpf_probe_read_kernel(&file, sizeof(file), BLOCK_FIELD(descriptors, table, fd) + fd);
	return file;
}

static __always_inline struct task_struct *task_of(struct pid *pid)
{
	void *link = BPF_CORE_READ(pid, tasks[PIDTYPE_PID].first);

	if (!link)
		return NULL;
	return link - bpf_core_field_offset(struct task_struct, pid_links);
}

/* The kernel's table of process ids is a tree of arrays of 64; two low bits mark what is a node. */
static __always_inline struct task_struct *task_by_number(u32 number)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct pid *own = BPF_CORE_READ(task, thread_pid);
	u32 level = BPF_CORE_READ(own, level);
	struct pid_namespace *space = NULL;
	struct xa_node *node;
	u64 entry, slot;
	u8 shift;

	bpf_probe_read_kernel(&space, sizeof(space),
			      (void *)own + bpf_core_field_offset(struct pid, numbers) +
				      level * bpf_core_type_size(struct upid) +
				      bpf_core_field_offset(struct upid, ns));
	entry = (u64)BPF_CORE_READ(space, idr.idr_rt.xa_head);
	if ((entry & 3) != 2)
		return NULL;
	node = (void *)(entry - 2);
	/* A number that is beyond the table finds another's place in it. */
	if ((u64)number >> (BPF_CORE_READ(node, shift) + 6))
		return NULL;
	for (int i = 0; i < 6; i++) {
		if ((entry & 3) != 2)
			break;
		node = (void *)(entry - 2);
		shift = BPF_CORE_READ(node, shift);
		slot = number >> (shift & 31) & 63;
		entry = 0;
		bpf_probe_read_kernel(&entry, sizeof(entry),
				      (void *)node + bpf_core_field_offset(struct xa_node, slots) +
					      slot * sizeof(entry));
	}
	if (!entry || entry & 3)
		return NULL;
	return task_of((void *)entry);
}

/* What a pid file descriptor stands for: kept in the inode since 6.9. */
static __always_inline struct task_struct *task_by_pidfd(u32 fd)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct file *file = file_of(BPF_CORE_READ(task, files), fd);
	struct inode *inode;

	if (!file)
		return NULL;
	inode = BPF_CORE_READ(file, f_inode);
	if (BPF_CORE_READ(inode, i_sb, s_magic) == PID_FS_MAGIC)
		return task_of(BPF_CORE_READ(inode, i_private));
	return task_of(BPF_CORE_READ(file, private_data));
}

#endif
