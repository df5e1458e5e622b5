/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef VEDETTE_FILE_H
#define VEDETTE_FILE_H
/*
 * Files opened for writing, created, deleted, renamed.
 *
 * The better tiers (LSM, fentry, kprobe) share one body for each security hook: they see the object the
 * kernel is about to act on, whichever system call or io_uring request led there. The hooks without
 * a mount (inode_*) run right after those with one (path_*), which leave it in `pending_mounts`.
 *
 * The tracepoint tier sees system calls end. An open is judged by the file it made, so its path is
 * as exact as a hook's; for the calls that act on names only the caller's words are left, which user
 * space completes with the directory they are relative to.
 */
#include "path.h"
#include "socket.h"
#include "target.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 10240);
	__type(key, u64);
	__type(value, u64);
} pending_mounts SEC(".maps");

struct pending_call {
	u64 path;
	u64 path2;
	s32 dirfd;
	s32 dirfd2;
	u32 kind;
	u32 mode;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 10240);
	__type(key, u64);
	__type(value, struct pending_call);
} pending_calls SEC(".maps");

static __always_inline struct file_scratch *file_record(u32 slot, u32 kind)
{
	struct file_scratch *s = bpf_map_lookup_elem(&file_scratches, &slot);

	if (!s) {
		count_loss(kind, LOSS_SCRATCH);
		return NULL;
	}
	fill_head(&s->event.head, kind, (void *)bpf_get_current_task());
	s->event.inode = 0;
	s->event.device = 0;
	s->event.mode = 0;
	s->event.open_flags = 0;
	s->event.ret = 0;
	s->event.flags = 0;
	s->event.reserved = 0;
	no_string(&s->event.path);
	no_string(&s->event.path2);
	no_string(&s->event.base);
	no_string(&s->event.base2);
	return s;
}

static __always_inline void fill_inode(struct file_event *e, struct inode *inode)
{
	e->inode = BPF_CORE_READ(inode, i_ino);
	e->device = BPF_CORE_READ(inode, i_sb, s_dev);
	e->mode = BPF_CORE_READ(inode, i_mode);
}

static __always_inline void submit_file(struct file_scratch *s, u32 end)
{
	submit(&activity_ring, &s->event.head, sizeof(s->event) + (end & (DATA_CAP - 1)));
}

/* User space keeps in it what its paths lead to. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct watched_file);
	__type(value, u8);
} watched_files SEC(".maps");

/* A bit for each low part of a watched inode's number: nearly every other file is dropped by it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct watched_bits);
} watch_filter SEC(".maps");

static __always_inline bool may_be_watched(const struct watched_bits *bits, u64 inode)
{
	return bits->words[inode / 64 % WATCHED_WORDS] >> inode % 64 & 1;
}

/* What an open led to. */
struct opened_file {
	struct vfsmount *mnt;
	struct dentry *dentry;
	struct inode *inode;
	struct super_block *sb;
	u64 number;
	u32 mode;
	u32 open_flags;
	u32 object_mode;
};

static __always_inline void read_file(struct opened_file *o, struct file *file)
{
	u64 words[FILE_WORDS];

	READ_BLOCK(words, file);
	o->mode = BLOCK_FIELD(words, file, f_mode);
	o->open_flags = BLOCK_FIELD(words, file, f_flags);
	o->inode = BLOCK_FIELD(words, file, f_inode);
	o->dentry = BLOCK_FIELD(words, file, f_path.dentry);
	o->mnt = BLOCK_FIELD(words, file, f_path.mnt);
}

static __always_inline void read_inode(struct opened_file *o)
{
	struct inode *inode = o->inode;
	u64 words[INODE_WORDS];

	READ_BLOCK(words, inode);
	o->object_mode = BLOCK_FIELD(words, inode, i_mode);
	o->number = BLOCK_FIELD(words, inode, i_ino);
	o->sb = BLOCK_FIELD(words, inode, i_sb);
}

static __always_inline bool is_watched(struct opened_file *o)
{
	struct dentry *dentry = o->dentry, *parent = FIELD(dentry, d_parent);
	struct super_block *sb = o->sb;
	struct watched_file key = {};
	struct watched_bits *bits;
	struct inode *above;
	u64 own, directory;
	u32 zero = 0;

	bits = bpf_map_lookup_elem(&watch_filter, &zero);
	if (!bits)
		return false;
	own = o->number;
	above = FIELD(parent, d_inode);
	directory = FIELD(above, i_ino);
	if (!may_be_watched(bits, own) && !may_be_watched(bits, directory))
		return false;
	key.device = FIELD(sb, s_dev);
	key.inode = own;
	if (bpf_map_lookup_elem(&watched_files, &key))
		return true;
	key.inode = directory;
	return bpf_map_lookup_elem(&watched_files, &key);
}

/* The memory of another process; writing there is as good as running code in it. */
static __always_inline void memory_opened(struct opened_file *o, u32 flags)
{
	bool writes = o->mode & FMODE_WRITE;
	struct super_block *sb = o->sb;
	struct dentry *dentry = o->dentry;
	struct access_target target = {};
	struct proc_inode *of_process;
	char name[4] = {};

	if (FIELD(dentry, d_name.len) != 3 || FIELD(sb, s_magic) != PROC_SUPER_MAGIC)
		return;
	bpf_probe_read_kernel(name, 3, FIELD(dentry, d_name.name));
	if (name[0] != 'm' || name[1] != 'e' || name[2] != 'm' || is_agent())
		return;
	of_process = (void *)o->inode - bpf_core_field_offset(struct proc_inode, vfs_inode);
	if (!fill_target(&target, task_of(BPF_CORE_READ(of_process, pid))))
		return;
	if (writes && wanted(EVENT_PROCESS_INJECT))
		submit_access(EVENT_PROCESS_INJECT, &target, ACCESS_MEM_WRITE, 0, flags);
	else if (wanted(EVENT_PROCESS_ACCESS))
		submit_access(EVENT_PROCESS_ACCESS, &target,
			      writes ? ACCESS_MEM_WRITE : ACCESS_MEM_READ, 0, flags);
}

static __always_inline void report_open(struct opened_file *o, u32 kind, u32 flags)
{
	struct super_block *sb = o->sb;
	struct file_scratch *s;
	u32 end = 0;

	if (is_agent())
		return;
	s = file_record(SLOT_OPEN, kind);
	if (!s)
		return;
	s->event.inode = o->number;
	s->event.device = FIELD(sb, s_dev);
	s->event.mode = o->object_mode;
	s->event.open_flags = o->open_flags;
	s->event.flags = flags;
	end = append_path(s->data, end, &s->event.path, SLOT_OPEN, o->dentry, o->mnt);
	submit_file(s, end);
}

/* An opened file, from a hook or from the descriptor a system call returned. */
static __always_inline int file_opened(struct file *file, u32 flags)
{
	struct opened_file o;
	u32 format, kind = 0;
	bool created;

	read_file(&o, file);
	read_inode(&o);
	format = o.object_mode & S_IFMT;
	if (format != S_IFREG && format != S_IFBLK)
		return 0;
	created = o.mode & FMODE_CREATED;
	if (created && wanted(EVENT_FILE_CREATE))
		kind = EVENT_FILE_CREATE;
	else if (!created && o.mode & FMODE_WRITE && wanted(EVENT_FILE_OPEN))
		kind = EVENT_FILE_OPEN;
	if (kind)
		report_open(&o, kind, flags);
	if (created)
		return 0;
	if (wanted(EVENT_PROCESS_ACCESS) || wanted(EVENT_PROCESS_INJECT))
		memory_opened(&o, flags);
	if (wanted(EVENT_FILE_ACCESS) && o.mode & FMODE_READ && is_watched(&o))
		report_open(&o, EVENT_FILE_ACCESS, flags);
	return 0;
}

/* A name that is about to be made, removed or replaced. from is NULL but for renames and links. */
static __always_inline int name_changing(u32 slot, u32 kind, struct dentry *dentry,
					 struct dentry *from, struct inode *object, u32 mode)
{
	u64 id = bpf_get_current_pid_tgid();
	struct vfsmount *mnt = NULL;
	struct file_scratch *s;
	u64 *pending;
	u32 end = 0;

	if (is_agent())
		return 0;
	pending = bpf_map_lookup_elem(&pending_mounts, &id);
	if (pending)
		mnt = (void *)*pending;
	s = file_record(slot, kind);
	if (!s)
		return 0;
	if (object)
		fill_inode(&s->event, object);
	else
		s->event.mode = mode;
	s->event.flags = FILE_ATTEMPT;
	end = append_path(s->data, end, &s->event.path, slot, dentry, mnt);
	if (from)
		end = append_path(s->data, end, &s->event.path2, slot, from, mnt);
	submit_file(s, end);
	return 0;
}

static __always_inline int remember_mount(struct path *dir)
{
	u64 id = bpf_get_current_pid_tgid();
	u64 mnt = (u64)BPF_CORE_READ(dir, mnt);

	bpf_map_update_elem(&pending_mounts, &id, &mnt, BPF_ANY);
	return 0;
}

/*
 * One body, three programs. The lists are a hook's arguments as a parameter list and as names; LSM
 * programs answer 0, which leaves the decision to the others.
 */
#define SECURITY_HOOK(hook, params, names)                                                         \
	static __always_inline int on_##hook params;                                               \
	SEC("lsm/" #hook)                                                                          \
	int BPF_PROG(lsm_##hook, UNWRAP params)                                                    \
	{                                                                                          \
		on_##hook names;                                                                   \
		return 0;                                                                          \
	}                                                                                          \
	SEC("fentry/security_" #hook)                                                              \
	int BPF_PROG(fentry_##hook, UNWRAP params)                                                 \
	{                                                                                          \
		return on_##hook names;                                                            \
	}                                                                                          \
	SEC("kprobe/security_" #hook)                                                              \
	int BPF_KPROBE(kprobe_##hook, UNWRAP params)                                               \
	{                                                                                          \
		return on_##hook names;                                                            \
	}                                                                                          \
	static __always_inline int on_##hook params

/* The same for a function of the kernel that is no security hook. */
#define FUNCTION_HOOK(function, params, names)                                                     \
	static __always_inline int on_##function params;                                           \
	SEC("fentry/" #function)                                                                   \
	int BPF_PROG(fentry_##function, UNWRAP params)                                             \
	{                                                                                          \
		return on_##function names;                                                        \
	}                                                                                          \
	SEC("kprobe/" #function)                                                                   \
	int BPF_KPROBE(kprobe_##function, UNWRAP params)                                           \
	{                                                                                          \
		return on_##function names;                                                        \
	}                                                                                          \
	static __always_inline int on_##function params

#define UNWRAP(...) __VA_ARGS__

SECURITY_HOOK(file_open, (struct file * file), (file))
{
	return file_opened(file, FILE_ATTEMPT);
}

SECURITY_HOOK(path_unlink, (struct path * dir), (dir))
{
	return remember_mount(dir);
}

SECURITY_HOOK(path_rmdir, (struct path * dir), (dir))
{
	return remember_mount(dir);
}

SECURITY_HOOK(path_mkdir, (struct path * dir), (dir))
{
	return remember_mount(dir);
}

SECURITY_HOOK(path_mknod, (struct path * dir), (dir))
{
	return remember_mount(dir);
}

SECURITY_HOOK(path_symlink, (struct path * dir), (dir))
{
	return remember_mount(dir);
}

SECURITY_HOOK(path_link, (struct dentry * from, struct path *dir), (from, dir))
{
	return remember_mount(dir);
}

SECURITY_HOOK(path_rename, (struct path * dir), (dir))
{
	return remember_mount(dir);
}

SECURITY_HOOK(inode_unlink, (struct inode * dir, struct dentry *dentry), (dir, dentry))
{
	return name_changing(SLOT_UNLINK, EVENT_FILE_DELETE, dentry, NULL,
			     BPF_CORE_READ(dentry, d_inode), 0);
}

SECURITY_HOOK(inode_rmdir, (struct inode * dir, struct dentry *dentry), (dir, dentry))
{
	return name_changing(SLOT_RMDIR, EVENT_FILE_DELETE, dentry, NULL,
			     BPF_CORE_READ(dentry, d_inode), 0);
}

SECURITY_HOOK(inode_mkdir, (struct inode * dir, struct dentry *dentry), (dir, dentry))
{
	return name_changing(SLOT_MKDIR, EVENT_FILE_CREATE, dentry, NULL, NULL, S_IFDIR);
}

SECURITY_HOOK(inode_mknod, (struct inode * dir, struct dentry *dentry, u32 mode),
	      (dir, dentry, mode))
{
	return name_changing(SLOT_MKNOD, EVENT_FILE_CREATE, dentry, NULL, NULL, mode & 0xffff);
}

SECURITY_HOOK(inode_link, (struct dentry * from, struct inode *dir, struct dentry *dentry),
	      (from, dir, dentry))
{
	return name_changing(SLOT_LINK, EVENT_FILE_CREATE, dentry, from,
			     BPF_CORE_READ(from, d_inode), 0);
}

SECURITY_HOOK(inode_rename,
	      (struct inode * from_dir, struct dentry *from, struct inode *dir,
	       struct dentry *dentry),
	      (from_dir, from, dir, dentry))
{
	return name_changing(SLOT_RENAME, EVENT_FILE_RENAME, dentry, from,
			     BPF_CORE_READ(from, d_inode), 0);
}

SECURITY_HOOK(inode_symlink, (struct inode * dir, struct dentry *dentry, const char *target),
	      (dir, dentry, target))
{
	u64 id = bpf_get_current_pid_tgid();
	u64 *pending = bpf_map_lookup_elem(&pending_mounts, &id);
	struct file_scratch *s;
	u32 end = 0;

	if (is_agent())
		return 0;
	s = file_record(SLOT_SYMLINK, EVENT_FILE_CREATE);
	if (!s)
		return 0;
	s->event.mode = S_IFLNK;
	s->event.flags = FILE_ATTEMPT;
	end = append_path(s->data, end, &s->event.path, SLOT_SYMLINK, dentry,
			  pending ? (void *)*pending : NULL);
	end = append_string(s->data, end, &s->event.path2, target, false);
	submit_file(s, end);
	return 0;
}

/* The tracepoint tier. */

static __always_inline int open_exit(struct sys_exit_args *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct file *file;

	if (ctx->ret < 0)
		return 0;
	file = file_of(FIELD(task, files), ctx->ret);
	return file ? file_opened(file, 0) : 0;
}

SYS_EXIT(open, open_exit)
SYS_EXIT(creat, open_exit)
SYS_EXIT(openat, open_exit)
SYS_EXIT(openat2, open_exit)

static __always_inline int call_begins(u32 kind, u32 mode, s32 dirfd, u64 path, s32 dirfd2,
				       u64 path2)
{
	u64 id = bpf_get_current_pid_tgid();
	struct pending_call call = {
		.path = path,
		.path2 = path2,
		.dirfd = dirfd,
		.dirfd2 = dirfd2,
		.kind = kind,
		.mode = mode,
	};

	if (is_agent())
		return 0;
	if (bpf_map_update_elem(&pending_calls, &id, &call, BPF_ANY))
		count_loss(kind, LOSS_PENDING_FULL);
	return 0;
}

static __always_inline u32 append_base(u8 *data, u32 end, struct event_string *string, u32 slot,
				       s32 dirfd)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct file *file;

	if (dirfd == AT_FDCWD) {
		struct fs_struct *fs = BPF_CORE_READ(task, fs);

		return append_path(data, end, string, slot, BPF_CORE_READ(fs, pwd.dentry),
				   BPF_CORE_READ(fs, pwd.mnt));
	}
	file = file_of(BPF_CORE_READ(task, files), dirfd);
	if (!file)
		return end;
	return append_path(data, end, string, slot, BPF_CORE_READ(file, f_path.dentry),
			   BPF_CORE_READ(file, f_path.mnt));
}

/* All calls that act on names end here: the kernel has read the names, so they are in memory. */
static __always_inline int call_ends(struct sys_exit_args *ctx)
{
	u64 id = bpf_get_current_pid_tgid();
	struct pending_call *pending = bpf_map_lookup_elem(&pending_calls, &id);
	struct pending_call call;
	struct file_scratch *s;
	u32 end = 0;

	if (!pending)
		return 0;
	call = *pending;
	bpf_map_delete_elem(&pending_calls, &id);
	if (ctx->ret < 0)
		return 0;
	s = file_record(SLOT_UNLINK, call.kind);
	if (!s)
		return 0;
	s->event.mode = call.mode;
	s->event.flags = FILE_USER_PATH;
	end = append_string(s->data, end, &s->event.path, (void *)call.path, true);
	if (call.path2)
		end = append_string(s->data, end, &s->event.path2, (void *)call.path2, true);
	end = append_base(s->data, end, &s->event.base, SLOT_UNLINK, call.dirfd);
	if (call.path2 && call.mode != S_IFLNK)
		end = append_base(s->data, end, &s->event.base2, SLOT_UNLINK, call.dirfd2);
	submit_file(s, end);
	return 0;
}

#define NAME_CALL(call, kind, mode, dirfd, path, dirfd2, path2)                                    \
	SEC("tracepoint/syscalls/sys_enter_" #call)                                                \
	int sys_enter_##call(struct sys_enter_args *ctx)                                           \
	{                                                                                          \
		return call_begins(kind, mode, dirfd, path, dirfd2, path2);                        \
	}                                                                                          \
	SYS_EXIT(call, call_ends)

#define ARG(n) (ctx->args[n])
#define AT_REMOVEDIR 0x200

NAME_CALL(unlink, EVENT_FILE_DELETE, 0, AT_FDCWD, ARG(0), 0, 0)
NAME_CALL(unlinkat, EVENT_FILE_DELETE, ARG(2) & AT_REMOVEDIR ? S_IFDIR : 0, ARG(0), ARG(1), 0, 0)
NAME_CALL(rmdir, EVENT_FILE_DELETE, S_IFDIR, AT_FDCWD, ARG(0), 0, 0)
NAME_CALL(rename, EVENT_FILE_RENAME, 0, AT_FDCWD, ARG(1), AT_FDCWD, ARG(0))
NAME_CALL(renameat, EVENT_FILE_RENAME, 0, ARG(2), ARG(3), ARG(0), ARG(1))
NAME_CALL(renameat2, EVENT_FILE_RENAME, 0, ARG(2), ARG(3), ARG(0), ARG(1))
NAME_CALL(mkdir, EVENT_FILE_CREATE, S_IFDIR, AT_FDCWD, ARG(0), 0, 0)
NAME_CALL(mkdirat, EVENT_FILE_CREATE, S_IFDIR, ARG(0), ARG(1), 0, 0)
NAME_CALL(mknod, EVENT_FILE_CREATE, ARG(1) & S_IFMT, AT_FDCWD, ARG(0), 0, 0)
NAME_CALL(mknodat, EVENT_FILE_CREATE, ARG(2) & S_IFMT, ARG(0), ARG(1), 0, 0)
NAME_CALL(link, EVENT_FILE_CREATE, 0, AT_FDCWD, ARG(1), AT_FDCWD, ARG(0))
NAME_CALL(linkat, EVENT_FILE_CREATE, 0, ARG(2), ARG(3), ARG(0), ARG(1))
NAME_CALL(symlink, EVENT_FILE_CREATE, S_IFLNK, AT_FDCWD, ARG(1), 0, ARG(0))
NAME_CALL(symlinkat, EVENT_FILE_CREATE, S_IFLNK, ARG(1), ARG(2), 0, ARG(0))

#endif
