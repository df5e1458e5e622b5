/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Containers that start later are known by the names of their cgroups. */
#ifndef VEDETTE_ENFORCE_CONTAINERS_H
#define VEDETTE_ENFORCE_CONTAINERS_H

#include "enforce_subject.h"

#define SCOPE 0x65706f63732eULL /* ".scope" */
#define SCOPE_LENGTH 6
#define ID_LENGTH 64
#define ID_DIGITS 12 /* that policies have at least */
#define ID_FOUND (1ULL << 48) /* beyond the digits */

/*
 * The first digits of a container's id. Engines end the name of its cgroup with the id, before .scope
 * where systemd makes it. 0 for any other name.
 */
__noinline u64 id_of_name(u64 name, u32 len)
{
	u8 digits[ID_DIGITS] = {};
	u64 end = 0, id = 0;

	if (len > SCOPE_LENGTH)
		bpf_probe_read_kernel(&end, SCOPE_LENGTH, (void *)name + len - SCOPE_LENGTH);
	if (end == SCOPE)
		len -= SCOPE_LENGTH;
	if (len < ID_LENGTH)
		return 0;
	bpf_probe_read_kernel(digits, sizeof(digits), (void *)name + len - ID_LENGTH);
	for (u32 i = 0; i < ID_DIGITS; i++) {
		u8 c = digits[i];

		if (c >= '0' && c <= '9')
			id = id << 4 | (c - '0');
		else if (c >= 'a' && c <= 'f')
			id = id << 4 | (c - 'a' + 10);
		else
			return 0;
	}
	return id | ID_FOUND;
}

__noinline u32 note_container(u32 generation, u64 id, u64 cgroup)
{
	struct place_key key = {.generation = generation, .kind = PLACE_CONTAINER, .value = cgroup};
	u64 bits = generation ? place_bit(generation, PLACE_CONTAINER_ID, id) : 0;

	if (bits)
		bpf_map_update_elem(&places, &key, &bits, BPF_ANY);
	return 0;
}

/* Nobody is in the cgroup yet. It may be one of the hierarchy that counts processes on hosts that keep them in several. */
SEC("tp_btf/cgroup_mkdir")
int follow_cgroup(void *ctx)
{
	struct cgroup *cgroup = (void *)argument(ctx, 0);
	struct kernfs_node *node = BPF_CORE_READ(cgroup, kn);
	u64 name = (u64)BPF_CORE_READ(node, name), cgroup_id = BPF_CORE_READ(node, id);
	u64 id = id_of_name(name, length_of(name));

	if (!id)
		return 0;
	note_container(current_generation(), id, cgroup_id);
	note_container(next_generation(), id, cgroup_id);
	return 0;
}

#endif
