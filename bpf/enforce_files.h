/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Acts on files. The hooks on inodes see the object that the kernel is about to act on, whatever the
 * path was, in every kernel and for every way to ask.
 */
#ifndef VEDETTE_ENFORCE_FILES_H
#define VEDETTE_ENFORCE_FILES_H

#include "enforce_sockets.h"
#include "enforce_near.h"
#include "enforce_lineage.h"

#define OOM_NAME 0x5f6d6f6f /* "oom_" */

#define MAY_WRITE 2
#define MAY_READ 4
#define FMODE_EXEC_FLAG 0x20
#define PROT_WRITE 2
#define PROT_EXEC 4
#define MAP_TYPE 0xf
#define MAP_PRIVATE 2
#define VM_SHARED 8

#define ATTR_SIZE (1 << 3)
#define ATTR_FORCE (1 << 9)

#define FS_IOC_SETFLAGS 0x40086602
#define FS_IOC32_SETFLAGS 0x40046602
#define FS_IOC_SETVERSION 0x40087602
#define FS_IOC_FSSETXATTR 0x401c5820

static __always_inline int refuse(u32 judged)
{
	if (judged & JUDGED_REFUSED) {
		KEEP_BRANCH;
		return -EPERM;
	}
	return 0;
}

/* Where in a dentry the list of its inode's names goes through it. */
static __always_inline u32 alias_offset(void)
{
	if (bpf_core_field_exists(((struct dentry___7 *)0)->d_alias))
		return bpf_core_field_offset(struct dentry___7, d_alias);
	return bpf_core_field_offset(struct dentry, d_u.d_alias);
}

/*
 * The name that an open file has on its own file system: an overlay opens the files below it under
 * its own names.
 */
static __always_inline u64 dentry_of(struct file *file)
{
	struct dentry *dentry = (void *)NUMBER(file, f_path.dentry);
	struct inode *inode = FIELD(file, f_inode);
	u64 alias;

	if (FIELD(dentry, d_inode) == inode)
		return (u64)dentry;
	alias = NUMBER(inode, i_dentry.first);
	if (!alias)
		return (u64)dentry;
	return alias - alias_offset();
}

static __always_inline bool is_regular(struct file *file)
{
	struct inode *inode = FIELD(file, f_inode);

	return (FIELD(inode, i_mode) & S_IFMT) == S_IFREG;
}

/* Judges that a file is written, and remembers by whom. */
static __always_inline u32 judge_write(struct file *file, u64 act)
{
	u32 judged = judge_file(dentry_of(file), 0, ACT(OP_WRITE, 0) | act);

	if (!(judged & JUDGED_REFUSED) && is_regular(file))
		vouch(NUMBER(file, f_inode), judged & JUDGED_ALLOWED);
	return judged;
}

/* Judges that a file is read. */
static __always_inline u32 judge_read(struct file *file, u64 act)
{
	if (FIELD(file, f_flags) & FMODE_EXEC_FLAG || is_agent())
		return 0;
	return judge_file(dentry_of(file), 0, ACT(OP_READ, 0) | act);
}

/* Judges that somebody gets hold of an open file. */
static __always_inline int judge_open(struct file *file, u64 act)
{
	u32 mode = FIELD(file, f_mode), judged = 0;

	if (mode & FMODE_WRITE)
		judged |= judge_write(file, act);
	if (mode & FMODE_READ)
		judged |= judge_read(file, act);
	return refuse(judged);
}

/* Memory, ports and disks. */
static __always_inline bool is_raw(struct inode *inode)
{
	u32 type = FIELD(inode, i_mode) & S_IFMT, device = FIELD(inode, i_rdev);

	if (type == S_IFBLK)
		return true;
	return type == S_IFCHR && device >> 20 == MEM_MAJOR &&
	       ((device & 0xfffff) == 1 || (device & 0xfffff) == 2 || (device & 0xfffff) == 4);
}

/* The process whose inclination to be killed when memory is short is set by a file; 0 for other files. */
static __always_inline u64 oom_target(struct file *file)
{
	struct dentry *dentry = FIELD(file, f_path.dentry);
	struct inode *inode = FIELD(file, f_inode);
	struct proc_inode *proc;
	void *first;
	u32 name = 0;

	if (magic_of(FIELD(inode, i_sb)) != PROC_SUPER_MAGIC ||
	    !(FIELD(file, f_mode) & FMODE_WRITE))
		return 0;
	bpf_probe_read_kernel(&name, sizeof(name), FIELD(dentry, d_name.name));
	if (name != OOM_NAME)
		return 0;
	proc = (void *)inode - bpf_core_field_offset(struct proc_inode, vfs_inode);
	first = BPF_CORE_READ(proc, pid, tasks[PIDTYPE_PID].first);
	return first ? (u64)first - bpf_core_field_offset(struct task_struct, pid_links) : 0;
}

/* What a file is open for. The kernel itself reads what is run, which is another operation. */
static __always_inline u64 opened_for(struct file *file)
{
	u32 mode = file->f_mode;
	u64 operations = 0;

	if (mode & FMODE_WRITE)
		operations |= 1 << OP_WRITE;
	if (mode & FMODE_READ && !(file->f_flags & FMODE_EXEC_FLAG))
		operations |= 1 << OP_READ;
	return operations;
}

/* Whether a file may stand for something else than what is in it. */
static __always_inline bool is_special(struct file *file, u64 used)
{
	struct inode *inode = file->f_inode;
	u32 type = inode->i_mode & S_IFMT;

	if (used & 1 << OP_RAW_DEVICES && (type == S_IFBLK || type == S_IFCHR))
		return true;
	return used & 1 << OP_PRIORITY && file->f_mode & FMODE_WRITE &&
	       inode->i_sb->s_magic == PROC_SUPER_MAGIC;
}

static __always_inline int judge_file_open(struct file *file, u64 act)
{
	u64 who = bpf_get_current_task(), target = oom_target(file);
	u32 judged = 0;

	if (is_kernel())
		return 0;
	if (is_raw(FIELD(file, f_inode)))
		judged = judge_plain(who, 0, ACT(OP_RAW_DEVICES, 0) | act);
	if (target &&
	    FIELD((struct task_struct *)target, tgid) != FIELD((struct task_struct *)who, tgid))
		judged |= judge_plain(who, target, ACT(OP_PRIORITY, 0) | act);
	if (judged & JUDGED_REFUSED)
		return -EPERM;
	return judge_open(file, act);
}

SEC("lsm/file_open")
int guard_file_open(void *ctx)
{
	struct file *file = ARGUMENT(struct file *, ctx, 0);
	u64 generation = current_generation(), used = used_operations(generation);

	if (!is_special(file, used) && is_file_far(file, opened_for(file), generation, used))
		return 0;
	return judge_file_open((void *)argument(ctx, 0),
			       IN_HOOK(HOOK_FILE_OPEN) | IN_GENERATION(generation));
}

SEC("lsm/file_receive")
int guard_file_receive(void *ctx)
{
	struct file *file = ARGUMENT(struct file *, ctx, 0);
	u64 generation = current_generation(), used = used_operations(generation);

	if (is_file_far(file, opened_for(file), generation, used))
		return 0;
	return judge_open((void *)argument(ctx, 0),
			  IN_HOOK(HOOK_FILE_RECEIVE) | IN_GENERATION(generation));
}

/* Files may be open from before, or from a parent who was allowed. */
SEC("lsm/file_permission")
int guard_file_permission(void *ctx)
{
	struct file *known = ARGUMENT(struct file *, ctx, 0), *file;
	u32 mask = ARGUMENT(u64, ctx, 1), judged = 0;
	u32 type = known->f_inode->i_mode & S_IFMT;
	u64 operations = mask & MAY_WRITE ? 1 << OP_WRITE : 0, generation, act;

	if (type == S_IFSOCK)
		return judges_accepting() && is_cut(NUMBER(known, f_inode)) ? -EPERM : 0;
	if (type != S_IFREG && type != S_IFDIR)
		return 0;
	if (mask & MAY_READ && !(known->f_flags & FMODE_EXEC_FLAG))
		operations |= 1 << OP_READ;
	if (!operations)
		return 0;
	generation = current_generation();
	if (is_file_far(known, operations, generation, used_operations(generation)) || is_kernel())
		return 0;
	file = (void *)argument(ctx, 0);
	act = IN_HOOK(HOOK_FILE_PERMISSION) | IN_GENERATION(generation);
	if (mask & MAY_WRITE)
		judged |= judge_write(file, act);
	if (mask & MAY_READ)
		judged |= judge_read(file, act);
	return refuse(judged);
}

SEC("lsm/file_ioctl")
int guard_file_ioctl(void *ctx)
{
	u32 command = ARGUMENT(u64, ctx, 1);

	if (command != FS_IOC_SETFLAGS && command != FS_IOC32_SETFLAGS &&
	    command != FS_IOC_SETVERSION && command != FS_IOC_FSSETXATTR)
		return 0;
	return refuse(judge_file(dentry_of((void *)argument(ctx, 0)), 0,
				 ACT(OP_ATTRIBUTES, HOOK_FILE_IOCTL)));
}

/* The same for programs of 32 bits, since 6.8. */
SEC("lsm/file_ioctl_compat")
int guard_file_ioctl_compat(void *ctx)
{
	u32 command = ARGUMENT(u64, ctx, 1);

	if (command != FS_IOC32_SETFLAGS && command != FS_IOC_FSSETXATTR)
		return 0;
	return refuse(judge_file(dentry_of((void *)argument(ctx, 0)), 0,
				 ACT(OP_ATTRIBUTES, HOOK_FILE_IOCTL)));
}

#define GUARD_NAME(hook, operation, number)                                                        \
	SEC("lsm/" #hook)                                                                          \
	int guard_##hook(void *ctx)                                                                \
	{                                                                                          \
		if (is_far(ctx, 1, 1 << (operation), current_generation()) || is_kernel())         \
			return 0;                                                                  \
		return refuse(judge_file(argument(ctx, 1), 0, ACT(operation, number)));            \
	}

GUARD_NAME(inode_create, OP_CREATE, HOOK_INODE_CREATE)
GUARD_NAME(inode_mkdir, OP_CREATE, HOOK_INODE_MKDIR)
GUARD_NAME(inode_mknod, OP_CREATE, HOOK_INODE_MKNOD)
GUARD_NAME(inode_symlink, OP_CREATE, HOOK_INODE_SYMLINK)
GUARD_NAME(inode_unlink, OP_DELETE, HOOK_INODE_UNLINK)
GUARD_NAME(inode_rmdir, OP_DELETE, HOOK_INODE_RMDIR)

/* Every name counts: from now on the file is found by what its old names and the new one say. */
__noinline u32 note_link(u64 old, u64 new, u64 generation)
{
	struct inode *inode = FIELD((struct dentry *)old, d_inode);
	struct label_key key = {.generation = generation};
	struct rule_set about = {};
	u64 any = 0;

	if (!generation || !inode)
		return 0;
	key.device = device_of(inode);
	key.inode = FIELD(inode, i_ino);
	if (!has_names(inode)) /* of when it had several before */
		bpf_map_delete_elem(&links, &key);
	find_rules(&about, NULL, old, locate(old, generation), generation);
	find_rules(&about, NULL, new, locate(new, generation), generation);
	find_links(&about, inode, generation);
	for (u32 w = 0; w < RULE_WORDS; w++)
		any |= about.words[w];
	key.generation |= NOTED;
	if (any)
		return bpf_map_update_elem(&links, &key, &about, BPF_ANY) ? JUDGED_REFUSED : 0;
	bpf_map_delete_elem(&links, &key);
	return 0;
}

/*
 * A set that is about to be in force has to know too. It is read first: one that comes into force
 * meanwhile is the one or the other.
 */
static __always_inline u32 add_link(u64 old, u64 new)
{
	u64 next = next_generation(), generation = current_generation();

	return note_link(old, new, generation) | note_link(old, new, next);
}

SEC("lsm/inode_link")
int guard_inode_link(void *ctx)
{
	u64 old = argument(ctx, 0), new = argument(ctx, 2);
	u64 act = IN_HOOK(HOOK_INODE_LINK) | IN_GENERATION(current_generation());
	u32 judged = 0;

	if (!is_kernel()) {
		judged = judge_file(old, new, ACT(OP_LINK, 0) | act);
		judged |= judge_file(new, old, ACT(OP_CREATE, 0) | act);
	}
	if (!(judged & JUDGED_REFUSED))
		judged |= add_link(old, new);
	return refuse(judged);
}

/* A directory that moves is looked for by its new name. */
static __always_inline void forget_label(u64 object)
{
	struct inode *inode = FIELD((struct dentry *)object, d_inode);
	struct label_key key = {.generation = next_generation()};

	if (!inode || (FIELD(inode, i_mode) & S_IFMT) != S_IFDIR)
		return;
	key.device = device_of(inode);
	key.inode = FIELD(inode, i_ino);
	bpf_map_delete_elem(&labels, &key);
	key.generation = current_generation();
	bpf_map_delete_elem(&labels, &key);
}

/* A file that has several names has one more when it is renamed, for the way there. */
static __always_inline u32 rename_link(u64 old, u64 new)
{
	if (!has_names(FIELD((struct dentry *)old, d_inode)))
		return 0;
	return add_link(old, new);
}

/* An exchange of two names comes by twice, once for each direction. */
SEC("lsm/inode_rename")
int guard_inode_rename(void *ctx)
{
	u64 old = argument(ctx, 1), new = argument(ctx, 3);
	u64 generation = current_generation(), act = IN_GENERATION(generation);
	u64 away = ACT2(OP_RENAME, OP_DELETE, HOOK_INODE_RENAME) | act;
	u64 all = 1 << OP_RENAME | 1 << OP_DELETE | 1 << OP_CREATE;
	bool far = is_far(ctx, 1, all, generation) && is_far(ctx, 3, all, generation);
	u32 judged = 0;

	if (!far && !is_kernel()) {
		judged = judge_file(old, new, away);
		judged |= judge_file(
			new, old, ACT2(OP_RENAME, OP_CREATE, HOOK_INODE_RENAME) | NAME_ONLY | act);
		if (FIELD((struct dentry *)new, d_inode))
			judged |= judge_file(new, old, away);
	}
	if (!(judged & JUDGED_REFUSED))
		judged |= rename_link(old, new);
	if (judged & JUDGED_REFUSED)
		return -EPERM;
	forget_label(old);
	forget_label(new);
	return 0;
}

/* The size is content. What the kernel drops by itself when a file is written is not asked for. */
static __always_inline int judge_setattr(void *ctx, u32 first)
{
	struct dentry *known = ARGUMENT(struct dentry *, ctx, first), *dentry;
	u32 valid = ARGUMENT(struct iattr *, ctx, first + 1)->ia_valid, judged;
	bool write = valid & ATTR_SIZE;
	struct inode *of = known->d_inode;
	u64 inode;

	if (!of || (!write && valid & ATTR_FORCE))
		return 0;
	if (!(write && may_be_vouched(of->i_ino)) &&
	    is_far(ctx, first, write ? 1 << OP_WRITE : 1 << OP_ATTRIBUTES, current_generation()))
		return 0;
	if (is_kernel())
		return 0;
	dentry = (void *)argument(ctx, first);
	inode = NUMBER(dentry, d_inode);
	if (!write)
		return refuse(judge_file((u64)dentry, 0, ACT(OP_ATTRIBUTES, HOOK_INODE_SETATTR)));
	judged = judge_file((u64)dentry, 0, ACT(OP_WRITE, HOOK_INODE_SETATTR));
	if (!(judged & JUDGED_REFUSED))
		vouch(inode, judged & JUDGED_ALLOWED);
	return refuse(judged);
}

/* Kernels differ in whether a hook is told how the mount maps users, before the dentry. */
SEC("lsm/inode_setattr")
int guard_inode_setattr(void *ctx)
{
	return judge_setattr(ctx, 0);
}

SEC("lsm/inode_setattr")
int guard_inode_setattr_mapped(void *ctx)
{
	return judge_setattr(ctx, 1);
}

#define GUARD_ATTRIBUTE(name, hook, position, number)                                              \
	SEC("lsm/" #hook)                                                                          \
	int name(void *ctx)                                                                        \
	{                                                                                          \
		if (is_far(ctx, position, 1 << OP_ATTRIBUTES, current_generation()) ||             \
		    is_kernel())                                                                   \
			return 0;                                                                  \
		return refuse(judge_file(argument(ctx, position), 0, ACT(OP_ATTRIBUTES, number))); \
	}

GUARD_ATTRIBUTE(guard_inode_setxattr, inode_setxattr, 0, HOOK_INODE_SETXATTR)
GUARD_ATTRIBUTE(guard_inode_setxattr_mapped, inode_setxattr, 1, HOOK_INODE_SETXATTR)
GUARD_ATTRIBUTE(guard_inode_removexattr, inode_removexattr, 0, HOOK_INODE_REMOVEXATTR)
GUARD_ATTRIBUTE(guard_inode_removexattr_mapped, inode_removexattr, 1, HOOK_INODE_REMOVEXATTR)
GUARD_ATTRIBUTE(guard_inode_set_acl, inode_set_acl, 1, HOOK_INODE_SET_ACL)
GUARD_ATTRIBUTE(guard_inode_remove_acl, inode_remove_acl, 1, HOOK_INODE_REMOVE_ACL)
GUARD_ATTRIBUTE(guard_inode_file_setattr, inode_file_setattr, 0, HOOK_INODE_FILE_SETATTR)

static __always_inline void forget_key(struct label_key key)
{
	bpf_map_delete_elem(&labels, &key);
	bpf_map_delete_elem(&links, &key);
	bpf_map_delete_elem(&hashes, &key);
	key.generation |= NOTED;
	bpf_map_delete_elem(&links, &key);
}

/* What is known by an inode's number ends with the file, because another one gets the number. */
SEC("lsm/inode_free_security")
int forget_inode(void *ctx)
{
	struct inode *inode = (void *)argument(ctx, 0);
	struct super_block *sb = FIELD(inode, i_sb);
	struct label_key key = {.generation = next_generation()};

	forget_socket(inode);
	if (FIELD(inode, i_nlink) || !sb)
		return 0;
	key.device = FIELD(sb, s_dev);
	key.inode = FIELD(inode, i_ino);
	if (key.generation)
		forget_key(key);
	key.generation = current_generation();
	if (key.generation)
		forget_key(key);
	return 0;
}

#endif
