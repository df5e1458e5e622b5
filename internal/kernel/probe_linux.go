// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"
)

// The steps of a probe, as Probe.Step names them.
const (
	stepCreate = "create"
	stepLoad   = "load"
	stepAttach = "attach"
	stepRun    = "run"
)

// hookFunction is the kernel function the function hooks are tried at. Every open calls it, so
// that the probe can make it run.
const hookFunction = "security_file_open"

// stepError tells at which step a probe failed.
type stepError struct {
	step string
	err  error
}

func (e *stepError) Error() string { return e.step + ": " + e.err.Error() }
func (e *stepError) Unwrap() error { return e.err }

func failed(step string, err error) error { return &stepError{step, err} }

// Probes tries every ability: it loads a program that counts its calls, attaches it, causes one
// call and looks at the count. Loading alone proves little: a kernel may load a program and then
// refuse to attach it, or attach an LSM program and never call it. Everything is detached again.
func Probes() []Probe {
	tries := map[Ability]func() error{
		RingBuffer:        tryRingBuffer,
		BTFTracepoint:     tryBTFTracepoint,
		SyscallTracepoint: trySyscallTracepoint,
		Kprobe:            tryKprobe,
		Fentry:            tryFentry,
		LSM:               tryLSM,
		TaskStorage:       tryTaskStorage,
	}
	// Kernels before 5.11 charge maps to this limit. Where raising it is not permitted the
	// probes themselves tell.
	_ = rlimit.RemoveMemlock()
	probes := make([]Probe, 0, len(Abilities))
	for _, ability := range Abilities {
		probes = append(probes, outcome(ability, tries[ability]()))
	}
	return probes
}

func outcome(ability Ability, err error) Probe {
	if err == nil {
		return Probe{Ability: ability, OK: true}
	}
	probe := Probe{Ability: ability, Reason: err.Error()}
	var at *stepError
	if errors.As(err, &at) {
		probe.Step, probe.Reason = at.step, at.err.Error()
	}
	if errors.Is(err, unix.EPERM) { // What the loader adds to this one misleads.
		probe.Reason = unix.EPERM.Error()
	}
	probe.Reason, _, _ = strings.Cut(probe.Reason, "\n")
	return probe
}

func tryBTFTracepoint() error {
	spec := &ebpf.ProgramSpec{Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: "sys_enter"}
	return tryHook(spec, countCalls, attachTracing)
}

func trySyscallTracepoint() error {
	return tryHook(&ebpf.ProgramSpec{Type: ebpf.TracePoint}, countCalls, func(p *ebpf.Program) (link.Link, error) {
		return link.Tracepoint("syscalls", "sys_enter_openat", p, nil)
	})
}

func tryKprobe() error {
	return tryHook(&ebpf.ProgramSpec{Type: ebpf.Kprobe}, countCalls, func(p *ebpf.Program) (link.Link, error) {
		return link.Kprobe(hookFunction, p, nil)
	})
}

func tryFentry() error {
	spec := &ebpf.ProgramSpec{Type: ebpf.Tracing, AttachType: ebpf.AttachTraceFEntry, AttachTo: hookFunction}
	return tryHook(spec, countCalls, attachTracing)
}

func tryLSM() error {
	spec := &ebpf.ProgramSpec{Type: ebpf.LSM, AttachType: ebpf.AttachLSMMac, AttachTo: "file_open"}
	return tryHook(spec, countCalls, func(p *ebpf.Program) (link.Link, error) {
		return link.AttachLSM(link.LSMOptions{Program: p})
	})
}

func tryTaskStorage() error {
	storage, err := ebpf.NewMap(&ebpf.MapSpec{
		Type: ebpf.TaskStorage, KeySize: 4, ValueSize: 8, Flags: noPrealloc,
		Key:   &btf.Int{Size: 4, Encoding: btf.Signed},
		Value: &btf.Int{Size: 8},
	})
	if err != nil {
		return failed(stepCreate, err)
	}
	defer storage.Close()
	spec := &ebpf.ProgramSpec{Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: "sys_enter"}
	count := func(counter *ebpf.Map) asm.Instructions { return countStored(storage, counter) }
	return tryHook(spec, count, attachTracing)
}

// noPrealloc is BPF_F_NO_PREALLOC, which local storage requires.
const noPrealloc = 1

func attachTracing(p *ebpf.Program) (link.Link, error) {
	return link.AttachTracing(link.TracingOptions{Program: p})
}

// tryHook loads the program with the instructions count makes, attaches it, opens a file, which
// every hook tried here sees, and looks whether it ran.
func tryHook(spec *ebpf.ProgramSpec, count func(*ebpf.Map) asm.Instructions, attach func(*ebpf.Program) (link.Link, error)) error {
	counter, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		return failed(stepCreate, err)
	}
	defer counter.Close()

	spec.License, spec.Instructions = "GPL", count(counter)
	program, err := ebpf.NewProgramWithOptions(spec, ebpf.ProgramOptions{LogDisabled: true})
	if err != nil {
		return failed(stepLoad, err)
	}
	defer program.Close()

	attached, err := attach(program)
	if err != nil {
		return failed(stepAttach, err)
	}
	defer attached.Close()

	file, err := os.Open(os.DevNull)
	if err != nil {
		return fmt.Errorf("open a file to make the program run: %w", err)
	}
	file.Close()

	var calls uint64
	if err := counter.Lookup(uint32(0), &calls); err != nil {
		return failed(stepRun, err)
	}
	if calls == 0 {
		return failed(stepRun, errors.New("the kernel attached the program and did not call it"))
	}
	return nil
}

// countCalls adds one to the counter at every call.
func countCalls(counter *ebpf.Map) asm.Instructions {
	return asm.Instructions{
		asm.StoreImm(asm.RFP, -4, 0, asm.Word),
		asm.LoadMapPtr(asm.R1, counter.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, -4),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "exit"),
		asm.Mov.Imm(asm.R1, 1),
		asm.StoreXAdd(asm.R0, asm.R1, asm.DWord),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("exit"),
		asm.Return(),
	}
}

// countStored makes the current task's storage and, where that works, adds one to the counter.
func countStored(storage, counter *ebpf.Map) asm.Instructions {
	const create = 1 // BPF_LOCAL_STORAGE_GET_F_CREATE
	store := asm.Instructions{
		asm.FnGetCurrentTaskBtf.Call(),
		asm.LoadMapPtr(asm.R1, storage.FD()),
		asm.Mov.Reg(asm.R2, asm.R0),
		asm.Mov.Imm(asm.R3, 0),
		asm.Mov.Imm(asm.R4, create),
		asm.FnTaskStorageGet.Call(),
		asm.JEq.Imm(asm.R0, 0, "exit"),
	}
	return append(store, countCalls(counter)...)
}

// tryRingBuffer sends one record through a ring buffer by a test run of a program, which needs
// no attachment.
func tryRingBuffer() error {
	buffer, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.RingBuf, MaxEntries: uint32(os.Getpagesize())})
	if err != nil {
		return failed(stepCreate, err)
	}
	defer buffer.Close()
	program, err := ebpf.NewProgramWithOptions(&ebpf.ProgramSpec{
		Type: ebpf.SocketFilter, License: "GPL", Instructions: sendRecord(buffer),
	}, ebpf.ProgramOptions{LogDisabled: true})
	if err != nil {
		return failed(stepLoad, err)
	}
	defer program.Close()
	if err := sendAndReceive(program, buffer); err != nil {
		return failed(stepRun, err)
	}
	return nil
}

func sendRecord(buffer *ebpf.Map) asm.Instructions {
	return asm.Instructions{
		asm.StoreImm(asm.RFP, -8, recordValue, asm.Word),
		asm.StoreImm(asm.RFP, -4, 0, asm.Word),
		asm.LoadMapPtr(asm.R1, buffer.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, -8),
		asm.Mov.Imm(asm.R3, 8),
		asm.Mov.Imm(asm.R4, 0),
		asm.FnRingbufOutput.Call(),
		asm.Mov.Imm(asm.R0, 0),
		asm.Return(),
	}
}

// recordValue is what the ring buffer's probe sends.
const recordValue = 42

func sendAndReceive(program *ebpf.Program, buffer *ebpf.Map) error {
	reader, err := ringbuf.NewReader(buffer)
	if err != nil {
		return err
	}
	defer reader.Close()
	const ethernetHeader = 14 // The least input a test run takes.
	if _, err := program.Run(&ebpf.RunOptions{Data: make([]byte, ethernetHeader)}); err != nil {
		return err
	}
	// The record is there when the run returns: a deadline in the past reads without waiting.
	reader.SetDeadline(time.Unix(1, 0))
	record, err := reader.Read()
	if err != nil {
		return fmt.Errorf("read the record sent: %w", err)
	}
	if len(record.RawSample) != 8 || record.RawSample[0] != recordValue {
		return fmt.Errorf("received % x, expected %d in 8 bytes", record.RawSample, recordValue)
	}
	return nil
}
