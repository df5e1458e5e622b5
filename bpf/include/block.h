/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Several fields of one object with one read: each read is a call, which costs more than the bytes that
 * it copies, and a program that looks at every open does little else.
 */
#ifndef VEDETTE_BLOCK_H
#define VEDETTE_BLOCK_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

/* The words in which the fields that are read are found on the kernels there are. */
#define FILE_WORDS 12
#define INODE_WORDS 9
#define DENTRY_WORDS 8
#define FDTABLE_WORDS 2
#define CRED_WORDS 5

/* No more than the object has: what comes after it may not be readable. */
static __always_inline void read_block(void *block, u64 size, const void *object, u64 whole)
{
	bpf_probe_read_kernel(block, whole < size ? whole : size, object);
}

#define READ_BLOCK(block, object)                                                                  \
	read_block(block, sizeof(block), object, bpf_core_type_size(typeof(*(object))))

/* A field of the object that was read; from the object itself where a kernel has it farther back. */
#define BLOCK_FIELD(block, object, field)                                                          \
	({                                                                                         \
		u64 __at = bpf_core_field_offset(typeof(*(object)), field);                        \
		typeof((object)->field) __value;                                                   \
		if (__at + sizeof(__value) <= sizeof(block))                                       \
			__value = *(typeof(__value) *)((void *)(block) + __at);                    \
		else                                                                               \
			bpf_core_read(&__value, sizeof(__value), &(object)->field);                \
		__value;                                                                           \
	})

#endif
