// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/process"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// ErrNotEnabled is the error where the kernel was not told to ask BPF programs in its security hooks.
var ErrNotEnabled = errors.New("the kernel does not call BPF programs in its security hooks; add bpf to lsm= on its command line")

// Options say how policies are kept in force.
type Options struct {
	Host policy.Host // whose files policies name; the zero value is this host

	// Pins is a directory in a BPF file system where what is in force is kept beyond the end of the agent: until another one has
	// loaded its policies, or for as long as a policy says. Empty: nothing is kept.
	Pins string

	// Started says how this agent was started. Where what an earlier one left is locked, only one that was started in the same way
	// takes it over.
	Started string
}

// Enforcer keeps policies in force by BPF LSM.
type Enforcer struct {
	options  Options
	maps     map[string]*ebpf.Map
	links    map[string]link.Link // by the programs' names
	active   []byte               // the map of that name, in memory
	handover []byte               // the same
	reader   *ringbuf.Reader
	missing  []string // what is not as it should be, a sentence each
	lacking  []guard  // for which the kernel has no hook
	numbers  *numbers
	since    time.Time // files that were changed before are taken as they are
	boot     time.Time

	claimed *os.File // the directory of pins, which is this enforcer's alone
	pins    string   // its own directory in that
	alone   bool     // what other agents left is taken down
	lock    string   // the SHA-256 of a token without which nobody else takes it down; "" for none
	beats   sync.WaitGroup
	ended   chan struct{}

	mu     sync.Mutex // of loading
	told   int        // programs that the kernel knows who descends from
	looked *uint64    // how many unknown processes the kernel had counted when none was left; nil before
	closed atomic.Bool
	now    atomic.Pointer[loaded]
	before atomic.Pointer[loaded] // the set before, whose last verdicts may not have been read
	counts map[ruleName]counts    // of sets that are no more
	missed uint64                 // verdicts that an earlier agent lost
	former *former                // an agent of another version; nil when this one's policies are in force

	follower *follower
	wanted   *policy.Set // what this agent was told to load last
	stale    error       // why the set could not be loaded again after something was mounted

	telling    sync.Mutex // of what is known of verdicts that were not told
	untellable uint64     // verdicts of sets that are no more

	reading sync.Mutex
	record  ringbuf.Record
	untold  []enforce.Verdict // of the last record
}

var _ enforce.Enforcer = (*Enforcer)(nil)

// Open loads and attaches the programs. Nothing is refused before Load.
func Open(options Options) (*Enforcer, error) {
	if err := enabled(); err != nil {
		return nil, err
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, fmt.Errorf("raise the memory lock limit: %w", err)
	}
	e := &Enforcer{
		options: options, maps: map[string]*ebpf.Map{}, links: map[string]link.Link{}, counts: map[ruleName]counts{},
		numbers: &numbers{bits: map[program]int{}}, ended: make(chan struct{}),
	}
	if err := e.open(); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// enabled tells whether the kernel calls the programs that it lets be attached.
func enabled() error {
	list, err := os.ReadFile("/sys/kernel/security/lsm")
	if errors.Is(err, fs.ErrNotExist) {
		return nil // securityfs is not mounted: loading tells
	}
	if err != nil {
		return fmt.Errorf("read which security modules are enabled: %w", err)
	}
	if !slices.Contains(strings.Split(strings.TrimSpace(string(list)), ","), "bpf") {
		return ErrNotEnabled
	}
	return nil
}

func (e *Enforcer) open() error {
	if err := e.claim(); err != nil {
		return err
	}
	spec, err := bpf.LoadEnforce()
	if err != nil {
		return fmt.Errorf("read the compiled programs: %w", err)
	}
	left, err := e.takeOver(spec)
	if err != nil {
		return err
	}
	if left == nil {
		if err := e.attachAnew(spec); err != nil {
			return err
		}
	}
	if err := e.start(); err != nil {
		return err
	}
	if left != nil {
		if err := e.goOn(left); err != nil {
			return err
		}
	}
	e.beat()
	e.beats.Go(e.keepBeating)
	if left == nil {
		e.pin()
	}
	if e.follower, err = newFollower(); err != nil {
		return err
	}
	e.beats.Go(e.follow)
	return nil
}

// attachAnew loads programs and maps of this enforcer's own, and attaches them.
func (e *Enforcer) attachAnew(spec *ebpf.CollectionSpec) error {
	if err := e.setKey(spec); err != nil {
		return err
	}
	types := btf.NewCache()
	kernel, err := types.Kernel()
	if err != nil {
		return fmt.Errorf("read the kernel's type information: %w", err)
	}
	there, lacking, err := present(kernel)
	if err != nil {
		return err
	}
	e.lacking = lacking
	keep := slices.Clone(followers)
	for _, g := range there {
		keep = append(keep, g.program)
	}
	for name := range spec.Programs {
		if !slices.Contains(keep, name) {
			delete(spec.Programs, name)
		}
	}
	loaded, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Cache: types})
	if err != nil {
		return fmt.Errorf("load the programs that enforce: %w", err)
	}
	defer loaded.Close()
	for name := range loaded.Maps {
		e.maps[name] = loaded.DetachMap(name)
	}
	return e.attach(loaded.Programs, there)
}

func (e *Enforcer) setKey(spec *ebpf.CollectionSpec) error {
	var secret [16]byte
	rand.Read(secret[:]) // never fails
	e.numbers.key = [2]uint64{binary.LittleEndian.Uint64(secret[:8]), binary.LittleEndian.Uint64(secret[8:])}
	if err := spec.Variables["hash_key"].Set(e.numbers.key); err != nil {
		return fmt.Errorf("set the key of names: %w", err)
	}
	return nil
}

// attach keeps the links, which keep the programs.
func (e *Enforcer) attach(programs map[string]*ebpf.Program, there []guard) error {
	for _, name := range followers {
		l, err := link.AttachTracing(link.TracingOptions{Program: programs[name]})
		if err != nil {
			return fmt.Errorf("attach %s: %w", name, err)
		}
		e.links[name] = l
	}
	for _, g := range there {
		l, err := link.AttachLSM(link.LSMOptions{Program: programs[g.program]})
		if err != nil {
			return fmt.Errorf("attach to the hook %s: %w", g.hook, err)
		}
		e.links[g.program] = l
	}
	return nil
}

func (e *Enforcer) start() (err error) {
	size := os.Getpagesize()
	e.active, err = unix.Mmap(e.maps[bpf.EnforceMapActive].FD(), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map what is in force into memory: %w", err)
	}
	left := e.maps[bpf.EnforceMapHandover]
	e.handover, err = unix.Mmap(left.FD(), 0, int(left.ValueSize()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map what the next agent is to know into memory: %w", err)
	}
	own, err := process.ProcFS{Root: "/proc"}.ReadStat(uint32(os.Getpid()))
	if err != nil {
		return fmt.Errorf("read when the agent started: %w", err)
	}
	e.setActive(activeAgent, uint64(os.Getpid()))
	e.setActive(activeAgentTicks, own.Key.Start)
	if e.reader, err = ringbuf.NewReader(e.maps[bpf.EnforceMapVerdicts]); err != nil {
		return fmt.Errorf("open the ring buffer of verdicts: %w", err)
	}
	var now, boot unix.Timespec
	// The time that file systems stamp changes with advances by the tick: what is changed in this one counts as changed after.
	if err := errors.Join(unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &now), unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot)); err != nil {
		return fmt.Errorf("read the clocks: %w", err)
	}
	e.boot = time.Unix(now.Unix()).Add(-time.Duration(boot.Nano()))
	if e.since.IsZero() {
		e.since = time.Unix(now.Unix())
	}
	return nil
}

// Places of the values of the map active.
const (
	activeGeneration = 0
	activeAuditOnly  = 8
	activeHeartbeat  = 16
	activeNext       = 24
	activeAgent      = 32
	activeAgentTicks = 40
	activeUnknown    = 48
)

// setActive changes a value at once: the map's own update may be seen half done.
func (e *Enforcer) setActive(at int, value uint64) {
	atomic.StoreUint64((*uint64)(unsafe.Pointer(&e.active[at])), value)
}

// AuditOnly makes every rule only report.
func (e *Enforcer) AuditOnly(on bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed.Load() {
		return enforce.ErrClosed
	}
	value := uint64(0)
	if on {
		value = 1
	}
	e.setActive(activeAuditOnly, value)
	return nil
}

// Close lets go of everything; what is pinned stays in force.
func (e *Enforcer) Close() error {
	if e.closed.Swap(true) {
		return nil
	}
	errs := []error{e.endLoops()}
	e.mu.Lock()
	defer e.mu.Unlock()
	errs = append(errs, closeAll(e.links)...)
	if e.reader != nil {
		errs = append(errs, e.reader.Close())
	}
	if e.active != nil {
		errs = append(errs, unix.Munmap(e.active))
	}
	if e.handover != nil {
		errs = append(errs, unix.Munmap(e.handover))
	}
	for _, m := range e.maps {
		errs = append(errs, m.Close())
	}
	if e.former != nil {
		errs = append(errs, e.former.close())
	}
	if e.claimed != nil {
		errs = append(errs, e.claimed.Close())
	}
	return errors.Join(errs...)
}

// endLoops returns when nothing goes on by itself any more.
func (e *Enforcer) endLoops() (err error) {
	close(e.ended)
	if e.follower != nil {
		err = e.follower.end()
	}
	e.beats.Wait()
	if e.follower != nil {
		err = errors.Join(err, e.follower.close())
	}
	return err
}

// Release takes everything down, of earlier agents too, and closes. The kernel detaches a moment later.
func (e *Enforcer) Release() error {
	return errors.Join(e.Close(), takeDown(e.options.Pins, func(string) error { return nil }))
}

// atOnce bounds how many programs are detached at the same time: the kernel waits for each until no processor runs it.
const atOnce = 16

func closeAll(links map[string]link.Link) []error {
	errs := make(chan error, len(links))
	slots := make(chan struct{}, atOnce)
	for _, l := range links {
		slots <- struct{}{}
		go func() {
			err := l.Close()
			<-slots
			errs <- err
		}()
	}
	var all []error
	for range links {
		all = append(all, <-errs)
	}
	return all
}
