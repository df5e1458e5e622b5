// SPDX-License-Identifier: Apache-2.0

package bpf

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64 -type tables -type task_state -type listener -type program_key -type program_value -type program_flags -type cgroup_place -type unit_name -type container_id -type losses -type untold -type verdict -type endpoint -type subject -type target_rule -type subject_flags -type task_flags -type origin -type operation -type hook Fallback fallback.bpf.c -- -O2 -Wall -Wno-unused-function -I include -I/usr/include/x86_64-linux-gnu
