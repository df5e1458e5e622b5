/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef VEDETTE_NETWORK_H
#define VEDETTE_NETWORK_H
/*
 * Sockets: connect, accept, bind, listen.
 *
 * The tracepoint tier reports when the call has ended, with its result and with both ends as the
 * kernel's socket holds them. The better tiers see the kernel's copy of the address before the call
 * acts, also for io_uring requests; an accepted connection is seen when it is given to its socket,
 * complete.
 */
#include "file.h"

static __always_inline bool read_sockaddr(struct event_address *out, bool to_peer, void *address,
					  bool user)
{
	struct sockaddr_in6 a = {};
	u8 *ip = to_peer ? out->peer : out->local;
	u16 port;

	if (user ? bpf_probe_read_user(&a, sizeof(struct sockaddr_in), address) :
		   bpf_probe_read_kernel(&a, sizeof(struct sockaddr_in), address))
		return false;
	port = a.sin6_port;
	if (a.sin6_family == AF_INET) {
		__builtin_memset(ip, 0, 16);
		__builtin_memcpy(ip, (void *)&a + 4, 4);
	} else if (a.sin6_family == AF_INET6) {
		if (user ? bpf_probe_read_user(&a, sizeof(a), address) :
			   bpf_probe_read_kernel(&a, sizeof(a), address))
			return false;
		__builtin_memcpy(ip, a.sin6_addr, 16);
	} else {
		return false;
	}
	out->family = a.sin6_family;
	if (to_peer)
		out->peer_port = port;
	else
		out->local_port = port;
	return true;
}

static __always_inline int submit_net(struct net_event *e, u32 kind)
{
	fill_head(&e->head, kind, (void *)bpf_get_current_task());
	submit(&activity_ring, &e->head, sizeof(*e));
	return 0;
}

static __always_inline int hooked_address(struct socket *socket, void *address, u32 kind)
{
	struct net_event e = {};

	if (is_agent() || !read_sock(&e.address, BPF_CORE_READ(socket, sk)))
		return 0;
	if (!read_sockaddr(&e.address, kind == EVENT_NET_CONNECT, address, false))
		return 0;
	if (kind == EVENT_NET_CONNECT && !e.address.peer_port)
		return 0;
	e.flags = FILE_ATTEMPT;
	return submit_net(&e, kind);
}

SECURITY_HOOK(socket_connect, (struct socket * socket, struct sockaddr *address), (socket, address))
{
	return hooked_address(socket, address, EVENT_NET_CONNECT);
}

SECURITY_HOOK(socket_bind, (struct socket * socket, struct sockaddr *address), (socket, address))
{
	return hooked_address(socket, address, EVENT_NET_BIND);
}

SECURITY_HOOK(socket_listen, (struct socket * socket), (socket))
{
	struct net_event e = {};

	if (is_agent() || !read_sock(&e.address, BPF_CORE_READ(socket, sk)))
		return 0;
	e.flags = FILE_ATTEMPT;
	return submit_net(&e, EVENT_NET_LISTEN);
}

/* Called for an accepted socket once it is connected. */
SECURITY_HOOK(sock_graft, (struct sock * sk), (sk))
{
	struct net_event e = {};

	if (is_agent() || !read_sock(&e.address, sk) || e.address.protocol != IPPROTO_TCP ||
	    !e.address.peer_port)
		return 0;
	return submit_net(&e, EVENT_NET_ACCEPT);
}

struct pending_socket {
	u64 address;
	u32 fd;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 10240);
	__type(key, u64);
	__type(value, struct pending_socket);
} pending_sockets SEC(".maps");

static __always_inline int socket_call_begins(struct sys_enter_args *ctx, u32 kind)
{
	u64 id = bpf_get_current_pid_tgid();
	struct pending_socket call = {.address = ctx->args[1], .fd = ctx->args[0]};

	if (is_agent())
		return 0;
	if (bpf_map_update_elem(&pending_sockets, &id, &call, BPF_ANY))
		count_loss(kind, LOSS_PENDING_FULL);
	return 0;
}

static __always_inline int socket_call_ends(struct sys_exit_args *ctx, u32 kind)
{
	u64 id = bpf_get_current_pid_tgid();
	struct pending_socket *pending = bpf_map_lookup_elem(&pending_sockets, &id);
	struct pending_socket call;
	struct net_event e = {};
	struct sock *sk;

	if (!pending)
		return 0;
	call = *pending;
	bpf_map_delete_elem(&pending_sockets, &id);
	sk = sock_of_fd(call.fd);
	if (!sk || !read_sock(&e.address, sk))
		return 0;
	e.ret = ctx->ret == -EINPROGRESS ? 0 : ctx->ret;
	if (kind != EVENT_NET_CONNECT && ctx->ret < 0)
		return 0;
	/* A connection that was refused is gone from the socket: then the caller's words are all there is. */
	if (kind == EVENT_NET_CONNECT && !e.address.peer_port &&
	    !read_sockaddr(&e.address, true, (void *)call.address, true))
		return 0;
	/* Resolvers set a peer without a port to learn which address they would send from. */
	if (kind == EVENT_NET_CONNECT && !e.address.peer_port)
		return 0;
	return submit_net(&e, kind);
}

#define SOCKET_CALL(call, kind)                                                                    \
	SEC("tracepoint/syscalls/sys_enter_" #call)                                                \
	int sys_enter_##call(struct sys_enter_args *ctx)                                           \
	{                                                                                          \
		return socket_call_begins(ctx, kind);                                              \
	}                                                                                          \
	SEC("tracepoint/syscalls/sys_exit_" #call)                                                 \
	int sys_exit_##call(struct sys_exit_args *ctx)                                             \
	{                                                                                          \
		return socket_call_ends(ctx, kind);                                                \
	}

SOCKET_CALL(connect, EVENT_NET_CONNECT)
SOCKET_CALL(bind, EVENT_NET_BIND)
SOCKET_CALL(listen, EVENT_NET_LISTEN)

static __always_inline int accept_exit(struct sys_exit_args *ctx)
{
	struct net_event e = {};
	struct sock *sk;

	if (ctx->ret < 0 || is_agent())
		return 0;
	sk = sock_of_fd(ctx->ret);
	if (!sk || !read_sock(&e.address, sk))
		return 0;
	return submit_net(&e, EVENT_NET_ACCEPT);
}

SYS_EXIT(accept, accept_exit)
SYS_EXIT(accept4, accept_exit)

#endif
