// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
//go:build ignore

/* The sensor's programs as one object: the loader keeps those that its tiers need. */
#include "process.h"
#include "file.h"
#include "network.h"
#include "dns.h"
#include "module.h"
#include "access.h"
#include "credentials.h"
#include "attributes.h"
#include "image.h"

/* The records and enumerations of the ABI, so that the object's type information has them all. */
const struct {
	enum event_kind kind;
	enum loss_cause cause;
	enum fd_type fd;
	enum exe_flags exe_flags;
	enum file_flags file_flags;
	struct fork_event fork_event;
	struct exit_event exit_event;
	struct stdio_event stdio_event;
	struct net_event net_event;
	struct dns_event dns_event;
	enum module_origin module_origin;
	enum access_call access_call;
	struct access_event access_event;
	struct watched_file watched_file;
	struct watched_bits watched_bits;
	struct setid_event setid_event;
	enum attribute_change attribute_change;
} abi __attribute__((unused));

char LICENSE[] SEC("license") = "Dual BSD/GPL";
