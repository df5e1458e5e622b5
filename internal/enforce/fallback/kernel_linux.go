// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package fallback

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/cgroup"
	"github.com/vedette-sec/vedette/internal/response/firewall"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// part are programs that are of use only together, and the operations that are not judged without them.
type part struct {
	operations policy.Operation
	programs   []string
}

// base follows processes and cgroups: nothing can be judged without it.
var base = part{programs: []string{
	bpf.FallbackProgTaskForked, bpf.FallbackProgTaskRan, bpf.FallbackProgTaskEnded, bpf.FallbackProgCgroupMade,
	bpf.FallbackProgScriptExitExecve, bpf.FallbackProgScriptExitExecveat,
}}

// parts are attached where a rule needs them: the tracepoint of a system call makes all calls slower.
var parts = []part{
	{policy.Connect, []string{bpf.FallbackProgJudgeConnect4, bpf.FallbackProgJudgeSendmsg4}},
	{policy.Connect, []string{bpf.FallbackProgJudgeConnect6, bpf.FallbackProgJudgeSendmsg6}},
	{policy.Bind, []string{bpf.FallbackProgJudgeBind4}},
	{policy.Bind, []string{bpf.FallbackProgJudgeBind6}},
	{policy.Accept, []string{bpf.FallbackProgNameSocket, bpf.FallbackProgSocketListens, bpf.FallbackProgJudgeIngress}},
	{policy.Signal, []string{bpf.FallbackProgSignalSent}},
	{policy.Ptrace | policy.KernelPtrace, []string{bpf.FallbackProgActPtrace, bpf.FallbackProgActPidfdGetfd}},
	{policy.Memory | policy.KernelPtrace, []string{bpf.FallbackProgActProcessVmReadv, bpf.FallbackProgActProcessVmWritev}},
	{policy.Priority, []string{bpf.FallbackProgActSetpriority, bpf.FallbackProgActIoprioSet, bpf.FallbackProgActPrlimit64,
		bpf.FallbackProgActSchedSetscheduler, bpf.FallbackProgActSchedSetparam, bpf.FallbackProgActSchedSetattr, bpf.FallbackProgActSchedSetaffinity}},
	{policy.Modules, []string{bpf.FallbackProgActInitModule, bpf.FallbackProgActFinitModule, bpf.FallbackProgActDeleteModule}},
	{policy.BPF, []string{bpf.FallbackProgActBpf}},
	{policy.Kexec, []string{bpf.FallbackProgActKexecLoad, bpf.FallbackProgActKexecFileLoad}},
	{policy.KernelMount, []string{bpf.FallbackProgActMount, bpf.FallbackProgActUmount, bpf.FallbackProgActMoveMount, bpf.FallbackProgActPivotRoot}},
	{policy.Time, []string{bpf.FallbackProgActSettimeofday, bpf.FallbackProgActClockSettime}},
}

// kernelSide are the programs and maps in the kernel.
type kernelSide struct {
	spec       *ebpf.CollectionSpec
	maps       *ebpf.Collection
	reader     *ringbuf.Reader
	cgroupRoot string   // of version 2
	private    *os.File // of a mount of the agent's own, where the host has none
	links      []link.Link
	attached   map[int]error // by place in parts; nil where it is attached
	backfilled int           // programs of the registry that processes were looked at for
	unknown    int           // sockets that listen of which it cannot be told whose they are
	found      bool          // sockets that listened before were looked for
}

// openKernel loads and attaches what follows processes.
func openKernel() (*kernelSide, error) {
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, fmt.Errorf("raise the memory lock limit: %w", err)
	}
	spec, err := bpf.LoadFallback()
	if err != nil {
		return nil, fmt.Errorf("read the compiled programs: %w", err)
	}
	if err := spec.Variables["agent_tgid"].Set(uint32(os.Getpid())); err != nil {
		return nil, fmt.Errorf("set the agent's process id: %w", err)
	}
	k := &kernelSide{spec: spec, attached: map[int]error{}}
	err = k.findRoot()
	if err == nil {
		err = k.open()
	}
	if err != nil {
		return nil, errors.Join(err, k.close())
	}
	return k, nil
}

// findRoot finds the tree of cgroups.
func (k *kernelSide) findRoot() error {
	root, err := firewall.RootCgroup()
	if err == nil {
		k.cgroupRoot = root
		return nil
	}
	if k.private, err = cgroup.Private(); err != nil {
		return err
	}
	k.cgroupRoot = fmt.Sprintf("/proc/self/fd/%d/", k.private.Fd())
	return nil
}

func (k *kernelSide) open() error {
	maps, err := ebpf.NewCollection(&ebpf.CollectionSpec{
		Maps: k.spec.Maps, Variables: k.spec.Variables, Types: k.spec.Types, ByteOrder: k.spec.ByteOrder,
		Programs: map[string]*ebpf.ProgramSpec{},
	})
	if err != nil {
		return fmt.Errorf("create the maps: %w", err)
	}
	k.maps = maps
	if k.reader, err = ringbuf.NewReader(maps.Maps[bpf.FallbackMapVerdicts]); err != nil {
		return fmt.Errorf("open the ring buffer: %w", err)
	}
	return k.attach(base)
}

// need attaches the parts that the operations need, and gives what could not be judged for which reason.
func (k *kernelSide) need(operations policy.Operation) {
	for i, p := range parts {
		if p.operations&operations == 0 {
			continue
		}
		if err, tried := k.attached[i]; !tried || err != nil {
			k.attached[i] = k.attach(p)
		}
	}
}

// failure tells why operations are not judged; nil where they are.
func (k *kernelSide) failure(operations policy.Operation) error {
	for i, p := range parts {
		if p.operations&operations != 0 && k.attached[i] != nil {
			return k.attached[i]
		}
	}
	return nil
}

func (k *kernelSide) attach(p part) error {
	spec := &ebpf.CollectionSpec{Maps: k.spec.Maps, Types: k.spec.Types, ByteOrder: k.spec.ByteOrder, Programs: map[string]*ebpf.ProgramSpec{}}
	for _, name := range p.programs {
		spec.Programs[name] = k.spec.Programs[name].Copy()
	}
	loaded, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: k.maps.Maps})
	if err != nil {
		return fmt.Errorf("load %v: %w", p.programs, err)
	}
	defer loaded.Close()
	var links []link.Link
	for _, name := range p.programs {
		attached, err := k.attachProgram(spec.Programs[name], loaded.Programs[name])
		if err != nil {
			return errors.Join(fmt.Errorf("attach %s: %w", name, err), closeLinks(links))
		}
		links = append(links, attached)
	}
	k.links = append(k.links, links...)
	return nil
}

func (k *kernelSide) attachProgram(spec *ebpf.ProgramSpec, program *ebpf.Program) (link.Link, error) {
	switch spec.Type {
	case ebpf.Tracing:
		return link.AttachTracing(link.TracingOptions{Program: program})
	case ebpf.TracePoint:
		const group = "syscalls"
		return link.Tracepoint(group, spec.SectionName[len("tracepoint/"+group+"/"):], program, nil)
	}
	return link.AttachCgroup(link.CgroupOptions{Path: k.cgroupRoot, Attach: spec.AttachType, Program: program})
}

func closeLinks(links []link.Link) error {
	var errs []error
	for _, l := range links {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// replace puts tables in force, in one step.
func (k *kernelSide) replace(t *bpf.FallbackTables) error {
	inner, err := ebpf.NewMap(k.spec.Maps[bpf.FallbackMapInForce].InnerMap)
	if err != nil {
		return fmt.Errorf("make room for the policies: %w", err)
	}
	defer inner.Close()
	if err := inner.Put(uint32(0), t); err != nil {
		return fmt.Errorf("write the policies: %w", err)
	}
	if err := k.maps.Maps[bpf.FallbackMapInForce].Put(uint32(0), inner); err != nil {
		return fmt.Errorf("put the policies in force: %w", err)
	}
	return nil
}

func (k *kernelSide) losses() (bpf.FallbackLosses, error) {
	var l bpf.FallbackLosses
	err := k.maps.Maps[bpf.FallbackMapLost].Lookup(uint32(0), &l)
	return l, err
}

func (k *kernelSide) auditOnly(on bool) error {
	value := uint64(0)
	if on {
		value = 1
	}
	return k.maps.Maps[bpf.FallbackMapAuditOnly].Put(uint32(0), value)
}

func (k *kernelSide) close() error {
	errs := []error{closeLinks(k.links)}
	if k.reader != nil {
		errs = append(errs, k.reader.Close())
	}
	if k.maps != nil {
		k.maps.Close()
	}
	if k.private != nil {
		errs = append(errs, k.private.Close())
	}
	return errors.Join(errs...)
}
