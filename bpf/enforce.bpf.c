// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
//go:build ignore

/*
 * Refuses what policies forbid, in the kernel's security hooks. Pointers go from function to function
 * as numbers, because the verifier of 5.10 takes nothing else for functions that it checks once; each
 * chain of calls has 512 bytes of stack.
 */
#include "enforce_containers.h"
#include "enforce_mount.h"
#include "enforce_exec.h"
#include "enforce_process.h"
#include "enforce_kernel.h"
#include "enforce_network.h"

/* So that the object's type information has them. */
const struct {
	enum hook hook;
	enum object object;
	enum origin origin;
	struct verdict verdict;
	struct automaton automaton;
	struct place_key place_key;
	struct own_key own_key;
	struct near_note near_note;
} enforce_abi __attribute__((unused));

char LICENSE[] SEC("license") = "Dual BSD/GPL";
