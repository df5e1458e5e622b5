/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Running files, and mapping them as code. */
#ifndef VEDETTE_ENFORCE_EXEC_H
#define VEDETTE_ENFORCE_EXEC_H

#include "enforce_files.h"

#define RAMFS_MAGIC 0x858458f6
#define HUGETLBFS_MAGIC 0x958458f6
#define NFS_SUPER_MAGIC 0x6969
#define SMB_SUPER_MAGIC 0x517b
#define CIFS_SUPER_MAGIC 0xff534d42
#define SMB2_SUPER_MAGIC 0xfe534d42
#define V9FS_MAGIC 0x01021997
#define CEPH_SUPER_MAGIC 0x00c36400
#define AFS_SUPER_MAGIC 0x5346414f

/* Memory that has no name in a file system is its own root. */
static __always_inline u32 origin_of(struct dentry *dentry)
{
	u32 magic = BPF_CORE_READ(dentry, d_sb, s_magic);

	switch (magic) {
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
	case HUGETLBFS_MAGIC:
		return BPF_CORE_READ(dentry, d_parent) == dentry ? ORIGIN_MEMFD : ORIGIN_TMPFS;
	case NFS_SUPER_MAGIC:
	case SMB_SUPER_MAGIC:
	case CIFS_SUPER_MAGIC:
	case SMB2_SUPER_MAGIC:
	case V9FS_MAGIC:
	case CEPH_SUPER_MAGIC:
	case AFS_SUPER_MAGIC:
		return ORIGIN_NETWORK;
	}
	return ORIGIN_NONE;
}

static __always_inline bool changed_since_boot(struct inode *inode)
{
	struct settings *set = settings_of(current_generation());

	return set && changed_at(inode) > set->boot && !is_vouched(inode);
}

static __always_inline u32 judge_code(struct file *file, u64 how, u32 hook)
{
	u64 object = dentry_of(file);
	u32 judged = judge_file(object, 0, ACT(OP_EXECUTE, hook) | how);

	return judged | judge_run(object, origin_of((void *)object),
				  changed_since_boot(BPF_CORE_READ(file, f_inode)),
				  ACT(OP_RUN, hook) | how);
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
	u32 judged = 0;

	if (!file || !current_generation() || is_kernel())
		return 0;
	if (shared && prot & PROT_WRITE && is_regular(file))
		judged |= judge_write(file, hook);
	if (!(prot & PROT_EXEC) || is_program(file))
		return judged;
	judged |= judge_code(file, 0, hook);
	if (!(judged & JUDGED_REFUSED) &&
	    !is_unwritten(BPF_CORE_READ(file, f_inode), settings_of(current_generation())))
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
