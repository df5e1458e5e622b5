/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef VEDETTE_MODULE_H
#define VEDETTE_MODULE_H
/*
 * Kernel modules: raw tracepoints where a module is about to run its first function and where it is
 * freed. The system call before says whether it came from a file or from memory.
 */
#include "path.h"
#include "socket.h"

struct pending_module {
	u32 origin;
	u32 fd;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u64);
	__type(value, struct pending_module);
} pending_modules SEC(".maps");

struct module_scratch {
	struct module_event event;
	u8 data[DATA_CAP + PATH_CAP];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct module_scratch);
} module_scratches SEC(".maps");

static __always_inline int module_call_begins(u32 origin, u32 fd)
{
	u64 id = bpf_get_current_pid_tgid();
	struct pending_module call = {.origin = origin, .fd = fd};

	if (bpf_map_update_elem(&pending_modules, &id, &call, BPF_ANY))
		count_loss(EVENT_MODULE_LOAD, LOSS_PENDING_FULL);
	return 0;
}

static __always_inline int init_module_begins(struct sys_enter_args *ctx)
{
	return module_call_begins(MODULE_FROM_MEMORY, 0);
}

static __always_inline int finit_module_begins(struct sys_enter_args *ctx)
{
	return module_call_begins(MODULE_FROM_FILE, ctx->args[0]);
}

CALL_ENTER(, init_module, init_module_begins)
CALL_ENTER(, finit_module, finit_module_begins)

static __always_inline void fill_module(struct module_event *e, struct module *module, u16 kind)
{
	fill_head(&e->head, kind, (void *)bpf_get_current_task());
	e->taints = BPF_CORE_READ(module, taints);
	e->origin = MODULE_ORIGIN_UNKNOWN;
	e->reserved = 0;
	__builtin_memset(e->name, 0, sizeof(e->name));
	bpf_probe_read_kernel_str(e->name, sizeof(e->name), &module->name);
	no_string(&e->path);
}

static __always_inline u32 append_module_file(struct module_scratch *s, u32 fd)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct file *file = file_of(BPF_CORE_READ(task, files), fd);

	if (!file)
		return 0;
	return append_path(s->data, 0, &s->event.path, SLOT_MODULE,
			   BPF_CORE_READ(file, f_path.dentry), BPF_CORE_READ(file, f_path.mnt));
}

SEC("tp_btf/module_load")
int BPF_PROG(module_load, struct module *module)
{
	u64 id = bpf_get_current_pid_tgid();
	struct pending_module *pending = bpf_map_lookup_elem(&pending_modules, &id);
	u32 zero = 0, end = 0;
	struct module_scratch *s = bpf_map_lookup_elem(&module_scratches, &zero);

	if (!s) {
		count_loss(EVENT_MODULE_LOAD, LOSS_SCRATCH);
		return 0;
	}
	fill_module(&s->event, module, EVENT_MODULE_LOAD);
	if (pending) {
		s->event.origin = pending->origin;
		if (pending->origin == MODULE_FROM_FILE)
			end = append_module_file(s, pending->fd);
		bpf_map_delete_elem(&pending_modules, &id);
	}
	submit(&activity_ring, &s->event.head, sizeof(s->event) + (end & (DATA_CAP - 1)));
	return 0;
}

SEC("tp_btf/module_free")
int BPF_PROG(module_free, struct module *module)
{
	struct module_event e;

	fill_module(&e, module, EVENT_MODULE_UNLOAD);
	submit(&activity_ring, &e.head, sizeof(e));
	return 0;
}

#endif
