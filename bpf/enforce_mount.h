/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Mounts: what is mounted over a name, unmounted from it, or moved. */
#ifndef VEDETTE_ENFORCE_MOUNT_H
#define VEDETTE_ENFORCE_MOUNT_H

#include "enforce_files.h"

/* The host's init shields services by mounts. */
static __always_inline bool may_mount(void)
{
	return is_kernel() || is_init((void *)bpf_get_current_task());
}

static __always_inline u32 judge_any_mount(u32 hook)
{
	return judge_plain(bpf_get_current_task(), 0, ACT(OP_KERNEL_MOUNT, hook));
}

static __always_inline u32 judge_place(u64 dentry, u32 hook)
{
	return judge_file(dentry, 0, ACT(OP_MOUNT, hook));
}

static __always_inline u32 judge_path(u64 path, u32 hook)
{
	return judge_place((u64)BPF_CORE_READ((struct path *)path, dentry), hook);
}

/* The name that a mount is over; one that is nowhere yet has none. */
static __always_inline u32 judge_mount(struct vfsmount *mnt, u32 hook)
{
	struct mount *mount = (void *)mnt - bpf_core_field_offset(struct mount, mnt);

	if (BPF_CORE_READ(mount, mnt_parent) == mount)
		return 0;
	return judge_place((u64)BPF_CORE_READ(mount, mnt_mountpoint), hook);
}

SEC("lsm/sb_mount")
int guard_sb_mount(void *ctx)
{
	if (may_mount())
		return 0;
	return refuse(judge_any_mount(HOOK_SB_MOUNT) | judge_path(argument(ctx, 1), HOOK_SB_MOUNT));
}

SEC("lsm/sb_umount")
int guard_sb_umount(void *ctx)
{
	if (may_mount())
		return 0;
	return refuse(judge_any_mount(HOOK_SB_UMOUNT) |
		      judge_mount((void *)argument(ctx, 0), HOOK_SB_UMOUNT));
}

SEC("lsm/sb_remount")
int guard_sb_remount(void *ctx)
{
	struct super_block *sb = (void *)argument(ctx, 0);

	return may_mount() ? 0 :
			     refuse(judge_place((u64)BPF_CORE_READ(sb, s_root), HOOK_SB_REMOUNT));
}

SEC("lsm/move_mount")
int guard_move_mount(void *ctx)
{
	struct path *from = (void *)argument(ctx, 0);
	u32 judged;

	if (may_mount())
		return 0;
	judged = judge_any_mount(HOOK_MOVE_MOUNT) |
		 judge_mount(BPF_CORE_READ(from, mnt), HOOK_MOVE_MOUNT);
	return refuse(judged | judge_path(argument(ctx, 1), HOOK_MOVE_MOUNT));
}

SEC("lsm/sb_pivotroot")
int guard_sb_pivotroot(void *ctx)
{
	u32 judged;

	if (may_mount())
		return 0;
	judged = judge_any_mount(HOOK_SB_PIVOTROOT) |
		 judge_path(argument(ctx, 0), HOOK_SB_PIVOTROOT);
	return refuse(judged | judge_path(argument(ctx, 1), HOOK_SB_PIVOTROOT));
}

#endif
