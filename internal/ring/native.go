// SPDX-License-Identifier: Apache-2.0

package ring

import (
	"fmt"
	"os"
	"runtime"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/rlimit"
)

const btfPath = "/sys/kernel/btf/vmlinux"

// probeNative returns why the native ring cannot run here, or "".
func probeNative() string {
	if runtime.GOOS != "linux" {
		return "the operating system is " + runtime.GOOS + ", not Linux"
	}
	if os.Geteuid() != 0 {
		return fmt.Sprintf("not root (effective user id %d)", os.Geteuid())
	}
	if _, err := os.Stat(btfPath); err != nil {
		return "the kernel offers no BTF: " + err.Error()
	}
	if err := loadTrivial(); err != nil {
		return "the kernel refuses to load an eBPF program: " + err.Error()
	}
	return ""
}

// loadTrivial loads a tracepoint program that returns at once. Before Linux 5.11 programs count as locked memory of their user,
// and those of the test before may not be gone yet.
func loadTrivial() error {
	if err := rlimit.RemoveMemlock(); err != nil {
		return err
	}
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name:         "ring_probe",
		Type:         ebpf.TracePoint,
		License:      "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		return err
	}
	return prog.Close()
}
