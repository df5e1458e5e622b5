// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package sensor

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"

	"github.com/vedette-sec/vedette/bpf"
)

// Options say what to watch and how.
type Options struct {
	// Kinds are the event kinds to report.
	Kinds []Kind
	// Force names the tier of a kind instead of probing; a tier that does not work is then an error.
	Force map[Kind]Tier
	// ProcessRing and ActivityRing are the ring buffers' sizes in bytes, powers of two; 0 is the default.
	ProcessRing, ActivityRing uint32
	// ReportSelf makes the sensor report the file and network activity of its own process too.
	ReportSelf bool
}

// Rejection is a tier that was tried for a kind and why it does not serve.
type Rejection struct {
	Tier   Tier
	Reason string
}

// KindTier is the outcome of choosing a tier for a kind.
type KindTier struct {
	Kind Kind
	Tier Tier
	Err  error // no tier serves the kind
	// Absent says why nothing of the kind can ever happen on this kernel; then no tier is needed.
	Absent   string
	Rejected []Rejection
}

// Sensor is a set of attached programs and the ring buffers they write.
type Sensor struct {
	types   *btf.Cache // while it is opened
	maps    *ebpf.Collection
	loaded  []*ebpf.Collection
	links   []link.Link
	process *ringbuf.Reader
	other   *ringbuf.Reader
	tiers   []KindTier
	carried []Record
	watched map[FileID]bool
}

// Open loads and attaches the programs for opts.Kinds. A kind that no tier can serve is reported by
// Tiers and is no error, unless none can be served at all.
func Open(opts Options) (*Sensor, error) {
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, fmt.Errorf("raise the memory lock limit: %w", err)
	}
	spec, err := bpf.LoadSensor()
	if err != nil {
		return nil, fmt.Errorf("read the compiled programs: %w", err)
	}
	if err := configure(spec, opts); err != nil {
		return nil, err
	}
	s := &Sensor{types: btf.NewCache()}
	err = s.open(spec, opts)
	// Types are for loading only, and they are many.
	s.types = nil
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

func configure(spec *ebpf.CollectionSpec, opts Options) error {
	var wanted uint64
	for _, kind := range opts.Kinds {
		wanted |= 1 << kind
	}
	if err := spec.Variables["wanted_kinds"].Set(wanted); err != nil {
		return fmt.Errorf("set the wanted kinds: %w", err)
	}
	if !opts.ReportSelf {
		if err := spec.Variables["agent_tgid"].Set(uint32(os.Getpid())); err != nil {
			return fmt.Errorf("set the agent's process id: %w", err)
		}
	}
	if opts.ProcessRing != 0 {
		spec.Maps[bpf.SensorMapProcessRing].MaxEntries = opts.ProcessRing
	}
	if opts.ActivityRing != 0 {
		spec.Maps[bpf.SensorMapActivityRing].MaxEntries = opts.ActivityRing
	}
	return nil
}

func (s *Sensor) open(spec *ebpf.CollectionSpec, opts Options) error {
	if _, err := s.types.Kernel(); err != nil {
		return fmt.Errorf("read the kernel's type information: %w", err)
	}
	maps, err := ebpf.NewCollectionWithOptions(without(spec), s.collectionOptions(nil))
	if err != nil {
		return fmt.Errorf("create the sensor's maps: %w", explain(err))
	}
	s.maps = maps

	attached := 0
	for _, u := range units() {
		if !u.serves(opts.Kinds) {
			continue
		}
		result := s.attachUnit(spec, u, opts)
		if result.Err == nil {
			attached++
		}
		s.record(u, opts.Kinds, result)
	}
	if attached == 0 && len(opts.Kinds) > 0 {
		return fmt.Errorf("no event kind can be served: %w", s.tiers[0].Err)
	}
	for _, t := range s.tiers {
		if _, forced := opts.Force[t.Kind]; forced && t.Err != nil {
			return t.Err
		}
	}
	if s.process, err = ringbuf.NewReader(maps.Maps[bpf.SensorMapProcessRing]); err != nil {
		return fmt.Errorf("open the process ring buffer: %w", err)
	}
	if s.other, err = ringbuf.NewReader(maps.Maps[bpf.SensorMapActivityRing]); err != nil {
		return fmt.Errorf("open the activity ring buffer: %w", err)
	}
	return nil
}

// record notes the outcome for a unit's kinds. A kind that several units serve is as good as the
// worst of them.
func (s *Sensor) record(u unit, wanted []Kind, result KindTier) {
	judged := u.kinds
	if result.Err != nil {
		judged = slices.Concat(u.kinds, u.also) // a part of them is not seen
	}
	for _, kind := range judged {
		if !slices.Contains(wanted, kind) {
			continue
		}
		result.Kind = kind
		at := slices.IndexFunc(s.tiers, func(t KindTier) bool { return t.Kind == kind })
		switch {
		case at < 0:
			s.tiers = append(s.tiers, result)
		case result.Err != nil || result.Tier > s.tiers[at].Tier:
			s.tiers[at] = result
		}
	}
}

// without gives the specification with no programs: to copy all for every part of them is much work.
func without(spec *ebpf.CollectionSpec) *ebpf.CollectionSpec {
	return &ebpf.CollectionSpec{
		Maps: spec.Maps, Variables: spec.Variables, Types: spec.Types, ByteOrder: spec.ByteOrder,
		Programs: map[string]*ebpf.ProgramSpec{},
	}
}

// exists tells whether the kernel knows the type.
func (s *Sensor) exists(typeName string) bool {
	kernel, err := s.types.Kernel()
	if err == nil {
		_, err = kernel.AnyTypeByName(typeName)
	}
	return !errors.Is(err, btf.ErrNotFound)
}

func (s *Sensor) attachUnit(spec *ebpf.CollectionSpec, u unit, opts Options) KindTier {
	var result KindTier
	if u.about.typeName != "" && !s.exists(u.about.typeName) {
		result.Absent = u.about.missing
		return result
	}
	for tier := LSM; tier < tierCount; tier++ {
		if forced, ok := u.forced(opts.Force); ok && forced != tier {
			continue
		}
		programs := u.programs(tier)
		if len(programs) == 0 {
			continue
		}
		err := s.attach(spec, tier, programs)
		if err == nil {
			result.Tier = tier
			return result
		}
		result.Rejected = append(result.Rejected, Rejection{tier, explain(err).Error()})
	}
	reasons := make([]string, len(result.Rejected))
	for i, r := range result.Rejected {
		reasons[i] = r.Tier.String() + ": " + r.Reason
	}
	if len(reasons) == 0 {
		reasons = []string{"the tier asked for does not serve this kind"}
	}
	result.Err = fmt.Errorf("%s events: %s", u.name, strings.Join(reasons, "; "))
	return result
}

// collectionOptions share what is costly to make anew for every unit: the kernel's type information
// and, once they exist, the maps.
func (s *Sensor) collectionOptions(maps map[string]*ebpf.Map) ebpf.CollectionOptions {
	return ebpf.CollectionOptions{MapReplacements: maps, Cache: s.types}
}

// attach loads and attaches the programs, all of them or none.
func (s *Sensor) attach(spec *ebpf.CollectionSpec, tier Tier, programs []program) (err error) {
	if err := available(tier); err != nil {
		return err
	}
	part := without(spec)
	if tier == Fentry {
		programs = slices.DeleteFunc(programs, func(p program) bool { return p.optional && !s.exists(p.target) })
	}
	for _, p := range programs {
		part.Programs[p.name] = spec.Programs[p.name]
	}
	shared := map[string]*ebpf.Map{}
	for name, m := range s.maps.Maps {
		if !strings.HasPrefix(name, ".") {
			shared[name] = m
		}
	}
	loaded, err := ebpf.NewCollectionWithOptions(part, s.collectionOptions(shared))
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	var links []link.Link
	defer func() {
		if err != nil {
			for _, l := range links {
				_ = l.Close()
			}
			loaded.Close()
		}
	}()
	for _, p := range programs {
		l, err := attachProgram(p, loaded.Programs[p.name])
		if p.optional && errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("attach %s: %w", p.name, err)
		}
		links = append(links, l)
	}
	if len(links) == 0 {
		return fmt.Errorf("none of what it hooks exists: %w", os.ErrNotExist)
	}
	s.links = append(s.links, links...)
	s.loaded = append(s.loaded, loaded)
	return nil
}

func attachProgram(p program, prog *ebpf.Program) (link.Link, error) {
	switch prog.Type() {
	case ebpf.LSM:
		return link.AttachLSM(link.LSMOptions{Program: prog})
	case ebpf.Kprobe:
		if p.returns {
			return link.Kretprobe(p.target, prog, nil)
		}
		return link.Kprobe(p.target, prog, nil)
	case ebpf.CGroupSKB:
		return attachCgroup(prog)
	case ebpf.TracePoint:
		return link.Tracepoint("syscalls", p.target, prog, nil)
	default:
		return link.AttachTracing(link.TracingOptions{Program: prog})
	}
}

// Tiers tells for each kind asked for which tier serves it.
func (s *Sensor) Tiers() []KindTier { return slices.Clone(s.tiers) }

// Close detaches everything. Nothing of the sensor stays in the kernel.
func (s *Sensor) Close() error {
	errs := closeAll(s.links)
	for _, c := range s.loaded {
		c.Close()
	}
	if s.process != nil {
		errs = append(errs, s.process.Close())
	}
	if s.other != nil {
		errs = append(errs, s.other.Close())
	}
	if s.maps != nil {
		s.maps.Close()
	}
	return errors.Join(errs...)
}

// atOnce bounds how many programs are detached at the same time.
const atOnce = 16

// closeAll detaches programs. The kernel waits for each until no processor runs it, so one after the
// other would take seconds.
func closeAll(links []link.Link) []error {
	errs := make([]error, len(links))
	slots := make(chan struct{}, atOnce)
	var done sync.WaitGroup
	for i, l := range links {
		slots <- struct{}{}
		done.Go(func() {
			errs[i] = l.Close()
			<-slots
		})
	}
	done.Wait()
	return errs
}

// Loss is a number of events lost in the kernel, by kind and cause.
type Loss struct {
	Kind  Kind
	Cause string
	Count uint64
}

var causeNames = [bpf.SensorLossCauseLOSS_CAUSES]string{"ring_full", "scratch", "pending_full", "unreadable"}

// Losses reads the kernel's loss counters; those that are zero are left out.
func (s *Sensor) Losses() ([]Loss, error) {
	var counters bpf.SensorLossCounters
	if err := s.maps.Maps[bpf.SensorMapLosses].Lookup(uint32(0), &counters); err != nil {
		return nil, fmt.Errorf("read the loss counters: %w", err)
	}
	var out []Loss
	for slot, n := range counters.Lost {
		if n > 0 {
			out = append(out, Loss{Kind(slot / len(causeNames)), causeNames[slot%len(causeNames)], n})
		}
	}
	return out, nil
}
