/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Acts on the kernel itself. */
#ifndef VEDETTE_ENFORCE_KERNEL_H
#define VEDETTE_ENFORCE_KERNEL_H

#include "enforce_files.h"

#define CAP_SYS_MODULE 16
#define CAP_SYS_TIME 25

static __always_inline int judge_kernel(u32 operation, u32 hook)
{
	return is_kernel() ? 0 :
			     refuse(judge_plain(bpf_get_current_task(), 0, ACT(operation, hook)));
}

SEC("lsm/bpf")
int guard_bpf(void *ctx)
{
	return judge_kernel(OP_BPF, HOOK_BPF);
}

/* Whoever gets hold of the agent's maps or programs, by their ids or by their pins. */
static __always_inline int judge_own(u32 kind, u32 id, u32 hook)
{
	struct own_key key = {.kind = kind, .id = id};

	return bpf_map_lookup_elem(&own, &key) ? judge_kernel(OP_AGENT_BPF, hook) : 0;
}

SEC("lsm/bpf_map")
int guard_bpf_map(void *ctx)
{
	struct bpf_map *map = (void *)argument(ctx, 0);

	return judge_own(OWN_MAP, BPF_CORE_READ(map, id), HOOK_BPF_MAP);
}

SEC("lsm/bpf_prog")
int guard_bpf_prog(void *ctx)
{
	struct bpf_prog *prog = (void *)argument(ctx, 0);

	return judge_own(OWN_PROGRAM, BPF_CORE_READ(prog, aux, id), HOOK_BPF_PROG);
}

/* Unloading a module and setting the clock have no hook of their own that all calls for it come by. */
SEC("lsm/capable")
int guard_capable(void *ctx)
{
	u32 capability = argument(ctx, 2);

	if (capability == CAP_SYS_MODULE)
		return judge_kernel(OP_MODULES, HOOK_CAPABLE);
	if (capability == CAP_SYS_TIME)
		return judge_kernel(OP_TIME, HOOK_CAPABLE);
	return 0;
}

SEC("lsm/kernel_read_file")
int guard_kernel_read_file(void *ctx)
{
	u32 id = argument(ctx, 1);

	if (id == bpf_core_enum_value(enum kernel_read_file_id, READING_MODULE))
		return judge_kernel(OP_MODULES, HOOK_KERNEL_READ_FILE);
	if (id == bpf_core_enum_value(enum kernel_read_file_id, READING_KEXEC_IMAGE))
		return judge_kernel(OP_KEXEC, HOOK_KERNEL_READ_FILE);
	return 0;
}

SEC("lsm/kernel_load_data")
int guard_kernel_load_data(void *ctx)
{
	u32 id = argument(ctx, 0);

	if (id == bpf_core_enum_value(enum kernel_load_data_id, LOADING_MODULE))
		return judge_kernel(OP_MODULES, HOOK_KERNEL_LOAD_DATA);
	if (id == bpf_core_enum_value(enum kernel_load_data_id, LOADING_KEXEC_IMAGE))
		return judge_kernel(OP_KEXEC, HOOK_KERNEL_LOAD_DATA);
	return 0;
}

/* Ports are reached without a file too. */
SEC("lsm/locked_down")
int guard_locked_down(void *ctx)
{
	u32 what = argument(ctx, 0);

	if (what != bpf_core_enum_value(enum lockdown_reason, LOCKDOWN_IOPORT))
		return 0;
	return judge_kernel(OP_RAW_DEVICES, HOOK_LOCKED_DOWN);
}

#endif
