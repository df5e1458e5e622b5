/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Addresses from the kernel's own socket, and files by descriptor. */
#ifndef VEDETTE_SOCKET_H
#define VEDETTE_SOCKET_H

#include "common.h"
#include "task.h"

/* False for sockets that are neither TCP nor UDP over IPv4 or IPv6. */
static __always_inline bool read_sock(struct event_address *out, struct sock *sk)
{
	u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	u16 type = BPF_CORE_READ(sk, sk_type);
	u32 v4;

	__builtin_memset(out, 0, sizeof(*out));
	if (type == SOCK_STREAM)
		out->protocol = IPPROTO_TCP;
	else if (type == SOCK_DGRAM)
		out->protocol = IPPROTO_UDP;
	else
		return false;
	if (family == AF_INET) {
		v4 = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		__builtin_memcpy(out->local, &v4, 4);
		v4 = BPF_CORE_READ(sk, __sk_common.skc_daddr);
		__builtin_memcpy(out->peer, &v4, 4);
	} else if (family == AF_INET6) {
		BPF_CORE_READ_INTO(&out->local, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&out->peer, sk, __sk_common.skc_v6_daddr);
	} else {
		return false;
	}
	out->family = family;
	out->local_port = bpf_htons(BPF_CORE_READ(sk, __sk_common.skc_num));
	out->peer_port = BPF_CORE_READ(sk, __sk_common.skc_dport);
	return true;
}

static __always_inline struct sock *sock_of(struct file *file)
{
	struct socket *socket = BPF_CORE_READ(file, private_data);

	return BPF_CORE_READ(socket, sk);
}

static __always_inline struct sock *sock_of_fd(u32 fd)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct file *file = file_of(BPF_CORE_READ(task, files), fd);

	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	return sock_of(file);
}

static __always_inline u32 major(u32 device)
{
	return device >> 20;
}

static __always_inline void read_fd(struct event_fd *out, struct files_struct *files, u32 fd)
{
	struct file *file = file_of(files, fd);
	u64 opened[FILE_WORDS], object[INODE_WORDS];
	u32 format, mode, device;
	struct super_block *sb;
	struct inode *inode;

	__builtin_memset(out, 0, sizeof(*out));
	if (!file)
		return;
	READ_BLOCK(opened, file);
	inode = BLOCK_FIELD(opened, file, f_inode);
	READ_BLOCK(object, inode);
	format = BLOCK_FIELD(object, inode, i_mode) & S_IFMT;
	mode = BLOCK_FIELD(opened, file, f_mode);
	sb = BLOCK_FIELD(object, inode, i_sb);
	out->inode = BLOCK_FIELD(object, inode, i_ino);
	out->device = FIELD(sb, s_dev);
	out->readable = !!(mode & FMODE_READ);
	out->writable = !!(mode & FMODE_WRITE);
	if (format == S_IFREG) {
		out->type = FD_FILE;
	} else if (format == S_IFIFO) {
		out->type = BPF_CORE_READ(sb, s_magic) == PIPEFS_MAGIC ? FD_PIPE : FD_FIFO;
	} else if (format == S_IFCHR) {
		device = BPF_CORE_READ(inode, i_rdev);
		out->device = device;
		if (major(device) == MEM_MAJOR && (device & 0xfffff) == 3)
			out->type = FD_NULL;
		else if (major(device) == TTY_MAJOR || major(device) == TTYAUX_MAJOR ||
			 (major(device) >= UNIX98_PTY_SLAVE_MAJOR &&
			  major(device) < UNIX98_PTY_SLAVE_MAJOR + UNIX98_PTY_MAJOR_COUNT))
			out->type = FD_TTY;
		else
			out->type = FD_DEVICE;
	} else if (format == S_IFSOCK) {
		struct sock *sk = sock_of(file);
		u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

		out->type = FD_OTHER;
		if (read_sock(&out->address, sk)) {
			out->type = FD_SOCKET;
		} else if (family == AF_UNIX) {
			out->type = FD_UNIX;
			out->unix_peer = BPF_CORE_READ(sk, sk_peer_pid, numbers[0].nr);
		}
	} else {
		out->type = FD_OTHER;
	}
}

#endif
