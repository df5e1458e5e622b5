/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Names of files and cgroups: their hashes, and patterns. */
#ifndef VEDETTE_ENFORCE_NAMES_H
#define VEDETTE_ENFORCE_NAMES_H

#include "enforce_maps.h"

#define ROTATE(x, n) ((x) << (n) | (x) >> (64 - (n)))

#define SIP_ROUND                                                                                  \
	do {                                                                                       \
		v0 += v1;                                                                          \
		v1 = ROTATE(v1, 13) ^ v0;                                                          \
		v0 = ROTATE(v0, 32);                                                               \
		v2 += v3;                                                                          \
		v3 = ROTATE(v3, 16) ^ v2;                                                          \
		v0 += v3;                                                                          \
		v3 = ROTATE(v3, 21) ^ v0;                                                          \
		v2 += v1;                                                                          \
		v1 = ROTATE(v1, 17) ^ v2;                                                          \
		v2 = ROTATE(v2, 32);                                                               \
	} while (0)

/* SipHash-2-4 of a name. */
__noinline u64 hash_name(u64 name, u32 len)
{
	u64 v0 = hash_key[0] ^ 0x736f6d6570736575ULL, v1 = hash_key[1] ^ 0x646f72616e646f6dULL;
	u64 v2 = hash_key[0] ^ 0x6c7967656e657261ULL, v3 = hash_key[1] ^ 0x7465646279746573ULL;
	u64 word, last = 0;
	u32 rest = len & 7;

	for (u32 at = 0; at < LONGEST_NAME; at += 8) {
		if (at + 8 > len)
			break;
		word = 0;
		bpf_probe_read_kernel(&word, sizeof(word), (void *)name + at);
		v3 ^= word;
		SIP_ROUND;
		SIP_ROUND;
		v0 ^= word;
	}
	if (rest)
		bpf_probe_read_kernel(&last, rest, (void *)name + (len & ~7U));
	last |= (u64)len << 56;
	v3 ^= last;
	SIP_ROUND;
	SIP_ROUND;
	v0 ^= last;
	v2 ^= 0xff;
	SIP_ROUND;
	SIP_ROUND;
	SIP_ROUND;
	SIP_ROUND;
	return v0 ^ v1 ^ v2 ^ v3;
}

/* The length of a text that ends with a zero byte. */
__noinline u32 length_of(u64 text)
{
	char bytes[16] = {};
	u32 len = 0;

	for (u32 at = 0; at < LONGEST_NAME; at += sizeof(bytes) - 1) {
		long n = bpf_probe_read_kernel_str(bytes, sizeof(bytes), (void *)text + at);

		if (n > 0)
			len += n - 1;
		if (n != sizeof(bytes))
			break;
	}
	return len < LONGEST_NAME ? len : LONGEST_NAME - 1;
}

/* The states that an automaton is in after up to eight bytes more. */
__noinline u64 step_automaton(u32 index, u64 states, u64 bytes, u32 count)
{
	struct automaton *a = bpf_map_lookup_elem(&automata, &index);

	if (!a)
		return 0;
	for (u32 i = 0; i < 8; i++) {
		if (i >= count)
			break;
		states = ((states << 1) & a->steps[bytes & 0xff]) | (states & a->loops);
		bytes >>= 8;
	}
	return states;
}

/* The states that an automaton is in after a name. */
__noinline u64 run_automaton(u32 index, u64 name, u32 len)
{
	struct automaton *a = bpf_map_lookup_elem(&automata, &index);
	u64 states, bytes = 0;

	if (!a)
		return 0;
	states = a->start;
	for (u32 at = 0; at < LONGEST_NAME; at += 8) {
		if (at >= len)
			break;
		bpf_probe_read_kernel(&bytes, sizeof(bytes), (void *)name + at);
		states = step_automaton(index, states, bytes, len - at);
	}
	return states;
}

#endif
