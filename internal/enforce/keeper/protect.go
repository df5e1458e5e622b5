// SPDX-License-Identifier: Apache-2.0

package keeper

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/vedette-sec/vedette/pkg/policy"
)

// ProtectionPolicy is the name of the policy by which the agent protects itself. No policy of a file can have it.
const ProtectionPolicy = "Agent"

// Protection says what of the agent is protected while policies are enforced.
type Protection struct {
	Executable string   // the agent's program
	Settings   []string // files, and directories with all that is in them, that only package managers change
	State      []string // the same, that only the agent's program changes
	Pins       string
}

// managers are the programs that install software.
var managers = []string{
	"/usr/bin/dpkg", "/usr/bin/apt", "/usr/bin/apt-get", "/usr/bin/unattended-upgrade", "/usr/bin/rpm", "/usr/bin/dnf", "/usr/bin/yum",
}

// apart are the programs that are not shells at the same time, as all are that are busybox.
func apart(host policy.Host, programs ...string) []string {
	return slices.DeleteFunc(slices.Clone(programs), func(name string) bool { return name == "" || host.Obeys(name) })
}

// ftraceSwitch turns off all that is attached to the kernel's functions.
const ftraceSwitch = "/proc/sys/kernel/ftrace_enabled"

// policy gives the policy that protects the agent. Package managers install a program beside it first, under a name that begins
// with its own.
func (p Protection) policy(host policy.Host) (*policy.Policy, error) {
	agent, managers := []string{p.Executable}, apart(host, managers...)
	inits := apart(host, "/usr/lib/systemd/systemd-shutdown", host.Init())
	text := fmt.Sprintf(`policy: agent
description: Nobody but the agent changes or ends what is the agent's.
mode: enforce
severity: critical
attack: [T1562.001]
rules:
  - {name: program, files: {paths: [%s], operations: tamper}, allow: [%s]}
  - {name: state, files: {paths: [%s], operations: tamper}, allow: [%s]}
  - {name: process, processes: {executables: [%q]}, allow: [%s]}
  - {name: bpf, kernel: [agent_bpf], allow: [%s]}
  - {name: ftrace, files: {paths: [%q], operations: [write]}}
`, quoted([]string{p.Executable, p.Executable + ".*", p.Executable + ";*"}), subjects(managers), quoted(p.trees(p.State)), subjects(agent), p.Executable,
		subjects(slices.Concat(inits, agent)), subjects(agent), ftraceSwitch)
	if settings := p.trees(p.Settings); len(settings) > 0 {
		text += fmt.Sprintf("  - {name: settings, files: {paths: [%s], operations: tamper}, allow: [%s]}\n", quoted(settings), subjects(managers))
	}
	policies, err := policy.Parse("the agent's own policy", []byte(text))
	if err != nil {
		return nil, err
	}
	policies[0].Name = ProtectionPolicy
	return policies[0], nil
}

// trees adds what is in directories.
func (p Protection) trees(paths []string) []string {
	var all []string
	for _, path := range paths {
		if info, err := os.Stat(path); err != nil || info.IsDir() {
			path += "/**"
		}
		all = append(all, path)
	}
	return all
}

func quoted(all []string) string {
	var out []string
	for _, one := range all {
		out = append(out, fmt.Sprintf("%q", one))
	}
	return strings.Join(out, ", ")
}

// subjects are programs, without what they start.
func subjects(executables []string) string {
	var out []string
	for _, one := range executables {
		out = append(out, fmt.Sprintf("{executable: %q, lineage: false}", one))
	}
	return strings.Join(out, ", ")
}

// outliving is an enforcer that refuses acts on the agent too, and whose policies outlive the agent. Others would kill whoever sends
// it a signal, friends too.
type outliving interface{ Lock(sha256 string) error }

// protect adds the agent's own policy where a set enforces anything, unless an operator has unlocked it for now.
func (k *Keeper) protect(set *policy.Set, at time.Time) error {
	k.protection = nil
	_, able := k.enforcer.(outliving)
	if !able || k.cfg.Protection == nil || at.Before(k.unlocked) || !slices.ContainsFunc(set.Policies, enforces) {
		return nil
	}
	own, err := k.cfg.Protection.policy(k.host)
	if err != nil {
		return fmt.Errorf("protect the agent itself: %w", err)
	}
	k.protection = own
	set.Policies = append(set.Policies, own)
	return nil
}

// Bounds of how long an operator may unlock the agent.
const (
	unlockTime     = 10 * time.Minute
	mostUnlockTime = 24 * time.Hour
)

// setLock gives a token, once, without which the agent can neither be unlocked nor made to panic any more.
func (k *Keeper) setLock() (string, error) {
	if k.state.Lock != "" {
		return "", errors.New("the agent is locked already, and the token was given then")
	}
	token := rand.Text()
	k.state.Lock = hashOf(token)
	err := k.state.write(k.cfg.StateFile)
	if err == nil {
		err = k.passLock()
	}
	if err != nil { // nobody gets the token, so nothing must want it
		k.state.Lock = ""
		return "", errors.Join(err, k.state.write(k.cfg.StateFile))
	}
	k.cfg.Logger.Warn("The operator locked the agent")
	return token, nil
}

// passLock lets what is in force know of the lock, where that outlives the agent.
func (k *Keeper) passLock() error {
	if e, ok := k.enforcer.(outliving); ok && k.state.Lock != "" {
		return e.Lock(k.state.Lock)
	}
	return nil
}

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// admits tells whether an operator may do what weakens protection.
func (k *Keeper) admits(c Command) error {
	if k.state.Lock == "" || subtle.ConstantTimeCompare([]byte(k.state.Lock), []byte(hashOf(c.Token))) == 1 {
		return nil
	}
	return errors.New("the agent is locked; expected the token that vedette policy lock gave")
}

// unlock takes the agent's own policy out of force for a while.
func (k *Keeper) unlock(c Command) (string, error) {
	if err := k.admits(c); err != nil {
		k.cfg.Logger.Error("Somebody tried to unlock the agent without the token")
		return "", err
	}
	if c.For == 0 {
		c.For = unlockTime
	}
	if c.For < 0 || c.For > mostUnlockTime {
		return "", fmt.Errorf("found %s, expected at most %s", c.For, mostUnlockTime)
	}
	now := time.Now()
	k.unlocked = now.Add(c.For)
	if err := k.again(now); err != nil {
		return "", err
	}
	k.cfg.Logger.Warn("The operator unlocked the agent", zap.Time("until", k.unlocked.UTC()))
	return "the agent does not protect itself until " + k.unlocked.UTC().Format(time.RFC3339), nil
}

// endUnlocking protects the agent again when the operator's time is over.
func (k *Keeper) endUnlocking(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.unlocked.IsZero() || now.Before(k.unlocked) || k.closed {
		return
	}
	k.unlocked = time.Time{}
	if err := k.again(now); err != nil {
		k.cfg.Logger.Error("The agent does not protect itself again", zap.Error(err))
	}
}
