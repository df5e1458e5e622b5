// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// handover is what an agent leaves to the next one beside what the kernel has, and without which nobody could tell what its bits
// mean. It is written before anything that it is about.
type handover struct {
	Build    string          `json:"build"`  // of the programs: only an agent with the same takes them over
	Layout   int             `json:"layout"` // of what is known of processes: one with the same goes on with that
	Key      [2]uint64       `json:"key"`    // of the hashes of names
	Since    time.Time       `json:"since"`
	Programs []handedProgram `json:"programs"` // by their bits in lineages
	Told     int             `json:"told"`     // of these the kernel knows who descends from them
	Missing  []string        `json:"missing"`
	Lacking  []string        `json:"lacking"` // hooks of the kernel
	Sets     []handedSet     `json:"sets"`
	Lock     string          `json:"lock,omitempty"` // the SHA-256 of a token
	Started  string          `json:"started,omitempty"`
}

// ErrLocked is the error where only the agent that is locked, or who knows the token, may take down or change what is in force.
var ErrLocked = errors.New("what is in force is locked")

// Lock keeps all agents that were not started as this one, and whoever does not know the token with this SHA-256, from taking what
// is in force down, or over.
func (e *Enforcer) Lock(sha256 string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed.Load() {
		return enforce.ErrClosed
	}
	e.lock = sha256
	return e.leave(e.before.Load(), e.now.Load())
}

// yieldsTo tells whether an agent that was started in this way, or somebody with this token, may take it down or over.
func (h *handover) yieldsTo(started, token string) error {
	sum := sha256.Sum256([]byte(token))
	if h.Lock == "" || h.Lock == hex.EncodeToString(sum[:]) || started != "" && h.Started == started {
		return nil
	}
	return fmt.Errorf("%w; expected an agent that is started as the one before, or the token: vedette policy release --token-file", ErrLocked)
}

type handedProgram struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256,omitempty"`
}

// handedSet is a set of policies that is, or is about to be, in force.
type handedSet struct {
	Generation uint64       `json:"generation"`
	Rules      []handedRule `json:"rules"`
}

type handedRule struct {
	Policy      string           `json:"policy"`
	Rule        string           `json:"rule"`
	Bit         int              `json:"bit"`
	Mode        policy.Mode      `json:"mode"`
	OnAgentLoss policy.AgentLoss `json:"on_agent_loss"`
	LossAfter   time.Duration    `json:"loss_after"`
}

// leave writes what the next agent is to know, about these sets.
func (e *Enforcer) leave(sets ...*loaded) error {
	if e.pins == "" {
		return nil
	}
	h := handover{
		Build: bpf.EnforceBuild(), Layout: lineageLayout, Key: e.numbers.key, Since: e.since, Told: e.told, Missing: e.missing,
		Programs: make([]handedProgram, len(e.numbers.bits)), Lock: e.lock, Started: e.options.Started,
	}
	for _, g := range e.lacking {
		h.Lacking = append(h.Lacking, g.hook)
	}
	for p, bit := range e.numbers.bits {
		h.Programs[bit] = handedProgram{p.path, p.sha256}
	}
	for _, l := range sets {
		if l != nil {
			h.Sets = append(h.Sets, l.handed())
		}
	}
	return h.write(e.handover)
}

func (c *loaded) handed() handedSet {
	set := handedSet{Generation: c.generation}
	for _, r := range c.rules {
		set.Rules = append(set.Rules, handedRule{r.policy.Name, r.Name, r.bit, r.policy.ModeOf(r.Rule), r.policy.OnAgentLoss, r.policy.LossAfter})
	}
	return set
}

// loaded is the set as far as verdicts and the status are about it.
func (s handedSet) loaded(m mounts) *loaded {
	l := &loaded{compiled: &compiled{mounts: m}, generation: s.Generation, set: &policy.Set{}}
	for _, r := range s.Rules {
		p := &policy.Policy{Name: r.Policy, OnAgentLoss: r.OnAgentLoss, LossAfter: r.LossAfter}
		l.rules = append(l.rules, placed{Rule: &policy.Rule{Name: r.Rule, Mode: r.Mode}, policy: p, bit: r.Bit})
	}
	return l
}

// A handover is a length and, behind it, room for two texts, of which one counts. The length's highest bit says that it is the second.
const (
	lengthBytes = 4
	secondText  = 1 << 31
)

// write changes the map's own memory: which text counts changes with one number, whenever this process ends.
func (h *handover) write(to []byte) error {
	text, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("write what the next agent is to know: %w", err)
	}
	room := (len(to) - lengthBytes) / 2
	if len(text) > room {
		return fmt.Errorf("write what the next agent is to know: found %d bytes, expected at most %d", len(text), room)
	}
	length := (*uint32)(unsafe.Pointer(unsafe.SliceData(to)))
	before := atomic.LoadUint32(length)
	if now, err := handedText(to); err == nil && bytes.Equal(now, text) {
		return nil
	}
	place, mark := to[lengthBytes:], uint32(0)
	if before&secondText == 0 {
		place, mark = place[room:], secondText
	}
	copy(place, text)
	atomic.StoreUint32(length, uint32(len(text))|mark)
	return nil
}

// handedText is the text that counts; empty where nothing was left.
func handedText(raw []byte) ([]byte, error) {
	if len(raw) < lengthBytes {
		return nil, fmt.Errorf("found %d bytes, expected a length first", len(raw))
	}
	length, text := binary.NativeEndian.Uint32(raw), raw[lengthBytes:]
	if length&secondText != 0 {
		text = text[len(text)/2:]
	}
	length &^= secondText
	if uint64(length) > uint64(len(text)) {
		return nil, fmt.Errorf("found a text of %d bytes, expected at most %d", length, len(text))
	}
	return text[:length], nil
}

// readHandover reads what was left in a directory of pins; nil where nothing was.
func readHandover(dir string) (*handover, error) {
	m, err := ebpf.LoadPinnedMap(filepath.Join(dir, mapPin+bpf.EnforceMapHandover), nil)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	raw, err := m.LookupBytes(uint32(0))
	if err != nil {
		return nil, err
	}
	return parseHandover(raw)
}

func parseHandover(raw []byte) (*handover, error) {
	text, err := handedText(raw)
	if err != nil || len(text) == 0 {
		return nil, err
	}
	h := &handover{}
	if err := json.Unmarshal(text, h); err != nil {
		return nil, fmt.Errorf("found %w, expected what an agent wrote", err)
	}
	if len(h.Programs) > maxPrograms || h.Told < 0 || h.Told > len(h.Programs) {
		return nil, fmt.Errorf("found %d programs of which %d are told, expected at most %d", len(h.Programs), h.Told, maxPrograms)
	}
	for _, s := range h.Sets {
		for _, r := range s.Rules {
			if r.Bit < 0 || r.Bit >= maxRules {
				return nil, fmt.Errorf("found bit %d of rule %s, expected one below %d", r.Bit, r.Rule, maxRules)
			}
		}
	}
	return h, nil
}

// takeOver takes the programs and maps of the agent before, where they are the same as this one's. Where that is not possible it
// says so: what was left stays in force until this agent's policies are, beside it.
func (e *Enforcer) takeOver(spec *ebpf.CollectionSpec) (*handover, error) {
	if e.options.Pins == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(e.options.Pins)
	if err != nil {
		return nil, err
	}
	others := map[string]*handover{}
	for _, entry := range entries {
		dir := filepath.Join(e.options.Pins, entry.Name())
		h, err := readHandover(dir)
		if err == nil && h != nil {
			err = e.take(dir, h, spec)
		}
		switch {
		case errors.Is(err, ErrLocked):
			return nil, err
		case err != nil:
			e.missing = append(e.missing, fmt.Sprintf("what an earlier agent knew of processes and programs is not known any more: %s", err))
		case h != nil && h.Build == bpf.EnforceBuild():
			return h, nil
		case h != nil:
			others[dir] = h
		}
	}
	for dir, h := range others { // there is one, but where an agent was killed while it took over
		err := e.inherit(dir, h, spec)
		if err == nil {
			break
		}
		e.missing = append(e.missing, fmt.Sprintf("what an earlier agent knew of processes and programs is not known any more: %s", err))
	}
	return nil, nil
}

var errOtherBuild = errors.New("it was of another version")

func (e *Enforcer) take(dir string, h *handover, spec *ebpf.CollectionSpec) error {
	if err := h.yieldsTo(e.options.Started, ""); err != nil {
		return err
	}
	e.lock = h.Lock
	if e.since.IsZero() || h.Since.Before(e.since) {
		e.since = h.Since // what was written in its time was not trusted, and is not now
	}
	if h.Build != bpf.EnforceBuild() {
		return nil
	}
	maps, links := map[string]*ebpf.Map{}, map[string]link.Link{}
	err := openPins(dir, spec, maps, links)
	if err != nil {
		for _, m := range maps {
			err = errors.Join(err, m.Close())
		}
		return errors.Join(append(closeAll(links), err)...)
	}
	e.maps, e.links, e.pins = maps, links, dir
	e.numbers.key, e.told, e.missing = h.Key, h.Told, h.Missing
	e.lacking = named(h.Lacking)
	for bit, p := range h.Programs {
		e.numbers.bits[program{p.Path, p.SHA256}] = bit
	}
	return nil
}

// openPins opens all that was pinned. Nothing may be missing of what this kernel can attach.
func openPins(dir string, spec *ebpf.CollectionSpec, maps map[string]*ebpf.Map, links map[string]link.Link) error {
	for name := range spec.Maps {
		if strings.HasPrefix(name, ".") {
			continue
		}
		m, err := ebpf.LoadPinnedMap(filepath.Join(dir, mapPin+name), nil)
		if err != nil {
			return fmt.Errorf("open the map %s: %w", name, err)
		}
		maps[name] = m
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name, is := strings.CutPrefix(entry.Name(), linkPin)
		if !is {
			continue
		}
		l, err := link.LoadPinnedLink(filepath.Join(dir, entry.Name()), nil)
		if err != nil {
			return fmt.Errorf("open the link of %s: %w", name, err)
		}
		links[name] = l
	}
	return nil
}

// goOn makes what was taken over this enforcer's own: verdicts that nobody read are told, and what was counted before is not
// counted again.
func (e *Enforcer) goOn(h *handover) error {
	m, err := readMounts()
	if err != nil {
		return err
	}
	generation := atomic.LoadUint64((*uint64)(unsafe.Pointer(&e.active[activeGeneration])))
	for _, s := range h.Sets {
		if s.Generation == generation {
			e.now.Store(s.loaded(m))
		} else {
			e.before.Store(s.loaded(m))
		}
	}
	now := e.now.Load()
	if now == nil {
		if generation == 0 {
			return nil
		}
		now = handedSet{Generation: generation}.loaded(m)
		e.now.Store(now)
	}
	for _, r := range now.rules {
		c := e.count(now, r)
		// Sums are taken modulo 2^64.
		e.counts[r.name()] = counts{denied: -c.denied, audited: -c.audited, summed: -c.summed, lost: -c.lost}
		now.known[r.bit] = c.folded
	}
	e.missed = e.lost()
	return nil
}

// Look tells what agents put in force with this directory of pins; nil where there is nothing.
func Look(pins string) (*enforce.Held, error) {
	entries, err := os.ReadDir(pins)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for what is in force: %w", err)
	}
	var held *enforce.Held
	for _, entry := range entries {
		dir := filepath.Join(pins, entry.Name())
		one, err := lookAt(dir)
		if err != nil {
			return nil, fmt.Errorf("look at what is in force, at %s: %w", dir, err)
		}
		if one != nil {
			held = one
		}
	}
	if held == nil {
		return nil, nil
	}
	switch claimed, err := claim(pins, 0); {
	case errors.Is(err, ErrInUse):
		held.Running = true
	case err != nil:
		return nil, err
	default:
		return held, claimed.Close()
	}
	return held, nil
}

func lookAt(dir string) (*enforce.Held, error) {
	h, err := readHandover(dir)
	if err != nil || h == nil {
		return nil, err
	}
	m, err := ebpf.LoadPinnedMap(filepath.Join(dir, mapPin+bpf.EnforceMapActive), nil)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	var active bpf.EnforceCurrentSet
	if err := m.Lookup(uint32(0), &active); err != nil {
		return nil, err
	}
	now, err := sinceStart()
	if err != nil {
		return nil, err
	}
	held := &enforce.Held{Silent: time.Duration(now - active.Heartbeat)}
	for _, s := range h.Sets {
		if s.Generation == active.Generation {
			held.Policies = s.held(held.Silent)
			return held, nil
		}
	}
	return nil, nil
}

// held gives the policies of a set, after so long without an agent.
func (s handedSet) held(silent time.Duration) []enforce.HeldPolicy {
	var all []enforce.HeldPolicy
	for _, r := range s.Rules {
		if len(all) > 0 && all[len(all)-1].Name == r.Policy {
			continue
		}
		p := enforce.HeldPolicy{Name: r.Policy, OnAgentLoss: r.OnAgentLoss}
		if r.OnAgentLoss != policy.KeepOnLoss {
			p.LossAfter, p.Over = r.LossAfter, silent > r.LossAfter
		}
		all = append(all, p)
	}
	return all
}
