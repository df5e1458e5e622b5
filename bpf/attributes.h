/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef VEDETTE_ATTRIBUTES_H
#define VEDETTE_ATTRIBUTES_H
/*
 * Modes, owners and security attributes of files.
 *
 * The better tiers see the file whose mode or owner is about to change. Extended attributes are seen
 * as system calls in every tier: the kernel's hook has no path.
 */
#include "file.h"

struct attribute_scratch {
	struct attribute_event event;
	u8 data[DATA_CAP + PATH_CAP];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SLOTS - SLOT_CHMOD);
	__type(key, u32);
	__type(value, struct attribute_scratch);
} attribute_scratches SEC(".maps");

#define NO_ID (~0U)
#define XATTR_NAME 64

/* What a call asks for. fd is the file itself where there is no path. */
struct attribute_call {
	u64 path;
	s32 fd;
	u32 change;
	u32 mode;
	u32 uid;
	u32 gid;
	u32 reserved;
	u64 unread; /* where the name is, if it could not be read when the call began */
	char name[XATTR_NAME];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, struct attribute_call);
} pending_attributes SEC(".maps");

static __always_inline struct attribute_scratch *attribute_record(u32 slot, u32 change, u32 mode,
								  u32 uid, u32 gid, u32 flags)
{
	u32 index = slot - SLOT_CHMOD;
	struct attribute_scratch *s = bpf_map_lookup_elem(&attribute_scratches, &index);

	if (!s) {
		count_loss(EVENT_FILE_ATTRIBUTES, LOSS_SCRATCH);
		return NULL;
	}
	fill_head(&s->event.head, EVENT_FILE_ATTRIBUTES, (void *)bpf_get_current_task());
	s->event.inode = 0;
	s->event.device = 0;
	s->event.mode = 0;
	s->event.change = change;
	s->event.new_mode = mode;
	s->event.uid = uid;
	s->event.gid = gid;
	s->event.flags = flags;
	s->event.reserved = 0;
	no_string(&s->event.path);
	no_string(&s->event.base);
	no_string(&s->event.name);
	return s;
}

static __always_inline void submit_attributes(struct attribute_scratch *s, u32 end)
{
	submit(&activity_ring, &s->event.head, sizeof(s->event) + (end & (DATA_CAP - 1)));
}

static __always_inline u32 append_object(struct attribute_scratch *s, u32 slot,
					 struct dentry *dentry, struct vfsmount *mnt)
{
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);

	s->event.inode = BPF_CORE_READ(inode, i_ino);
	s->event.device = BPF_CORE_READ(inode, i_sb, s_dev);
	s->event.mode = BPF_CORE_READ(inode, i_mode);
	return append_path(s->data, 0, &s->event.path, slot, dentry, mnt);
}

static __always_inline int attributes_changing(u32 slot, struct path *path, u32 change, u32 mode,
					       u32 uid, u32 gid)
{
	struct attribute_scratch *s;

	if (is_agent())
		return 0;
	s = attribute_record(slot, change, mode, uid, gid, FILE_ATTEMPT);
	if (!s)
		return 0;
	submit_attributes(
		s, append_object(s, slot, BPF_CORE_READ(path, dentry), BPF_CORE_READ(path, mnt)));
	return 0;
}

SECURITY_HOOK(path_chmod, (struct path * path, u32 mode), (path, mode))
{
	return attributes_changing(SLOT_CHMOD, path, ATTRIBUTE_MODE, mode & 07777, NO_ID, NO_ID);
}

SECURITY_HOOK(path_chown, (struct path * path, u32 uid, u32 gid), (path, uid, gid))
{
	return attributes_changing(SLOT_CHOWN, path, ATTRIBUTE_OWNER, 0, uid, gid);
}

static __always_inline int attribute_call_begins(struct attribute_call *call)
{
	u64 id = bpf_get_current_pid_tgid();

	if (is_agent())
		return 0;
	if (bpf_map_update_elem(&pending_attributes, &id, call, BPF_ANY))
		count_loss(EVENT_FILE_ATTRIBUTES, LOSS_PENDING_FULL);
	return 0;
}

static __always_inline int chmod_begins(s32 fd, u64 path, u32 mode)
{
	struct attribute_call call = {.path = path, .fd = fd, .change = ATTRIBUTE_MODE};

	call.mode = mode & 07777;
	call.uid = NO_ID;
	call.gid = NO_ID;
	return attribute_call_begins(&call);
}

static __always_inline int chown_begins(s32 fd, u64 path, u32 uid, u32 gid)
{
	struct attribute_call call = {.path = path, .fd = fd, .change = ATTRIBUTE_OWNER};

	call.uid = uid;
	call.gid = gid;
	return attribute_call_begins(&call);
}

static __always_inline bool is_security(const char *name)
{
	const char prefix[] = "security.";

	for (u32 i = 0; i < sizeof(prefix) - 1; i++)
		if (name[i] != prefix[i])
			return false;
	return true;
}

/* A page of the caller's that nobody has touched is not in memory before the kernel reads it, and this cannot make it be. */
static __always_inline int xattr_begins(s32 fd, u64 path, u64 name)
{
	struct attribute_call call = {.path = path, .fd = fd, .change = ATTRIBUTE_XATTR};

	if (bpf_probe_read_user_str(call.name, sizeof(call.name), (void *)name) < 0)
		call.unread = name;
	else if (!is_security(call.name))
		return 0;
	call.uid = NO_ID;
	call.gid = NO_ID;
	return attribute_call_begins(&call);
}

/* Reads the name that was left to the end. */
static __always_inline bool is_told(struct attribute_call *call)
{
	if (!call->unread)
		return true;
	if (bpf_probe_read_user_str(call->name, sizeof(call->name), (void *)call->unread) < 0) {
		count_loss(EVENT_FILE_ATTRIBUTES, LOSS_UNREADABLE);
		return false;
	}
	return is_security(call->name);
}

static __always_inline int attribute_call_ends(struct sys_exit_args *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	u64 id = bpf_get_current_pid_tgid();
	struct attribute_call *call = bpf_map_lookup_elem(&pending_attributes, &id);
	struct attribute_scratch *s;
	struct file *file;
	u32 end = 0;

	if (!call)
		return 0;
	if (ctx->ret < 0 || !is_told(call))
		goto out;
	s = attribute_record(SLOT_ATTRIBUTES, call->change, call->mode, call->uid, call->gid,
			     call->path ? FILE_USER_PATH : 0);
	if (!s)
		goto out;
	if (call->path) {
		end = append_string(s->data, end, &s->event.path, (void *)call->path, true);
		end = append_base(s->data, end, &s->event.base, SLOT_ATTRIBUTES, call->fd);
	} else {
		file = file_of(BPF_CORE_READ(task, files), call->fd);
		end = append_object(s, SLOT_ATTRIBUTES, BPF_CORE_READ(file, f_path.dentry),
				    BPF_CORE_READ(file, f_path.mnt));
	}
	if (call->change == ATTRIBUTE_XATTR)
		end = append_string(s->data, end, &s->event.name, call->name, false);
	submit_attributes(s, end);
out:
	bpf_map_delete_elem(&pending_attributes, &id);
	return 0;
}

#define ATTRIBUTE_CALL(call, begins)                                                               \
	SEC("tracepoint/syscalls/sys_enter_" #call)                                                \
	int sys_enter_##call(struct sys_enter_args *ctx)                                           \
	{                                                                                          \
		return begins;                                                                     \
	}                                                                                          \
	SYS_EXIT(call, attribute_call_ends)

ATTRIBUTE_CALL(chmod, chmod_begins(AT_FDCWD, ARG(0), ARG(1)))
ATTRIBUTE_CALL(fchmod, chmod_begins(ARG(0), 0, ARG(1)))
ATTRIBUTE_CALL(fchmodat, chmod_begins(ARG(0), ARG(1), ARG(2)))
ATTRIBUTE_CALL(fchmodat2, chmod_begins(ARG(0), ARG(1), ARG(2)))
ATTRIBUTE_CALL(chown, chown_begins(AT_FDCWD, ARG(0), ARG(1), ARG(2)))
ATTRIBUTE_CALL(lchown, chown_begins(AT_FDCWD, ARG(0), ARG(1), ARG(2)))
ATTRIBUTE_CALL(fchown, chown_begins(ARG(0), 0, ARG(1), ARG(2)))
ATTRIBUTE_CALL(fchownat, chown_begins(ARG(0), ARG(1), ARG(2), ARG(3)))
#define XATTR_CALL(call, begins)                                                                   \
	static __always_inline int call##_begins(struct sys_enter_args *ctx)                       \
	{                                                                                          \
		return begins;                                                                     \
	}                                                                                          \
	CALL_ENTER(, call, call##_begins)                                                          \
	CALL_EXIT(, call, attribute_call_ends)

XATTR_CALL(setxattr, xattr_begins(AT_FDCWD, ARG(0), ARG(1)))
XATTR_CALL(lsetxattr, xattr_begins(AT_FDCWD, ARG(0), ARG(1)))
XATTR_CALL(fsetxattr, xattr_begins(ARG(0), 0, ARG(1)))
XATTR_CALL(setxattrat, xattr_begins(ARG(0), ARG(1), ARG(3)))

#endif
