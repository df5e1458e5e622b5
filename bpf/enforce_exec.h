/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Running files, and mapping them as code. */
#ifndef VEDETTE_ENFORCE_EXEC_H
#define VEDETTE_ENFORCE_EXEC_H

#include "enforce_files.h"

static __always_inline int judge_code(struct file *file, u64 how, u32 hook)
{
	u64 object = dentry_of(file);

	return judge_file(object, 0, ACT(OP_EXECUTE, hook) | how);
}

/* For a script this comes by for the script, and then for its interpreter. */
SEC("lsm/bprm_check_security")
int guard_bprm_check(void *ctx)
{
	struct linux_binprm *bprm = (void *)argument(ctx, 0);
	struct file *file = BPF_CORE_READ(bprm, file);
	u32 judged = judge_code(file, ASK_EXEC, HOOK_BPRM_CHECK);

	step_exec((u64)file, current_generation());
	return refuse(judged);
}

/* The kernel maps the program itself too, when it has been judged already. */
static __always_inline bool is_program(struct file *file)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct file *exe = BPF_CORE_READ(task, mm, exe_file);

	return exe && BPF_CORE_READ(exe, f_inode) == BPF_CORE_READ(file, f_inode);
}

static __always_inline u32 judge_mapping(struct file *file, u64 prot, bool shared, u32 hook)
{
	u64 generation = current_generation();
	u32 judged = 0;

	if (!file || !generation || is_kernel())
		return 0;
	if (shared && prot & PROT_WRITE && is_regular(file))
		judged |= judge_write(file, hook);
	if (!(prot & PROT_EXEC) || is_program(file))
		return judged;
	judged |= judge_code(file, 0, hook);
	if (!(judged & JUDGED_REFUSED) &&
	    !is_unwritten(BPF_CORE_READ(file, f_inode), settings_of(generation)))
		distrust(bpf_get_current_pid_tgid() >> 32);
	return judged;
}

SEC("lsm/mmap_file")
int guard_mmap_file(void *ctx)
{
	u64 type = argument(ctx, 3) & MAP_TYPE;

	return refuse(judge_mapping((void *)argument(ctx, 0), argument(ctx, 2), type != MAP_PRIVATE,
				    HOOK_MMAP_FILE));
}

SEC("lsm/file_mprotect")
int guard_file_mprotect(void *ctx)
{
	struct vm_area_struct *area = (void *)argument(ctx, 0);

	return refuse(judge_mapping(BPF_CORE_READ(area, vm_file), argument(ctx, 2),
				    BPF_CORE_READ(area, vm_flags) & VM_SHARED, HOOK_FILE_MPROTECT));
}

#endif
