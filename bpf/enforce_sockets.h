/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Sockets of connections that must not have been accepted. */
#ifndef VEDETTE_ENFORCE_SOCKETS_H
#define VEDETTE_ENFORCE_SOCKETS_H

#include "enforce_judge.h"

#define SIGKILL 9
#define S_IFSOCK 0140000

/* By the address of the socket's inode, which lives as long as the socket. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, u64);
	__type(value, u32);
} cut_sockets SEC(".maps");

/* Nothing is sent or received by the socket from now on. Whoever accepts more than are kept track of is ended. */
static __always_inline void cut_socket(u64 inode)
{
	u32 yes = 1;

	if (bpf_map_update_elem(&cut_sockets, &inode, &yes, BPF_ANY))
		bpf_send_signal(SIGKILL);
}

/* Whether there are rules about accepting. It is asked first: everything that is sent or received comes by. */
static __always_inline bool judges_accepting(void)
{
	return is_judged(current_generation(), OP_ACCEPT, NO_OPERATION);
}

/* As long as there are such rules, and they are not to report only. */
static __always_inline bool is_cut(u64 inode)
{
	return bpf_map_lookup_elem(&cut_sockets, &inode) && !audit_only();
}

static __always_inline void forget_socket(struct inode *inode)
{
	u64 key = (u64)inode;

	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFSOCK)
		bpf_map_delete_elem(&cut_sockets, &key);
}

#endif
