// SPDX-License-Identifier: Apache-2.0

// Package fallback keeps policies in force on kernels without BPF LSM, as far as that goes.
//
// Addresses are refused by cgroup hooks. Opening and running files is refused by fanotify, which asks this process before it
// happens. Whoever acts on a protected process or on the kernel is killed when the call begins, which may be too late. Other
// changes of files are reported when they are done. Nothing is pinned: without the agent nothing is in force.
package fallback
