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
	u32 magic = magic_of(FIELD(dentry, d_sb));

	switch (magic) {
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
	case HUGETLBFS_MAGIC:
		return FIELD(dentry, d_parent) == dentry ? ORIGIN_MEMFD : ORIGIN_TMPFS;
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

static __always_inline bool changed_since_boot(struct settings *set, struct inode *inode)
{
	return set && changed_at(inode) > set->boot && !is_vouched(inode);
}

/* The operations of rules that may be about code in a file because of where it is, and whether it may be a program that matters. */
static __always_inline u64 near_code(struct file *file, u64 generation)
{
	u64 code = 1 << OP_EXECUTE | 1 << OP_RUN | NEAR_PROGRAM;

	return operations_on(file, code, generation) & code;
}

/* Whether some rule may list a file wherever it is. */
static __always_inline bool is_listed(struct settings *set, u64 object, struct inode *inode)
{
	u64 listing = set->listing;

	if (!listing)
		return false;
	if (listing & (LISTS_OTHERS | LISTS_CONTENT | 1 << origin_of((void *)object)))
		return true;
	return listing & LISTS_CHANGED && changed_since_boot(set, inode);
}

/* Where that matters the place is known, for the generation that the act has. */
static __always_inline u32 judge_code(u64 object, struct inode *inode, u64 near, u64 place, u64 act)
{
	struct settings *set = settings_of(GENERATION_OF(act));
	u32 judged = 0;

	if (near & 1 << OP_EXECUTE)
		judged |= judge_at(object, 0, ACT(OP_EXECUTE, 0) | act, place);
	if (near & 1 << OP_RUN || (set && is_listed(set, object, inode)))
		judged |= judge_run(object, origin_of((void *)object),
				    changed_since_boot(set, inode), ACT(OP_RUN, 0) | act, place);
	return judged;
}

/* For a script this comes by for the script, and then for its interpreter. */
SEC("lsm/bprm_check_security")
int guard_bprm_check(void *ctx)
{
	struct linux_binprm *bprm = ARGUMENT(struct linux_binprm *, ctx, 0);
	struct file *file = (void *)NUMBER(bprm, file);
	u64 generation = current_generation(), object = dentry_of(file), place = NOWHERE;
	u64 near = generation ? near_code(bprm->file, generation) : 0;
	u64 act = IN_HOOK(HOOK_BPRM_CHECK) | ASK_EXEC | IN_GENERATION(generation);
	u32 judged;

	if (near)
		place = locate(object, generation);
	judged = judge_code(object, FIELD(file, f_inode), near, place, act);
	step_exec((u64)file, generation, place);
	return refuse(judged);
}

/* The kernel maps the program itself too, when it has been judged already. */
static __always_inline bool is_program(struct file *file)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct mm_struct *mm = FIELD(task, mm);
	struct file *exe = FIELD(mm, exe_file);

	return exe && FIELD(exe, f_inode) == FIELD(file, f_inode);
}

static __always_inline u32 judge_mapping(struct file *file, u64 prot, bool shared, u64 near,
					 u64 act)
{
	u64 generation = GENERATION_OF(act), object, place = NOWHERE;
	u32 judged = 0;

	if (is_kernel())
		return 0;
	if (shared && prot & PROT_WRITE && is_regular(file))
		judged |= judge_write(file, act);
	if (!(prot & PROT_EXEC))
		return judged;
	object = dentry_of(file);
	if (near)
		place = locate(object, generation);
	judged |= judge_code(object, FIELD(file, f_inode), near, place, act);
	if (!(judged & JUDGED_REFUSED) &&
	    !is_unwritten(FIELD(file, f_inode), settings_of(generation)))
		distrust(bpf_get_current_pid_tgid() >> 32);
	return judged;
}

/* Whether a mapping is to be judged: as code, or as a way to write. */
static __always_inline bool is_mapping(u64 prot, bool shared)
{
	return prot & (shared ? PROT_EXEC | PROT_WRITE : PROT_EXEC);
}

SEC("lsm/mmap_file")
int guard_mmap_file(void *ctx)
{
	struct file *file = ARGUMENT(struct file *, ctx, 0);
	u64 prot = ARGUMENT(u64, ctx, 2), generation = current_generation(), near = 0;
	bool shared = (ARGUMENT(u64, ctx, 3) & MAP_TYPE) != MAP_PRIVATE;

	if (!file || !generation || !is_mapping(prot, shared))
		return 0;
	if (prot & PROT_EXEC && is_program(file))
		prot &= ~PROT_EXEC;
	if (!is_mapping(prot, shared))
		return 0;
	if (prot & PROT_EXEC)
		near = near_code(file, generation);
	return refuse(judge_mapping((void *)argument(ctx, 0), prot, shared, near,
				    IN_HOOK(HOOK_MMAP_FILE) | IN_GENERATION(generation)));
}

SEC("lsm/file_mprotect")
int guard_file_mprotect(void *ctx)
{
	struct vm_area_struct *area = ARGUMENT(struct vm_area_struct *, ctx, 0);
	struct file *file = area->vm_file;
	u64 prot = ARGUMENT(u64, ctx, 2), generation = current_generation(), near = 0;
	bool shared = FIELD(area, vm_flags) & VM_SHARED;

	if (!file || !generation || !is_mapping(prot, shared))
		return 0;
	if (prot & PROT_EXEC && is_program(file))
		prot &= ~PROT_EXEC;
	if (!is_mapping(prot, shared))
		return 0;
	if (prot & PROT_EXEC)
		near = near_code(file, generation);
	return refuse(judge_mapping((void *)NUMBER(area, vm_file), prot, shared, near,
				    IN_HOOK(HOOK_FILE_MPROTECT) | IN_GENERATION(generation)));
}

#endif
