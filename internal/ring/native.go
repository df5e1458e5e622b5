// SPDX-License-Identifier: Apache-2.0

package ring

import (
	"fmt"
	"os"
	"runtime"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
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

// loadTrivial loads a tracepoint program that returns at once.
func loadTrivial() error {
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
