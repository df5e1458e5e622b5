/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Connecting, binding, sending and accepting, with addresses of the internet protocols. */
#ifndef VEDETTE_ENFORCE_NETWORK_H
#define VEDETTE_ENFORCE_NETWORK_H

#include "enforce_files.h"

#define ENDPOINTS_OF_RULE 64
#define MAPPED_PREFIX 0xffff0000U /* the third word of an IPv4 address in IPv6, in network order */

/* Whether a rule's list has the address that is noted for the task. */
__noinline u32 lists_address(u64 who, u32 first, u32 count)
{
	struct peer *peer = bpf_map_lookup_elem(&peers, &who);

	if (!peer)
		return 0;
	for (u32 i = 0; i < ENDPOINTS_OF_RULE; i++) {
		u32 at = first + i;
		struct endpoint *e;

		if (i >= count)
			break;
		e = bpf_map_lookup_elem(&endpoints, &at);
		if (!e)
			break;
		if ((peer->address[0] & e->mask[0]) == e->address[0] &&
		    (peer->address[1] & e->mask[1]) == e->address[1] && peer->port >= e->first &&
		    peer->port <= e->last && (!e->protocol || e->protocol == peer->protocol) &&
		    (!e->family || e->family == peer->family))
			return 1;
	}
	return 0;
}

/* A rule's bit where it lists the address, else 0. */
__noinline u64 lists(u64 bit, u64 who, u64 act)
{
	u32 at = rule_at(act, bit);
	struct rule *r = bpf_map_lookup_elem(&rules, &at);

	return r && lists_address(who, r->endpoint, r->endpoints) ? bit : 0;
}

/* Of rules about the network those that list the address. */
__noinline u64 listing_address(u64 rules_of, u64 who, u64 act)
{
	u64 found = 0;

	for (u32 i = 0; i < RULES_OF_ACT; i++) {
		u64 bit = rules_of & -rules_of;

		if (!bit)
			break;
		rules_of ^= bit;
		found |= lists(bit, who, act);
	}
	return found;
}

__noinline u32 judge_address(u64 act)
{
	u64 generation = current_generation(), held_by = 0, listed;
	struct settings *set = settings_of(generation);
	struct rule_set about = {};
	u32 judged = 0;
	bool mild = audit_only();

	if (!set || !generation)
		return 0;
	act |= IN_GENERATION(generation);
	for (u32 w = 0; w < RULE_WORDS; w++) {
		about.words[w] = set->operations[OPERATION_OF(act)].words[w];
		if (!about.words[w])
			continue;
		listed = listing_address(about.words[w], bpf_get_current_task(), act | IN_WORD(w));
		about.words[w] &= listed | set->only.words[w];
		if (set->has_places && !held_by)
			held_by = places_of(bpf_get_current_task(), generation);
		about.words[w] =
			judge_word(bpf_get_current_task(), about.words[w],
				   listed & set->only.words[w], act | IN_WORD(w), held_by) &
			~ALLOWED;
		if (about.words[w] & set->enforce.words[w] && !mild)
			judged = JUDGED_REFUSED;
	}
	for (u32 w = 0; w < RULE_WORDS; w++)
		if (about.words[w])
			tell(act | IN_WORD(w), about.words[w], bpf_get_current_task(), 0,
			     judged | (mild ? AUDIT_ONLY : 0) | TELL_ADDRESS);
	return judged;
}

/* The address; its family is 0 where it is none of the internet protocols. */
static __always_inline struct peer read_address(struct socket *socket, void *address)
{
	struct sock *sk = BPF_CORE_READ(socket, sk);
	struct peer peer = {.protocol = BPF_CORE_READ(sk, sk_protocol)};
	u32 words[4] = {0, 0, MAPPED_PREFIX, 0};
	u16 port = 0, family = 0;

	bpf_probe_read_kernel(&family, sizeof(family), address);
	bpf_probe_read_kernel(&port, sizeof(port), address + 2);
	if (family == AF_INET)
		bpf_probe_read_kernel(&words[3], sizeof(words[3]), address + 4);
	else if (family == AF_INET6)
		bpf_probe_read_kernel(words, sizeof(words), address + 8);
	else
		return peer;
	__builtin_memcpy(peer.address, words, sizeof(words));
	peer.family = words[0] || words[1] || words[2] != MAPPED_PREFIX ? AF_INET6 : AF_INET;
	peer.port = port >> 8 | port << 8;
	return peer;
}

static __always_inline u32 judge_peer(struct peer *peer, u64 act)
{
	u64 who = bpf_get_current_task();
	u32 judged;

	if (!peer->family)
		return 0;
	if (bpf_map_update_elem(&peers, &who, peer, BPF_ANY))
		return JUDGED_REFUSED; /* what cannot be judged is not allowed */
	judged = judge_address(act);
	bpf_map_delete_elem(&peers, &who);
	return judged;
}

static __always_inline int judge_socket(void *ctx, u64 address, u32 operation, u32 hook)
{
	struct peer peer;

	if (!address || !current_generation() || is_kernel())
		return 0;
	peer = read_address((void *)argument(ctx, 0), (void *)address);
	return refuse(judge_peer(&peer, ACT(operation, hook)));
}

SEC("lsm/socket_connect")
int guard_socket_connect(void *ctx)
{
	return judge_socket(ctx, argument(ctx, 1), OP_CONNECT, HOOK_SOCKET_CONNECT);
}

SEC("lsm/socket_bind")
int guard_socket_bind(void *ctx)
{
	return judge_socket(ctx, argument(ctx, 1), OP_BIND, HOOK_SOCKET_BIND);
}

static __always_inline u64 inode_of_socket(struct socket *socket)
{
	return (u64)BPF_CORE_READ(socket, file, f_inode);
}

static __always_inline bool is_socket_cut(void *ctx)
{
	return judges_accepting() && is_cut(inode_of_socket((void *)argument(ctx, 0)));
}

/* A datagram may have an address of its own. */
SEC("lsm/socket_sendmsg")
int guard_socket_sendmsg(void *ctx)
{
	struct msghdr *message = (void *)argument(ctx, 1);

	if (is_socket_cut(ctx))
		return -EPERM;
	return judge_socket(ctx, (u64)BPF_CORE_READ(message, msg_name), OP_CONNECT,
			    HOOK_SOCKET_SENDMSG);
}

/* Where the connection comes from; the family is 0 where it is none of the internet protocols. */
static __always_inline struct peer read_peer(struct sock *sk)
{
	struct peer peer = {.protocol = BPF_CORE_READ(sk, sk_protocol)};
	u32 words[4] = {0, 0, MAPPED_PREFIX, BPF_CORE_READ(sk, __sk_common.skc_daddr)};
	u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	u16 port = BPF_CORE_READ(sk, __sk_common.skc_dport);

	if (family == AF_INET6)
		BPF_CORE_READ_INTO(&words, sk, __sk_common.skc_v6_daddr);
	else if (family != AF_INET)
		return peer;
	__builtin_memcpy(peer.address, words, sizeof(words));
	peer.family = words[0] || words[1] || words[2] != MAPPED_PREFIX ? AF_INET6 : AF_INET;
	peer.port = port >> 8 | port << 8;
	return peer;
}

/*
 * Who accepts a connection from whom is known when the call can no more be refused: not before the
 * connection is taken from those that wait, and another thread may take it first. The caller gets a
 * socket that is good for nothing.
 */
SEC("lsm/sock_graft")
int guard_sock_graft(void *ctx)
{
	struct peer peer;
	u64 inode;

	if (!judges_accepting() || is_kernel())
		return 0;
	inode = inode_of_socket((void *)argument(ctx, 1));
	if (!inode)
		return 0;
	peer = read_peer((void *)argument(ctx, 0));
	if (judge_peer(&peer, ACT(OP_ACCEPT, HOOK_SOCK_GRAFT)) & JUDGED_REFUSED)
		cut_socket(inode);
	return 0;
}

SEC("lsm/socket_recvmsg")
int guard_socket_recvmsg(void *ctx)
{
	return is_socket_cut(ctx) ? -EPERM : 0;
}

/* What has arrived can be mapped by an option. */
SEC("lsm/socket_getsockopt")
int guard_socket_getsockopt(void *ctx)
{
	return is_socket_cut(ctx) ? -EPERM : 0;
}

#endif
