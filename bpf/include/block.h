/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Fields of the kernel's objects, read the cheapest way there is.
 *
 * A program may load a field itself where the kernel can be told what a pointer points to (6.2 and
 * later). On other kernels each read is a call, which costs more than the bytes it copies: there the
 * fields of one object are copied at once.
 */
#ifndef VEDETTE_BLOCK_H
#define VEDETTE_BLOCK_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

extern void *bpf_rdonly_cast(const void *object, u32 type) __ksym __weak;

/* The loader makes it a constant, so what is not taken is not even looked at by the verifier. */
#define LOADS_ITSELF (bpf_rdonly_cast != NULL)

#define TYPED(object)                                                                              \
	((typeof(object))bpf_rdonly_cast(object, bpf_core_type_id_kernel(typeof(*(object)))))

/* One field of an object. */
#define FIELD(object, field)                                                                       \
	({                                                                                         \
		typeof((object)->field) __value;                                                   \
		if (LOADS_ITSELF)                                                                  \
			__value = TYPED(object)->field;                                            \
		else                                                                               \
			bpf_core_read(&__value, sizeof(__value), &(object)->field);                \
		__value;                                                                           \
	})

/* The words in which the fields that are read are found on the kernels there are. */
#define FILE_WORDS 12
#define INODE_WORDS 9
#define DENTRY_WORDS 8
#define FDTABLE_WORDS 2
#define CRED_WORDS 5

/* No more than the object has: what comes after it may not be readable. */
static __always_inline void read_block(void *block, u64 size, const void *object, u64 whole)
{
	if (!LOADS_ITSELF)
		bpf_probe_read_kernel(block, whole < size ? whole : size, object);
}

#define READ_BLOCK(block, object)                                                                  \
	read_block(block, sizeof(block), object, bpf_core_type_size(typeof(*(object))))

/* A field of an object that was copied; from the object itself where a kernel has it farther back. */
#define BLOCK_FIELD(block, object, field)                                                          \
	({                                                                                         \
		u64 __at = bpf_core_field_offset(typeof(*(object)), field);                        \
		typeof((object)->field) __value;                                                   \
		if (!LOADS_ITSELF && __at + sizeof(__value) <= sizeof(block))                      \
			__value = *(typeof(__value) *)((void *)(block) + __at);                    \
		else                                                                               \
			__value = FIELD(object, field);                                            \
		__value;                                                                           \
	})

#endif
