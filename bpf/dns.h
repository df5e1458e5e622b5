/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef VEDETTE_DNS_H
#define VEDETTE_DNS_H
/*
 * Questions of name resolution: what is sent by UDP to the ports of DNS, multicast DNS and LLMNR.
 *
 * The better tiers hook the two functions through which every datagram is sent, whichever call or
 * io_uring request led there, and gather it from the sender's memory. The cgroup tier sees packets
 * of IPv4 and IPv6 as they leave their socket, still in the sender's context. System calls are no
 * tier: write is among the ways to send, and each write of the host would pay.
 *
 * The port is looked at before anything else.
 */
#include "network.h"

#define DNS_CAP 512
#define DNS_HEADER 12
#define DNS_SEGMENTS 8

/* Any offset below DNS_CAP plus any length up to it is inside: the verifier asks for it. */
struct dns_record {
	struct dns_event event;
	u8 data[2 * DNS_CAP];
};

static __always_inline bool is_dns(u16 port)
{
	return port == bpf_htons(53) || port == bpf_htons(5353) || port == bpf_htons(5355);
}

/* The message is small and seldom, so the ring's own memory serves as scratch space. */
static __always_inline struct dns_record *dns_record(void)
{
	struct dns_record *r = bpf_ringbuf_reserve(&activity_ring, sizeof(*r), 0);

	if (!r) {
		count_loss(EVENT_DNS_QUERY, LOSS_RING_FULL);
		return NULL;
	}
	fill_head(&r->event.head, EVENT_DNS_QUERY, (void *)bpf_get_current_task());
	r->event.head.size = sizeof(*r);
	r->event.flags = 0;
	r->event.reserved = 0;
	__builtin_memset(&r->event.address, 0, sizeof(r->event.address));
	no_string(&r->event.message);
	return r;
}

/* len bytes of a message of size bytes have been copied. Answers are dropped. */
static __always_inline void submit_dns(struct dns_record *r, u32 len, u32 size)
{
	if (len > DNS_CAP)
		len = DNS_CAP;
	if (len < DNS_HEADER || r->data[2] & 0x80) {
		bpf_ringbuf_discard(r, BPF_RB_NO_WAKEUP);
		return;
	}
	r->event.message.len = len;
	r->event.message.true_len = size;
	r->event.message.truncated = len < size;
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
}

static __always_inline u32 iter_type(struct iov_iter *iter)
{
	struct iov_iter___5_13 *old = (void *)iter;

	if (bpf_core_field_exists(old->type))
		return BPF_CORE_READ(old, type) & ~1U;
	return BPF_CORE_READ(iter, iter_type);
}

static __always_inline const struct iovec *iter_segments(struct iov_iter *iter)
{
	struct iov_iter___6_3 *old = (void *)iter;

	if (bpf_core_field_exists(old->iov))
		return BPF_CORE_READ(old, iov);
	return BPF_CORE_READ(iter, __iov);
}

/* From 1 to DNS_CAP, and so that the verifier sees it: it does not know what the compiler knows. */
static __always_inline u64 bounded(u64 len)
{
	if (len > DNS_CAP)
		len = DNS_CAP;
	barrier_var(len);
	return ((len - 1) & (DNS_CAP - 1)) + 1;
}

/* What the kernel itself sends is in no process's memory, and not copied. What begins in a page that is not there yet is lost. */
static __always_inline u32 gather(u8 *data, struct iov_iter *iter, u64 size)
{
	u64 skip = BPF_CORE_READ(iter, iov_offset);
	const struct iovec *segments;
	struct iovec segment;
	u64 count, len, end = 0;

	if (bpf_core_enum_value_exists(enum iter_type, ITER_UBUF) &&
	    iter_type(iter) == bpf_core_enum_value(enum iter_type, ITER_UBUF)) {
		len = bounded(size);
		if (bpf_probe_read_user(data, len, BPF_CORE_READ(iter, ubuf) + skip)) {
			count_loss(EVENT_DNS_QUERY, LOSS_UNREADABLE);
			return 0;
		}
		return len;
	}
	if (iter_type(iter) != bpf_core_enum_value(enum iter_type, ITER_IOVEC))
		return 0;
	segments = iter_segments(iter);
	count = BPF_CORE_READ(iter, nr_segs);
	for (u32 i = 0; i < DNS_SEGMENTS; i++) {
		if (i >= count || end >= DNS_CAP)
			break;
		if (bpf_probe_read_kernel(&segment, sizeof(segment), &segments[i]))
			break;
		if (segment.iov_len <= skip) {
			skip -= segment.iov_len;
			continue;
		}
		len = bounded(segment.iov_len - skip);
		if (bpf_probe_read_user(&data[end & (DNS_CAP - 1)], len, segment.iov_base + skip)) {
			if (end < DNS_HEADER)
				count_loss(EVENT_DNS_QUERY, LOSS_UNREADABLE);
			break;
		}
		end += len;
		skip = 0;
	}
	return end < size ? end : size;
}

static __always_inline bool is_mapped(const u8 *ip)
{
	const u32 *words = (void *)ip;

	return !words[0] && !words[1] && words[2] == bpf_htonl(0xffff);
}

/* Where the datagram goes; false where the function for the other family is called with it too. */
static __always_inline bool read_ends(struct event_address *address, struct sock *sk, void *to,
				      u16 family)
{
	if (!read_sock(address, sk) || (to && !read_sockaddr(address, true, to, false)))
		return false;
	if (family == AF_INET6)
		return address->family == AF_INET6 && !is_mapped(address->peer);
	/* An IPv6 socket sends to IPv4: its own end is a mapped address. */
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET6)
		__builtin_memcpy(address->local, &address->local[12], 4);
	return true;
}

static __always_inline int datagram_sent(struct sock *sk, struct msghdr *msg, u64 size, u16 family)
{
	void *to = BPF_CORE_READ(msg, msg_name);
	struct dns_record *r;
	u16 port = 0;

	if (to)
		bpf_probe_read_kernel(&port, sizeof(port), to + 2);
	else
		port = BPF_CORE_READ(sk, __sk_common.skc_dport);
	if (!is_dns(port) || size < DNS_HEADER || is_agent())
		return 0;
	r = dns_record();
	if (!r)
		return 0;
	if (!read_ends(&r->event.address, sk, to, family)) {
		bpf_ringbuf_discard(r, BPF_RB_NO_WAKEUP);
		return 0;
	}
	r->event.flags = FILE_ATTEMPT;
	submit_dns(r, gather(r->data, &msg->msg_iter, size), size);
	return 0;
}

FUNCTION_HOOK(udp_sendmsg, (struct sock * sk, struct msghdr *msg, u64 size), (sk, msg, size))
{
	return datagram_sent(sk, msg, size, AF_INET);
}

FUNCTION_HOOK(udpv6_sendmsg, (struct sock * sk, struct msghdr *msg, u64 size), (sk, msg, size))
{
	return datagram_sent(sk, msg, size, AF_INET6);
}

struct udp_ports {
	u16 source;
	u16 destination;
};

/* The offset of a packet's UDP header, 0 for what is none. The packet begins with its IP header. */
static __always_inline u32 udp_header(struct __sk_buff *skb)
{
	u8 *data = (void *)(long)skb->data;
	u8 *end = (void *)(long)skb->data_end;

	if (data + 20 > end)
		return 0;
	if (skb->protocol == bpf_htons(ETH_P_IP) && data[9] == IPPROTO_UDP)
		return (data[0] & 0xf) * 4;
	if (skb->protocol == bpf_htons(ETH_P_IPV6) && data[6] == IPPROTO_UDP)
		return 40;
	return 0;
}

static __always_inline void packet_leaves(struct __sk_buff *skb)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	u32 at = udp_header(skb);
	struct event_address *a;
	struct udp_ports ports;
	struct dns_record *r;
	u64 size, len;

	if (!at || bpf_skb_load_bytes(skb, at, &ports, sizeof(ports)) || !is_dns(ports.destination))
		return;
	at += 8;
	if (skb->len < at + DNS_HEADER || (u32)BPF_CORE_READ(task, tgid) == agent_tgid)
		return;
	r = dns_record();
	if (!r)
		return;
	a = &r->event.address;
	a->protocol = IPPROTO_UDP;
	a->local_port = ports.source;
	a->peer_port = ports.destination;
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		a->family = AF_INET;
		bpf_skb_load_bytes(skb, 12, a->local, 4);
		bpf_skb_load_bytes(skb, 16, a->peer, 4);
	} else {
		a->family = AF_INET6;
		bpf_skb_load_bytes(skb, 8, a->local, 16);
		bpf_skb_load_bytes(skb, 24, a->peer, 16);
	}
	size = skb->len - at;
	len = bounded(size);
	if (bpf_skb_load_bytes(skb, at, r->data, len))
		len = 0;
	submit_dns(r, len, size);
}

/* The answer lets the packet pass. */
SEC("cgroup_skb/egress")
int cgroup_packet_leaves(struct __sk_buff *skb)
{
	packet_leaves(skb);
	return 1;
}

#endif
