// SPDX-License-Identifier: Apache-2.0

// Package bpf holds the sensor's kernel programs: the C sources, their compiled object and the Go
// types of every record that crosses a ring buffer (see include/abi.h).
//
// The object and sensor_x86_bpfel.go are generated from the C sources and committed, so that only
// those who change the C need a compiler for it.
package bpf

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64 -type event_kind -type loss_cause -type fd_type -type exe_flags -type file_flags -type fork_event -type exit_event -type exec_event -type stdio_event -type file_event -type net_event -type dns_event -type setid_event -type event_ids -type attribute_event -type attribute_change -type watched_bits -type watched_file -type access_event -type access_target -type access_call -type module_event -type module_origin -type event_head -type event_parent -type event_fd -type event_address -type event_string Sensor sensor.bpf.c -- -O2 -Wall -Wno-unused-function -I include -I/usr/include/x86_64-linux-gnu
