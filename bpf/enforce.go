// SPDX-License-Identifier: Apache-2.0

package bpf

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64 -type rule_set -type program_set -type current_set -type settings -type origin -type node -type near_note -type label_key -type name_key -type pattern -type automaton -type rule -type subject -type endpoint -type peer -type lineage -type led -type given -type inode_key -type hashed -type place_key -type own_key -type counts -type hook -type object -type verdict Enforce enforce.bpf.c -- -O2 -Wall -Wno-unused-function -I include -I/usr/include/x86_64-linux-gnu
