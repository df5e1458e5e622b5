// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package response

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/extension/enforcementextension/enforcement"
	"github.com/vedette-sec/vedette/internal/process"
	"github.com/vedette-sec/vedette/internal/response/firewall"
	"github.com/vedette-sec/vedette/internal/response/journal"
	"github.com/vedette-sec/vedette/internal/response/target"
	"github.com/vedette-sec/vedette/internal/response/vault"
)

// Config says what may be done and how. An engine that only lists and ends actions needs no more
// than StateDirectory and Firewall.
type Config struct {
	StateDirectory string
	Vault          string
	Allow          []enforcement.Action
	DryRun         bool
	Rates          map[enforcement.Action]Rate
	Expiry         map[enforcement.Action]time.Duration // 0: never
	Protection     target.Protection
	Peers          []netip.Prefix // that an isolated host may talk to
	Firewall       firewall.Firewall
	Executables    Executables // nil where files can only be let go
}

// Executables keeps files from being run.
type Executables interface {
	// Block keeps these, and no others that it did before, from being run.
	Block([]Executable) error
}

// Executable is a file that is not to be run, because of the response with that id.
type Executable struct {
	ID    string
	Path  string
	Inode uint64
	Cause string // why
}

// Engine takes actions. It is safe for concurrent use.
type Engine struct {
	config    Config
	processes target.Processes
	journal   *journal.Journal
	now       func() time.Time

	mu     sync.Mutex
	limits map[enforcement.Action]*limiter
	ended  map[string]bool // actions whose end was reported

	blocked map[string]Executable // by response
}

// Create says that Open makes a journal where there is none.
const Create = true

// Open opens the engine and its journal: as the agent, which no second one can be, or for an
// operator. Without create, a journal that is not there is journal.ErrNone.
func Open(config Config, create, agent bool) (*Engine, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, fmt.Errorf("read the boot id: %w", err)
	}
	j, err := journal.Open(config.StateDirectory, create, agent)
	if err != nil {
		return nil, fmt.Errorf("open the journal of responses: %w", err)
	}
	e := &Engine{
		config:    config,
		processes: target.Processes{Proc: process.ProcFS{Root: "/proc"}, BootID: strings.TrimSpace(string(boot))},
		journal:   j, now: time.Now,
		limits: map[enforcement.Action]*limiter{}, ended: map[string]bool{}, blocked: map[string]Executable{},
	}
	for action, rate := range config.Rates {
		e.limits[action] = &limiter{rate: rate}
	}
	return e, nil
}

// Close closes the journal. What is in force stays in force.
func (e *Engine) Close() error { return e.journal.Close() }

// Apply checks a request and takes its action. All that can be wrong is in the result.
func (e *Engine) Apply(request enforcement.Request) enforcement.Result {
	if !slices.Contains(e.config.Allow, request.Action) {
		return e.result(request, enforcement.NotAllowed, fmt.Sprintf("the configuration does not allow %s", request.Action))
	}
	if err := e.check(&request); err != nil {
		return e.result(request, outcome(err), err.Error())
	}
	if result, repeated := e.repeat(request); repeated {
		return result
	}
	if !e.permit(request.Action) {
		rate := e.config.Rates[request.Action]
		return e.result(request, enforcement.RateLimited, fmt.Sprintf("more than %d in %s", rate.Count, rate.Window))
	}
	entry := e.entry(request)
	if e.config.DryRun {
		entry.Outcome = enforcement.DryRun
		return e.record(entry)
	}
	if ends(request.Action) {
		return e.applyRecorded(entry)
	}
	note, err := e.act(&entry)
	return e.record(finished(entry, note, err))
}

// applyRecorded takes an action that can be undone. It is in the journal before it is begun, so that
// it can also be undone when the agent dies in the middle of it.
func (e *Engine) applyRecorded(entry journal.Entry) enforcement.Result {
	err := e.journal.Do(func(c *journal.Change) error {
		entry.Active = true
		if err := c.Put(entry); err != nil {
			return err
		}
		note, err := e.act(&entry)
		entry = finished(entry, note, err)
		return c.Put(entry)
	})
	return e.resultOf(entry, err)
}

// record writes an entry that there is nothing to undo of.
func (e *Engine) record(entry journal.Entry) enforcement.Result {
	return e.resultOf(entry, e.journal.Do(func(c *journal.Change) error { return c.Put(entry) }))
}

func finished(entry journal.Entry, note string, err error) journal.Entry {
	entry.Outcome, entry.Reason = enforcement.Done, note
	entry.Active = ends(entry.Request.Action)
	if err != nil {
		entry.Outcome, entry.Reason, entry.Active = outcome(err), err.Error(), false
	}
	return entry
}

func outcome(err error) enforcement.Outcome {
	if errors.Is(err, target.ErrRefused) || errors.Is(err, vault.ErrRefused) {
		return enforcement.Refused
	}
	return enforcement.Failed
}

func (e *Engine) result(request enforcement.Request, outcome enforcement.Outcome, reason string) enforcement.Result {
	return enforcement.Result{
		Request: request, Step: enforcement.Apply, Outcome: outcome, Reason: strings.TrimPrefix(reason, "refused: "), Time: e.now(),
	}
}

func (e *Engine) resultOf(entry journal.Entry, err error) enforcement.Result {
	result := e.result(entry.Request, entry.Outcome, entry.Reason)
	if err != nil {
		result.Outcome = enforcement.Failed
		result.Reason = strings.TrimPrefix(result.Reason+"; "+err.Error(), "; ")
	}
	if entry.Active {
		result.UndoID, result.Expires = entry.ID, entry.Expires
	}
	return result
}

func (e *Engine) permit(action enforcement.Action) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.limits[action]
	return l == nil || l.permit(e.now())
}

func (e *Engine) entry(request enforcement.Request) journal.Entry {
	entry := journal.Entry{ID: newID(), Time: e.now().UTC(), Request: request, Boot: e.processes.BootID}
	e.setExpiry(&entry)
	if request.Action == enforcement.QuarantineFile {
		entry.Vault = e.config.Vault
	}
	return entry
}

func (e *Engine) setExpiry(entry *journal.Entry) {
	lasting := entry.Request.Expiry
	if lasting == 0 {
		lasting = e.config.Expiry[entry.Request.Action]
	}
	if lasting == 0 || !expires(entry.Request.Action) {
		return
	}
	entry.Expires = e.now().UTC().Add(lasting)
	entry.ExpiresBoot = firewall.SinceBoot() + lasting
}

func newID() string {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(id[:])
}

// ends tells whether an action has an end, and expires whether time may bring it.
func ends(action enforcement.Action) bool {
	return expires(action) || action == enforcement.QuarantineFile
}

func expires(action enforcement.Action) bool {
	return action == enforcement.Suspend || action == enforcement.BlockAddress || action == enforcement.BlockExecutable || action == enforcement.IsolateHost
}

// check refuses what must not be done. It completes the request by what only the host knows.
func (e *Engine) check(request *enforcement.Request) error {
	switch request.Action {
	case enforcement.KillProcess, enforcement.KillTree, enforcement.Suspend:
		return e.processes.Check(request.Process, e.config.Protection)
	case enforcement.BlockAddress:
		request.Address = request.Address.Unmap().WithZone("")
		return e.config.Protection.CheckAddress(request.Address)
	case enforcement.QuarantineFile, enforcement.BlockExecutable:
		if err := e.findInode(request); err != nil {
			return err
		}
		return e.config.Protection.CheckFile(e.processes, request.File.Path, request.File.Inode)
	case enforcement.IsolateHost:
		if len(e.config.Peers) == 0 {
			return fmt.Errorf("%w: no peer is configured that could reach the isolated host", target.ErrRefused)
		}
	}
	return nil
}

// findInode takes the inode of a file that the request's process runs from there.
func (e *Engine) findInode(request *enforcement.Request) error {
	if request.File.Path == "" || request.File.Inode != 0 {
		return nil
	}
	path, inode, err := e.processes.Executable(request.Process)
	if err != nil {
		return fmt.Errorf("the inode of %s is not given, and is not to be learnt from its process: %w", request.File.Path, err)
	}
	if path != request.File.Path {
		return fmt.Errorf("%w: the inode of %s is not given, and its process runs %s", target.ErrRefused, request.File.Path, path)
	}
	request.File.Inode = inode
	return nil
}

// act does it. The note is what the operator should know of what was done.
func (e *Engine) act(entry *journal.Entry) (note string, err error) {
	request := entry.Request
	switch request.Action {
	case enforcement.KillProcess:
		return e.processes.Kill(request.Process, e.config.Protection)
	case enforcement.KillTree:
		return e.processes.KillTree(request.Process, e.config.Protection)
	case enforcement.Suspend:
		return "", e.processes.Suspend(request.Process, e.config.Protection)
	case enforcement.BlockAddress:
		return "", e.config.Firewall.Block(request.Address, entry.ExpiresBoot)
	case enforcement.QuarantineFile:
		return e.quarantine(*entry)
	case enforcement.BlockExecutable:
		return "", e.blockExecutable(*entry)
	case enforcement.IsolateHost:
		return "", e.isolate(entry.ExpiresBoot)
	}
	return "", fmt.Errorf("unknown action %q", request.Action)
}

func (e *Engine) isolate(expires time.Duration) error {
	own, err := target.OwnAddresses()
	if err != nil {
		return err
	}
	return e.config.Firewall.Isolate(slices.Concat(own, e.config.Peers, e.config.Protection.Addresses), expires)
}

func (e *Engine) blockExecutable(entry journal.Entry) error {
	file := entry.Request.File
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.config.Executables == nil {
		return errors.New("only a running agent keeps files from being run")
	}
	var there unix.Stat_t
	if err := unix.Lstat(file.Path, &there); err != nil || there.Ino != file.Inode {
		return fmt.Errorf("%w: the file that is at %s now is another one", target.ErrRefused, file.Path)
	}
	e.blocked[entry.ID] = Executable{ID: entry.ID, Path: file.Path, Inode: file.Inode, Cause: entry.Request.Reason}
	err := e.config.Executables.Block(slices.Collect(maps.Values(e.blocked)))
	if err != nil {
		delete(e.blocked, entry.ID)
	}
	return err
}

// letRun ends what blockExecutable did, as far as this engine did it.
func (e *Engine) letRun(id string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, there := e.blocked[id]; !there {
		return nil
	}
	delete(e.blocked, id)
	return e.config.Executables.Block(slices.Collect(maps.Values(e.blocked)))
}

func (e *Engine) quarantine(entry journal.Entry) (string, error) {
	request := entry.Request
	meta, err := vault.Vault{Directory: e.config.Vault}.Store(vault.Meta{
		ID: entry.ID, Path: request.File.Path, Inode: request.File.Inode,
		Rule: request.Rule.ID, AlertID: request.AlertID, Time: entry.Time,
	})
	if err != nil || meta.Links == 1 {
		return "", err
	}
	return fmt.Sprintf("the file keeps %d other names", meta.Links-1), nil
}

// repeat answers a request for what is in force already; it may make that last longer.
func (e *Engine) repeat(request enforcement.Request) (result enforcement.Result, repeated bool) {
	if !expires(request.Action) {
		return result, false
	}
	err := e.journal.Do(func(c *journal.Change) error {
		for _, entry := range c.Entries() {
			if !entry.Active || !sameTarget(entry.Request, request) || entry.Boot != e.processes.BootID {
				continue
			}
			repeated = true
			longer := e.entry(request)
			if !entry.Expires.IsZero() && (longer.Expires.IsZero() || longer.ExpiresBoot > entry.ExpiresBoot) {
				entry.Expires, entry.ExpiresBoot = longer.Expires, longer.ExpiresBoot
				if _, err := e.act(&entry); err != nil {
					return err
				}
				if err := c.Put(entry); err != nil {
					return err
				}
			}
			result = e.resultOf(entry, nil)
			result.Request, result.Outcome, result.Reason = request, enforcement.Done, "is in force already"
			return nil
		}
		return nil
	})
	if err != nil {
		return e.result(request, outcome(err), err.Error()), true
	}
	return result, repeated
}

func sameTarget(a, b enforcement.Request) bool {
	if a.Action != b.Action {
		return false
	}
	switch a.Action {
	case enforcement.Suspend:
		return a.Process.EntityID == b.Process.EntityID
	case enforcement.BlockAddress:
		return a.Address == b.Address
	case enforcement.BlockExecutable:
		return a.File == b.File
	}
	return true
}
