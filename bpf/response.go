// SPDX-License-Identifier: Apache-2.0

package bpf

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64 -type address -type block -type prefix -type isolation Response response.bpf.c -- -O2 -Wall -I /usr/include/x86_64-linux-gnu
