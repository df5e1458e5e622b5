/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef VEDETTE_IMAGE_H
#define VEDETTE_IMAGE_H
/*
 * Files that are mapped to be executed and are not the program itself: mostly libraries. Most
 * mappings are of data or of no file and are dropped by the request's flags.
 */
#include "file.h"

#define PROT_EXEC 0x4
#define MAP_ANONYMOUS 0x20

static __always_inline int image_mapped(struct file *file)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct file_scratch *s;
	u32 end = 0;

	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFREG || is_agent() ||
	    BPF_CORE_READ(task, mm, exe_file, f_inode) == inode)
		return 0;
	s = file_record(SLOT_IMAGE, EVENT_IMAGE_LOAD);
	if (!s)
		return 0;
	fill_inode(&s->event, inode);
	s->event.flags = FILE_ATTEMPT;
	end = append_path(s->data, end, &s->event.path, SLOT_IMAGE,
			  BPF_CORE_READ(file, f_path.dentry), BPF_CORE_READ(file, f_path.mnt));
	submit_file(s, end);
	return 0;
}

SECURITY_HOOK(mmap_file, (struct file * file, u64 prot), (file, prot))
{
	return file && prot & PROT_EXEC ? image_mapped(file) : 0;
}

SEC("tracepoint/syscalls/sys_enter_mmap")
int sys_enter_mmap(struct sys_enter_args *ctx)
{
	struct task_struct *task;
	struct file *file;

	if (!(ARG(2) & PROT_EXEC) || ARG(3) & MAP_ANONYMOUS)
		return 0;
	task = (void *)bpf_get_current_task();
	file = file_of(BPF_CORE_READ(task, files), ARG(4));
	return file ? image_mapped(file) : 0;
}

#endif
