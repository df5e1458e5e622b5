/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Connecting, binding and accepting, with addresses of the internet protocols. */
#ifndef VEDETTE_FALLBACK_NETWORK_H
#define VEDETTE_FALLBACK_NETWORK_H

#include "fallback.h"

#define TCP_CLOSE 7
#define TCP_LISTEN 10
#define IPPROTO_HOPOPTS 0
#define IPPROTO_ROUTING 43
#define IPPROTO_FRAGMENT 44
#define IPPROTO_DSTOPTS 60

/* 1 or 0, without branches, as all that is done for many entries. */
static __always_inline u64 contains(const struct endpoint *e, const struct verdict *v)
{
	u64 differ = (v->address[0] & e->mask[0]) ^ e->address[0];

	differ |= (v->address[1] & e->mask[1]) ^ e->address[1];
	differ |= (v->family ^ e->family) & e->family_mask;
	differ |= (v->protocol ^ e->protocol) & e->protocol_mask;
	/* Below the first port, or above the last, the difference has its highest bit set. */
	differ |= ((u64)v->port - e->first_port) >> 63;
	differ |= ((u64)e->last_port - v->port) >> 63;
	return 1 & ~any(differ);
}

static __always_inline u64 rules_naming(struct tables *t, const struct verdict *v)
{
	u64 rules = 0;

	for (u32 i = 0; i < ENDPOINTS; i++) {
		const struct endpoint *e = &t->endpoints[i];

		if (i >= t->endpoint_count)
			break;
		rules |= contains(e, v) << (e->rule & (RULES - 1));
	}
	return rules;
}

static __always_inline int judge_address(struct verdict *v)
{
	struct tables *t = tables_in_force();
	struct actor actor;
	u64 about, named;

	if (!t)
		return 1;
	about = t->by_operation[v->operation];
	if (!about)
		return 1;
	named = rules_naming(t, v);
	find_actor(&actor);
	return !tell(t, v, forbidding(t, about & (named | t->only), named & t->only, &actor));
}

static __always_inline u8 protocol_of(struct bpf_sock_addr *ctx)
{
	return ctx->type == SOCK_STREAM ? IPPROTO_TCP : ctx->protocol;
}

static __always_inline int judge_ip4(struct bpf_sock_addr *ctx, u8 operation, u8 hook)
{
	struct verdict v = {.operation = operation, .hook = hook, .family = AF_INET};
	u32 address = ctx->user_ip4;

	v.port = bpf_ntohs(ctx->user_port);
	v.protocol = protocol_of(ctx);
	__builtin_memcpy(v.address, &address, sizeof(address));
	return judge_address(&v);
}

/* An IPv4 address that is mapped into IPv6 counts as what it is. */
static __always_inline int judge_ip6(struct bpf_sock_addr *ctx, u8 operation, u8 hook)
{
	u32 words[4] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};
	struct verdict v = {.operation = operation, .hook = hook, .family = AF_INET6};

	v.port = bpf_ntohs(ctx->user_port);
	v.protocol = protocol_of(ctx);
	if (!words[0] && !words[1] && words[2] == bpf_htonl(0xffff)) {
		v.family = AF_INET;
		__builtin_memcpy(v.address, &words[3], sizeof(words[3]));
	} else {
		__builtin_memcpy(v.address, words, sizeof(words));
	}
	return judge_address(&v);
}

SEC("cgroup/connect4")
int judge_connect4(struct bpf_sock_addr *ctx)
{
	return judge_ip4(ctx, OPERATION_CONNECT, HOOK_SOCKET_CONNECT);
}

SEC("cgroup/connect6")
int judge_connect6(struct bpf_sock_addr *ctx)
{
	return judge_ip6(ctx, OPERATION_CONNECT, HOOK_SOCKET_CONNECT);
}

SEC("cgroup/sendmsg4")
int judge_sendmsg4(struct bpf_sock_addr *ctx)
{
	return judge_ip4(ctx, OPERATION_CONNECT, HOOK_SOCKET_SENDMSG);
}

SEC("cgroup/sendmsg6")
int judge_sendmsg6(struct bpf_sock_addr *ctx)
{
	return judge_ip6(ctx, OPERATION_CONNECT, HOOK_SOCKET_SENDMSG);
}

SEC("cgroup/bind4")
int judge_bind4(struct bpf_sock_addr *ctx)
{
	return judge_ip4(ctx, OPERATION_BIND, HOOK_SOCKET_BIND);
}

SEC("cgroup/bind6")
int judge_bind6(struct bpf_sock_addr *ctx)
{
	return judge_ip6(ctx, OPERATION_BIND, HOOK_SOCKET_BIND);
}

/* Who listens, by the socket's cookie: packets that begin a connection come in when anybody runs. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct listener);
} listeners SEC(".maps");

/* Before 5.12 programs cannot make a cookie where a socket has none. What that kernel cannot do yet came after. */
enum bpf_func_id___new {
	BPF_FUNC_for_each_map_elem___new,
};

SEC("cgroup/sock_create")
int name_socket(struct bpf_sock *ctx)
{
	bpf_get_socket_cookie(ctx);
	return 1;
}

static __always_inline u64 cookie_of(struct sock *sk)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id___new, BPF_FUNC_for_each_map_elem___new))
		return bpf_get_socket_cookie(sk);
	return BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(socket_listens, struct sock *sk, int before, int after)
{
	struct listener l = {};
	u64 cookie;

	/* The socket of a new connection is a copy at first, and leaves this state too. */
	if (before == TCP_LISTEN && after == TCP_CLOSE) {
		cookie = cookie_of(sk);
		bpf_map_delete_elem(&listeners, &cookie);
	}
	if (before == TCP_LISTEN || after != TCP_LISTEN)
		return 0;
	cookie = cookie_of(sk);
	l.tgid = bpf_get_current_pid_tgid() >> 32;
	l.euid = effective_uid();
	l.cgroup = bpf_get_current_cgroup_id();
	bpf_get_current_comm(l.comm, sizeof(l.comm));
	if (cookie)
		bpf_map_update_elem(&listeners, &cookie, &l, BPF_ANY);
	return 0;
}

#define EXTENSION_HEADERS 8
#define IPV6_HEADER 40

static __always_inline bool is_extension(u8 next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_FRAGMENT ||
	       next == IPPROTO_DSTOPTS;
}

/* Where the header of TCP begins; 0 where it is not found. */
static __always_inline u32 tcp_of_ip6(struct __sk_buff *skb)
{
	u32 at = IPV6_HEADER;
	u8 next = 0, head[2];

	bpf_skb_load_bytes(skb, 6, &next, sizeof(next));
	for (int i = 0; i < EXTENSION_HEADERS; i++) {
		if (next == IPPROTO_TCP)
			return at;
		if (!is_extension(next) || bpf_skb_load_bytes(skb, at, head, sizeof(head)))
			return 0;
		at += next == IPPROTO_FRAGMENT ? 8 : 8 * (head[1] + 1);
		next = head[0];
	}
	return 0;
}

/* Where a packet comes from; false where that is not to be found in it. */
static __always_inline bool read_peer(struct __sk_buff *skb, struct verdict *v)
{
	u32 at = 0;
	u16 port;
	u8 start = 0;

	v->protocol = IPPROTO_TCP;
	bpf_skb_load_bytes(skb, 0, &start, sizeof(start));
	if (start >> 4 == 4) {
		v->family = AF_INET;
		at = 4 * (start & 15);
		bpf_skb_load_bytes(skb, 12, v->address, 4);
	} else if (start >> 4 == 6) {
		v->family = AF_INET6;
		at = tcp_of_ip6(skb);
		bpf_skb_load_bytes(skb, 8, v->address, 16);
	}
	if (!at || bpf_skb_load_bytes(skb, at, &port, sizeof(port)))
		return false;
	v->port = bpf_ntohs(port);
	return true;
}

/* Nobody listens whom nothing is known of: only rules about everybody concern it then. */
static __always_inline void find_listener(struct __sk_buff *skb, struct actor *actor,
					  struct verdict *v)
{
	u64 cookie = bpf_get_socket_cookie(skb);
	struct listener *l = bpf_map_lookup_elem(&listeners, &cookie);
	struct task_state *state;

	__builtin_memset(actor, 0, sizeof(*actor));
	if (!l)
		return;
	state = bpf_map_lookup_elem(&tasks, &l->tgid);
	fill_actor(actor, state, bpf_map_lookup_elem(&cgroups, &l->cgroup));
	actor->euid = l->euid;
	v->tgid = v->tid = l->tgid;
	v->euid = l->euid;
	v->cgroup = l->cgroup;
	v->start_time = state ? state->start_time : 0;
	__builtin_memcpy(v->comm, l->comm, sizeof(v->comm));
}

/* The first packet of a connection, and the last that makes it, come to the socket that listens. */
SEC("cgroup_skb/ingress")
int judge_ingress(struct __sk_buff *skb)
{
	struct verdict v = {.operation = OPERATION_ACCEPT, .hook = HOOK_INGRESS};
	struct bpf_sock *sk = skb->sk;
	struct tables *t;
	struct actor actor;
	u64 about, named;

	if (!sk || sk->state != TCP_LISTEN)
		return 1;
	t = tables_in_force();
	about = t ? t->by_operation[OPERATION_ACCEPT] : 0;
	if (!about)
		return 1;
	if (!read_peer(skb, &v))
		return 0; /* what cannot be judged is not allowed */
	named = rules_naming(t, &v);
	find_listener(skb, &actor, &v);
	return !send(t, &v, forbidding(t, about & (named | t->only), named & t->only, &actor));
}

#endif
