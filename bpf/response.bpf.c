// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
//go:build ignore

/*
 * Refuses traffic with blocked addresses and, while the host is isolated, with all but the allowed
 * ones. Attached to the root cgroup and pinned: what is refused stays refused when the agent dies,
 * and ends by itself when its time is up.
 */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#define REFUSE 0
#define PERMIT 1

/* The loopback device has this index in every network namespace. */
#define LOOPBACK 1

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86DD
#define IPPROTO_UDP 17
#define IPPROTO_ICMPV6 58

#define DHCP_SERVER 67
#define DHCP_CLIENT 68
#define DHCPV6_CLIENT 546
#define DHCPV6_SERVER 547
#define ROUTER_SOLICITATION 133
#define NEIGHBOUR_ADVERTISEMENT 136

/* IPv6, or IPv4 mapped into it. */
struct address {
	u8 bytes[16];
};

struct block {
	u64 expires; /* CLOCK_BOOTTIME, ns; 0: never */
	u64 hits; /* calls and packets refused */
};

struct prefix {
	u32 length; /* in bits, of the 128 */
	struct address address;
};

struct isolation {
	u64 expires; /* as above */
	u64 hits;
	u64 active;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct address);
	__type(value, struct block);
} blocked SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct prefix);
	__type(value, u32);
} allowed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct isolation);
} isolated SEC(".maps");

static __always_inline struct address mapped(u32 ip4)
{
	struct address a = {.bytes = {[10] = 0xff, [11] = 0xff}};

	__builtin_memcpy(a.bytes + 12, &ip4, sizeof(ip4));
	return a;
}

static __always_inline bool pending(u64 expires)
{
	return expires == 0 || bpf_ktime_get_boot_ns() < expires;
}

static __always_inline u64 *block_of(struct address *peer)
{
	struct block *block = bpf_map_lookup_elem(&blocked, peer);

	return block && pending(block->expires) ? &block->hits : NULL;
}

static __always_inline u64 *isolation_from(struct address *peer)
{
	u32 zero = 0;
	struct isolation *isolation = bpf_map_lookup_elem(&isolated, &zero);
	struct prefix whole = {.length = 128, .address = *peer};

	if (!isolation || !isolation->active || !pending(isolation->expires))
		return NULL;
	return bpf_map_lookup_elem(&allowed, &whole) ? NULL : &isolation->hits;
}

static __always_inline int refuse(u64 *hits)
{
	__sync_fetch_and_add(hits, 1);
	return REFUSE;
}

/* The packet programs look at the source port too. */
static __always_inline int judge_call(struct address *peer, u16 port)
{
	u64 *hits = block_of(peer);

	if (!hits && port != DHCP_SERVER && port != DHCPV6_SERVER)
		hits = isolation_from(peer);
	return hits ? refuse(hits) : PERMIT;
}

static __always_inline int judge_ip4(struct bpf_sock_addr *ctx)
{
	struct address peer = mapped(ctx->user_ip4);

	return judge_call(&peer, bpf_ntohs(ctx->user_port));
}

static __always_inline int judge_ip6(struct bpf_sock_addr *ctx)
{
	u32 words[4] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};
	struct address peer;

	__builtin_memcpy(&peer, words, sizeof(peer));
	return judge_call(&peer, bpf_ntohs(ctx->user_port));
}

SEC("cgroup/connect4")
int refuse_connect4(struct bpf_sock_addr *ctx)
{
	return judge_ip4(ctx);
}

SEC("cgroup/connect6")
int refuse_connect6(struct bpf_sock_addr *ctx)
{
	return judge_ip6(ctx);
}

SEC("cgroup/sendmsg4")
int refuse_sendmsg4(struct bpf_sock_addr *ctx)
{
	return judge_ip4(ctx);
}

SEC("cgroup/sendmsg6")
int refuse_sendmsg6(struct bpf_sock_addr *ctx)
{
	return judge_ip6(ctx);
}

static __always_inline bool is_dhcp(struct __sk_buff *skb, u32 offset, u16 from, u16 to)
{
	u16 ports[2];

	return !bpf_skb_load_bytes(skb, offset, ports, sizeof(ports)) &&
	       ports[0] == bpf_htons(from) && ports[1] == bpf_htons(to);
}

static __always_inline bool keeps_ip4(struct __sk_buff *skb, bool egress)
{
	u8 start, protocol;
	u32 length;

	if (bpf_skb_load_bytes(skb, 0, &start, sizeof(start)) ||
	    bpf_skb_load_bytes(skb, 9, &protocol, sizeof(protocol)) || protocol != IPPROTO_UDP)
		return false;
	length = (start & 0xf) * 4;
	return egress ? is_dhcp(skb, length, DHCP_CLIENT, DHCP_SERVER) :
			is_dhcp(skb, length, DHCP_SERVER, DHCP_CLIENT);
}

static __always_inline bool keeps_ip6(struct __sk_buff *skb, bool egress)
{
	u8 next, type;

	if (bpf_skb_load_bytes(skb, 6, &next, sizeof(next)))
		return false;
	if (next == IPPROTO_ICMPV6)
		return !bpf_skb_load_bytes(skb, 40, &type, sizeof(type)) &&
		       type >= ROUTER_SOLICITATION && type <= NEIGHBOUR_ADVERTISEMENT;
	if (next != IPPROTO_UDP)
		return false;
	return egress ? is_dhcp(skb, 40, DHCPV6_CLIENT, DHCPV6_SERVER) :
			is_dhcp(skb, 40, DHCPV6_SERVER, DHCPV6_CLIENT);
}

/*
 * A host that loses its address or its way to the router is lost to the peers that are allowed too,
 * so DHCP and neighbour discovery pass.
 */
static __always_inline int judge_packet(struct __sk_buff *skb, bool egress)
{
	bool ip4 = skb->protocol == bpf_htons(ETH_P_IP);
	struct address peer;
	u64 *hits;
	u32 ip;

	if (ip4) {
		if (bpf_skb_load_bytes(skb, egress ? 16 : 12, &ip, sizeof(ip)))
			return PERMIT;
		peer = mapped(ip);
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		if (bpf_skb_load_bytes(skb, egress ? 24 : 8, &peer, sizeof(peer)))
			return PERMIT;
	} else {
		return PERMIT;
	}
	hits = block_of(&peer);
	if (!hits && skb->ifindex != LOOPBACK)
		hits = isolation_from(&peer);
	if (!hits || (ip4 ? keeps_ip4(skb, egress) : keeps_ip6(skb, egress)))
		return PERMIT;
	return refuse(hits);
}

SEC("cgroup_skb/ingress")
int refuse_ingress(struct __sk_buff *skb)
{
	return judge_packet(skb, false);
}

SEC("cgroup_skb/egress")
int refuse_egress(struct __sk_buff *skb)
{
	return judge_packet(skb, true);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
