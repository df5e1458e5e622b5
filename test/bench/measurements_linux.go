// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import "context"

// measurement is a function that finds out some figures. It need not find those that b.wants does
// not ask for, and gives errCannot for what the machine lacks.
type measurement struct {
	name    string
	run     func(ctx context.Context, b *bench) (results, error)
	figures []declaration
}

// measurements are all there is, in the order of the table. To add one, add a line here.
func measurements() []measurement {
	return []measurement{
		{"overhead", overhead, []declaration{
			{"fork_exec_wall", "fork+exec of a tiny program, time", "ratio", atMost(1.03)},
			{"fork_exec_cpu", "fork+exec of a tiny program, CPU time", "ratio", atMost(1.03)},
			{"fork_exec_agent", "  the agent's CPU time beside it", "ratio", atMost(0.1)},
			{"fork_exec_libc_wall", "fork+exec of /bin/true, time", "ratio", atMost(1.03)},
			{"fork_exec_libc_cpu", "fork+exec of /bin/true, CPU time", "ratio", atMost(1.03)},
			{"open_read_wall", "open+close for reading, time", "ratio", atMost(1.05)},
			{"open_read_cpu", "open+close for reading, CPU time", "ratio", atMost(1.05)},
			{"open_write_wall", "open+close for writing, time", "ratio", atMost(1.5)},
			{"open_write_cpu", "open+close for writing, CPU time", "ratio", atMost(1.5)},
			{"open_write_agent", "  the agent's CPU time beside it", "ratio", atMost(1)},
			{"unwatched_wall", "a call nobody watches (getppid), time", "ratio", atMost(1.05)},
			{"unwatched_cpu", "a call nobody watches, CPU time", "ratio", atMost(1.05)},
			{"go_build_wall", "go build with an empty cache, time", "ratio", atMost(1.05)},
			{"go_build_cpu", "go build with an empty cache, CPU time", "ratio", atMost(1.05)},
			{"go_build_agent", "  the agent's CPU time beside it", "ratio", atMost(0.05)},
		}},
		{"throughput", throughput, []declaration{
			{"events_files", "kernel to log record, file events", "/CPU s", atLeast(250000)},
			{"events_processes", "kernel to log record, process events", "/CPU s", atLeast(250000)},
			{"flood_lost", "lost in a flood of opens for writing", "%", atMost(1)},
			{"kernel_fork", "kernel program: fork", "ns", atMost(500)},
			{"kernel_exec", "kernel program: exec", "ns", atMost(5000)},
			{"kernel_exit", "kernel program: exit", "ns", atMost(500)},
			{"kernel_open_read", "kernel program: open for reading", "ns", atMost(100)},
			{"kernel_open_write", "kernel program: open for writing", "ns", atMost(1000)},
			{"kernel_connect", "kernel programs: connect", "ns", atMost(1000)},
			{"kernel_send", "kernel program: datagram that asks nothing", "ns", atMost(100)},
			{"kernel_question", "kernel program: question to a name server", "ns", atMost(1500)},
		}},
		{"detection", detection, []declaration{
			{"detection", "records judged by the built-in rules", "/CPU s", atLeast(500000)},
		}},
		{"documents", documents, []declaration{
			{"ecs", "records written as ECS documents", "/CPU s", atLeast(300000)},
			{"ecs_exec", "started programs, written as documents", "/CPU s", atLeast(300000)},
			{"ecs_allocations", "allocated for such a document", "objects", atMost(5)},
		}},
		{"rules", rules, []declaration{
			{"rules_few", "250 rules: records in, alerts out", "/CPU s", atLeast(500000)},
			{"rules_many", "2,500 rules: records in, alerts out", "/CPU s", atLeast(200000)},
			{"rules_tenfold", "cost of ten times the rules", "ratio", atMost(3)},
			{"rules_allocations", "allocated for a record without a match", "objects", atMost(0)},
			{"rules_load", "loading 3,000 rules, CPU time", "s", atMost(1)},
			{"correlation", "matches told to a correlation", "/CPU s", atLeast(1000000)},
			{"correlation_groups", "memory of 100,000 groups", "MiB", atMost(64)},
		}},
		{"baseline", scanned, []declaration{
			{"baseline_scan_wall", "scan by CIS level 1, time", "s", atMost(2)},
			{"baseline_scan_cpu", "scan by CIS level 1, CPU time", "s", atMost(3)},
			{"baseline_added", "  its memory beside the program's", "MiB", atMost(60)},
			{"baseline_children", "  processes that it starts", "processes", atMost(10)},
			{"baseline_no_walk", "  without rules about files anywhere", "ms", atMost(200)},
			{"baseline_again", "scan again when nothing has changed", "ms", atMost(100)},
			{"baseline_told", "  when a sensor told of one file", "ms", goal{}},
		}},
		{"openscap", openSCAP, []declaration{
			{"scanner_oscap", "OpenSCAP by ours, time", "ratio", goal{}},
			{"scanner_oscap_cpu", "  CPU time", "ratio", goal{}},
		}},
		{"lynis", lynis, []declaration{
			{"scanner_lynis", "Lynis by ours, time", "ratio", goal{}},
			{"scanner_lynis_cpu", "  CPU time", "ratio", goal{}},
		}},
		{"elastic", elastic, []declaration{
			{"elastic_rate", "document rate, of that of a bare loop", "ratio", atLeast(0.8)},
		}},
		{"enforcement", enforcement, []declaration{
			{"enforce_exec", "policies: fork+exec, ten and none", "ratio", atMost(1.03)},
			{"enforce_open", "policies: open+close for reading, the same", "ratio", atMost(1.03)},
			{"enforce_open_write", "policies: open+close for writing, the same", "ratio", atMost(1.03)},
			{"enforce_open_floor", "a program for nothing: open, reading", "ratio", goal{}},
			{"enforce_open_write_floor", "  open+close for writing", "ratio", goal{}},
			{"enforce_exec_policies", "ten policies and an empty set: fork+exec", "ratio", atMost(1.03)},
			{"enforce_open_policies", "  open+close for reading", "ratio", atMost(1.03)},
			{"enforce_open_write_policies", "  open+close for writing", "ratio", atMost(1.03)},
			{"enforce_exec_many", "10,000 paths and ten: fork+exec", "ratio", atMost(1.1)},
			{"enforce_open_many", "  open+close for reading", "ratio", atMost(1.1)},
			{"enforce_open_write_many", "  open+close for writing", "ratio", atMost(1.1)},
			{"enforce_hook", "a security hook, median of all", "ns", goal{}},
			{"enforce_hook_open", "  opening a file", "ns", goal{}},
			{"enforce_hook_exec", "  running a program", "ns", goal{}},
			{"enforce_hook_rename", "  renaming", "ns", goal{}},
			{"enforce_maps", "memory for 1,000 protected files", "KiB", goal{}},
		}},
		{"resident", resident, []declaration{
			{"memory_idle", "resident memory after the start", "MiB", atMost(128)},
			{"memory_busy", "resident memory after 10,000 processes", "MiB", atMost(128)},
			{"idle_cpu", "share of one CPU when idle", "%", atMost(1)},
			{"alert_latency", "reverse shell to alert in the log", "ms", atMost(1000)},
		}},
	}
}
