// SPDX-License-Identifier: Apache-2.0

// Package tiny makes the cheapest program there is, for tests and benchmarks that start very many.
package tiny

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// Program is an executable for Linux on x86-64 of one page, which ends at once.
func Program() []byte {
	code := []byte{
		0x31, 0xff, // xor edi, edi
		0xb8, 60, 0, 0, 0, // mov eax, SYS_exit
		0x0f, 0x05, // syscall
	}
	const base = 0x400000
	head := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT),
		Ehsize: 64, Phoff: 64, Phentsize: 56, Phnum: 1, Entry: base + 64 + 56,
	}
	copy(head.Ident[:], elf.ELFMAG)
	head.Ident[elf.EI_CLASS], head.Ident[elf.EI_DATA], head.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	size := uint64(64 + 56 + len(code))
	segment := elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Vaddr: base, Paddr: base, Filesz: size, Memsz: size, Align: 4096}
	var out bytes.Buffer
	for _, part := range []any{head, segment, code} {
		_ = binary.Write(&out, binary.LittleEndian, part) // into memory, and of fixed size
	}
	return out.Bytes()
}
