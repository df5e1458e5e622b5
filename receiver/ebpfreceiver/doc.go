// SPDX-License-Identifier: Apache-2.0

// Package ebpfreceiver emits what happens in the kernel (processes, files, network) as OTel logs.
package ebpfreceiver
