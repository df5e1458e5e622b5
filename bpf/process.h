/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef VEDETTE_PROCESS_H
#define VEDETTE_PROCESS_H
/*
 * Process lifecycle: raw tracepoints with BTF, which exist wherever the agent runs and fire where
 * the kernel has done the thing: nothing can be swapped between check and use.
 */
#include "path.h"
#include "socket.h"

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	struct fork_event e = {};

	if (FIELD(child, pid) != FIELD(child, tgid))
		return 0;
	fill_head(&e.head, EVENT_PROCESS_FORK, child);
	fill_parent(&e.parent, child);
	submit(&process_ring, &e.head, sizeof(e));
	return 0;
}

struct ended_process {
	u64 start_time;
	u32 tgid;
	u32 reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct ended_process);
	__type(value, u8);
} ended_processes SEC(".maps");

/*
 * Whether a process has, or had, more than one thread. A thread that has left the count before has
 * added the time it ran to the process's, so the order of the two is what makes this right.
 */
static __always_inline bool has_threads(struct task_struct *task)
{
	struct signal_struct *shared = FIELD(task, signal);

	return FIELD(task, pid) != FIELD(task, tgid) || FIELD(shared, nr_threads) != 1 ||
	       FIELD(shared, sum_sched_runtime) != 0;
}

/* False for all but the first of the threads that see the end of their process. */
static __always_inline bool first_to_end(struct task_struct *task)
{
	struct ended_process key = {
		.start_time = BPF_CORE_READ(task, group_leader, start_boottime),
		.tgid = FIELD(task, tgid),
	};
	u8 value = 1;
	/* The loader calls the map's own function, whose answer has 32 bits. */
	int failure = bpf_map_update_elem(&ended_processes, &key, &value, BPF_NOEXIST);

	return failure != -EEXIST;
}

/* Some kernels pass a further argument; only the first is read. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	struct signal_struct *shared = FIELD(task, signal);
	struct exit_event e = {};

	/*
	 * The count of live threads was lowered before: zero means that this was the last. Several
	 * that end at once may all come here after the last of them has lowered it.
	 */
	if (FIELD(shared, live.counter) != 0)
		return 0;
	if (has_threads(task) && !first_to_end(task))
		return 0;
	fill_head(&e.head, EVENT_PROCESS_EXIT, task);
	e.exit_code = FIELD(shared, group_exit_code);
	if (!e.exit_code)
		e.exit_code = FIELD(task, exit_code);
	submit(&process_ring, &e.head, sizeof(e));
	return 0;
}

static __always_inline u32 append_args(u8 *data, u32 end, struct event_string *string,
				       struct mm_struct *mm)
{
	unsigned long start = FIELD(mm, arg_start);
	unsigned long stop = FIELD(mm, arg_end);
	u64 len = stop - start;

	no_string(string);
	string->true_len = len;
	if (stop <= start || end >= DATA_CAP) {
		string->truncated = stop > start;
		return end;
	}
	if (len > PATH_CAP - 1) {
		len = PATH_CAP - 1;
		string->truncated = 1;
	}
	if (bpf_probe_read_user(&data[end & (DATA_CAP - 1)], len & (PATH_CAP - 1), (void *)start)) {
		string->truncated = 1;
		return end;
	}
	string->len = len;
	return end + (len & (PATH_CAP - 1));
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	u32 zero = 0;
	struct exec_scratch *s = bpf_map_lookup_elem(&exec_scratches, &zero);
	struct exec_event *e;
	struct mm_struct *mm;
	struct file *exe;
	struct inode *inode;
	struct files_struct *files;
	struct fs_struct *fs;
	struct tty_struct *tty;
	u32 end = 0;

	if (!s) {
		count_loss(EVENT_PROCESS_EXEC, LOSS_SCRATCH);
		return 0;
	}
	e = &s->event;
	fill_head(&e->head, EVENT_PROCESS_EXEC, task);
	fill_parent(&e->parent, task);

	mm = FIELD(task, mm);
	exe = FIELD(mm, exe_file);
	inode = FIELD(exe, f_inode);
	e->exe_inode = FIELD(inode, i_ino);
	e->exe_device = BPF_CORE_READ(inode, i_sb, s_dev);
	e->exe_flags = 0;
	if (!FIELD(inode, i_nlink)) {
		struct dentry *dentry = BPF_CORE_READ(exe, f_path.dentry);

		e->exe_flags = EXE_DELETED;
		/* A memfd is the only unlinked program that never had a directory. */
		if (FIELD(dentry, d_parent) == dentry)
			e->exe_flags |= EXE_MEMORY;
	}
	e->session = BPF_CORE_READ(task, signal, pids[PIDTYPE_SID], numbers[0].nr);
	e->argc = FIELD(bprm, argc);
	__builtin_memset(e->tty, 0, sizeof(e->tty));
	tty = BPF_CORE_READ(task, signal, tty);
	if (tty)
		bpf_probe_read_kernel_str(e->tty, sizeof(e->tty), &tty->name);

	files = FIELD(task, files);
	read_fd(&e->fds[0], files, 0);
	read_fd(&e->fds[1], files, 1);
	read_fd(&e->fds[2], files, 2);

	end = append_path(s->data, end, &e->exe, SLOT_EXEC, BPF_CORE_READ(exe, f_path.dentry),
			  BPF_CORE_READ(exe, f_path.mnt));
	end = append_string(s->data, end, &e->filename, FIELD(bprm, filename), false);
	fs = FIELD(task, fs);
	end = append_path(s->data, end, &e->cwd, SLOT_EXEC, BPF_CORE_READ(fs, pwd.dentry),
			  BPF_CORE_READ(fs, pwd.mnt));
	end = append_args(s->data, end, &e->args, mm);

	submit(&process_ring, &e->head, sizeof(*e) + (end & (DATA_CAP - 1)));
	return 0;
}

/*
 * A descriptor was copied. That it is a standard stream, and now a network socket, is asked first:
 * almost no call gets beyond. The others are reported with it as they may have been moved before.
 */
static __always_inline int descriptor_copied(struct sys_exit_args *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct stdio_event e = {};
	struct files_struct *files;
	struct sock *sk;
	u16 family;

	if ((u64)ctx->ret > 2)
		return 0;
	sk = sock_of_fd(ctx->ret);
	if (!sk)
		return 0;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family != AF_INET && family != AF_INET6)
		return 0;
	fill_head(&e.head, EVENT_STDIO, task);
	files = FIELD(task, files);
	read_fd(&e.fds[0], files, 0);
	read_fd(&e.fds[1], files, 1);
	read_fd(&e.fds[2], files, 2);
	submit(&process_ring, &e.head, sizeof(e));
	return 0;
}

CALL_EXIT(, dup, descriptor_copied)
CALL_EXIT(, dup2, descriptor_copied)
CALL_EXIT(, dup3, descriptor_copied)

#endif
