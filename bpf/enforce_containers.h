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

/* What a new cgroup may be known by. */
struct new_cgroup {
	u64 cgroup;
	u64 id;
	u64 name;
	u64 path; /* of its parent and itself */
};

static __always_inline void note_container(u32 generation, struct new_cgroup *new)
{
	struct place_key key = {
		.generation = generation, .kind = PLACE_CONTAINER, .value = new->cgroup};
	u64 bits = 0;

	if (!generation)
		return;
	if (new->id)
		bits = place_bit(generation, PLACE_CONTAINER_ID, new->id);
	bits |= place_bit(generation, PLACE_CONTAINER_NAME, new->name);
	bits |= place_bit(generation, PLACE_CONTAINER_NAME, new->path);
	if (bits)
		bpf_map_update_elem(&places, &key, &bits, BPF_ANY);
}

/* Nobody is in the cgroup yet. It may be one of the hierarchy that counts processes on hosts that keep them in several. */
SEC("tp_btf/cgroup_mkdir")
int follow_cgroup(void *ctx)
{
	struct cgroup *cgroup = (void *)argument(ctx, 0);
	struct kernfs_node *node = BPF_CORE_READ(cgroup, kn), *parent = above(node);
	u64 name = (u64)BPF_CORE_READ(node, name), around;
	struct new_cgroup new = {.cgroup = BPF_CORE_READ(node, id)};
	u32 len = length_of(name);

	new.id = id_of_name(name, len);
	new.name = hash_name(name, len);
	new.path = new.name;
	if (parent) {
		around = NUMBER(parent, name);
		new.path += hash_name(around, length_of(around));
	}
	note_container(next_generation(), &new); /* which may be in force meanwhile */
	note_container(current_generation(), &new);
	return 0;
}

#endif
