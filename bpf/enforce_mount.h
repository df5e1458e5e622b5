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

/* By the set that is in force when the hook begins. */
static __always_inline u64 mount_act(u32 hook)
{
	return IN_HOOK(hook) | IN_GENERATION(current_generation());
}

static __always_inline u32 judge_any_mount(u64 act)
{
	return judge_plain(bpf_get_current_task(), 0, ACT(OP_KERNEL_MOUNT, 0) | act);
}

static __always_inline u32 judge_place(u64 dentry, u64 act)
{
	return judge_file(dentry, 0, ACT(OP_MOUNT, 0) | act);
}

static __always_inline u32 judge_path(u64 path, u64 act)
{
	return judge_place((u64)BPF_CORE_READ((struct path *)path, dentry), act);
}

/* The name that a mount is over; one that is nowhere yet has none. */
static __always_inline u32 judge_mount(struct vfsmount *mnt, u64 act)
{
	struct mount *mount = (void *)mnt - bpf_core_field_offset(struct mount, mnt);

	if (BPF_CORE_READ(mount, mnt_parent) == mount)
		return 0;
	return judge_place((u64)BPF_CORE_READ(mount, mnt_mountpoint), act);
}

SEC("lsm/sb_mount")
int guard_sb_mount(void *ctx)
{
	u64 act = mount_act(HOOK_SB_MOUNT);

	if (may_mount())
		return 0;
	return refuse(judge_any_mount(act) | judge_path(argument(ctx, 1), act));
}

SEC("lsm/sb_umount")
int guard_sb_umount(void *ctx)
{
	u64 act = mount_act(HOOK_SB_UMOUNT);

	if (may_mount())
		return 0;
	return refuse(judge_any_mount(act) | judge_mount((void *)argument(ctx, 0), act));
}

SEC("lsm/sb_remount")
int guard_sb_remount(void *ctx)
{
	struct super_block *sb = (void *)argument(ctx, 0);

	if (may_mount())
		return 0;
	return refuse(judge_place((u64)BPF_CORE_READ(sb, s_root), mount_act(HOOK_SB_REMOUNT)));
}

SEC("lsm/move_mount")
int guard_move_mount(void *ctx)
{
	struct path *from = (void *)argument(ctx, 0);
	u64 act = mount_act(HOOK_MOVE_MOUNT);
	u32 judged;

	if (may_mount())
		return 0;
	judged = judge_any_mount(act) | judge_mount(BPF_CORE_READ(from, mnt), act);
	return refuse(judged | judge_path(argument(ctx, 1), act));
}

SEC("lsm/sb_pivotroot")
int guard_sb_pivotroot(void *ctx)
{
	u64 act = mount_act(HOOK_SB_PIVOTROOT);
	u32 judged;

	if (may_mount())
		return 0;
	judged = judge_any_mount(act) | judge_path(argument(ctx, 0), act);
	return refuse(judged | judge_path(argument(ctx, 1), act));
}

#endif
