// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package fallback

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// listener gives a port of this host that answers.
func listener(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

func TestConnectIsRefused(t *testing.T) {
	ring.Require(t, ring.Native)
	confined, other, port := copyOf(t, "confined"), copyOf(t, "other"), listener(t)
	e := loadedWith(t, `
policy: egress
mode: enforce
rules:
  - name: out
    network: {operations: [connect], deny: ["127.0.0.1:%d/tcp"]}
    who: [{executable: %s}]
`, port, confined)
	number := strconv.Itoa(port)
	assert.Equal(t, "EPERM", outcome(t, confined, "connect", number))
	v := verdict(t, e, policy.Connect)
	assert.Equal(t, enforce.Prevented, v.Strength)
	assert.Equal(t, policy.Enforce, v.Mode)
	assert.EqualValues(t, unix.EPERM, v.Errno)
	assert.Equal(t, "127.0.0.1:"+number, v.Object.Address.String())
	assert.Equal(t, policy.TCP, v.Object.Protocol)
	assert.Equal(t, "confined", v.Comm)
	assert.Equal(t, "socket_connect", v.Hook)
	assert.NotZero(t, v.Start)
	assert.Equal(t, "ok", outcome(t, other, "connect", number), "the rule is about another program")
	assert.Equal(t, "EPERM", outcome(t, confined, "run", other, "connect", number), "what it starts stays confined")
	assert.Equal(t, "ok", outcome(t, confined, "connect", strconv.Itoa(listener(t))), "another port")
	verdict(t, e, policy.Connect) // it is counted a moment after the act
	assert.Equal(t, enforce.RuleStatus{Policy: "egress", Rule: "out", Strength: enforce.Prevented, Denied: 2}, e.Status().Rules[0])
}

func TestAddressesAreMeantWhateverTheFamilyAndTheCall(t *testing.T) {
	ring.Require(t, ring.Native)
	confined := copyOf(t, "confined")
	e := loadedWith(t, `
policy: datagrams
mode: enforce
rules:
  - {name: out, network: {operations: [connect], deny: ["127.0.0.0/8:7000-7999/udp", "[2001:db8::]/32:53/udp"]}, who: [{executable: %s}]}
`, confined)
	assert.Equal(t, "EPERM", outcome(t, confined, "send", "7001"))
	v := verdict(t, e, policy.Connect)
	assert.Equal(t, "socket_sendmsg", v.Hook)
	assert.Equal(t, policy.UDP, v.Object.Protocol)
	assert.Equal(t, "ok", outcome(t, confined, "send", "8001"), "another port")
	assert.Equal(t, "EPERM", outcome(t, confined, "connect6", "::ffff:127.0.0.1", "7001"), "mapped into IPv6 it is the same address")
	assert.Equal(t, "127.0.0.1:7001", verdict(t, e, policy.Connect).Object.Address.String())
	assert.Equal(t, "EPERM", outcome(t, confined, "connect6", "2001:db8::7", "53"))
	assert.Equal(t, "[2001:db8::7]:53", verdict(t, e, policy.Connect).Object.Address.String())
	assert.Equal(t, "ok", outcome(t, confined, "connect6", "::1", "53"), "another network")
}

func TestOnlyAndAllowOfAddresses(t *testing.T) {
	ring.RequireOnHost(t)
	confined, trusted, free, port := copyOf(t, "confined"), copyOf(t, "trusted"), listener(t), listener(t)
	loadedWith(t, `
policy: egress
mode: enforce
rules:
  - name: out
    network: {operations: [connect], only: ["127.0.0.1:%d"]}
    who: [{executable: %s}, {executable: %s}]
    allow: [{executable: %s}]
`, free, confined, trusted, trusted)
	assert.Equal(t, "ok", outcome(t, confined, "connect", strconv.Itoa(free)))
	assert.Equal(t, "EPERM", outcome(t, confined, "connect", strconv.Itoa(port)))
	assert.Equal(t, "ok", outcome(t, trusted, "connect", strconv.Itoa(port)))
}

func TestBindIsRefused(t *testing.T) {
	ring.Require(t, ring.Native)
	confined := copyOf(t, "confined")
	e := loadedWith(t, `
policy: servers
mode: enforce
rules:
  - {name: ports, network: {operations: [bind], deny: ["*:20000-20999"]}, who: [{executable: %s, user: root}]}
`, confined)
	assert.Equal(t, "EPERM", outcome(t, confined, "bind", "20123"))
	assert.Equal(t, "ok", outcome(t, confined, "bind", "21123"))
	assert.Equal(t, "socket_bind", verdict(t, e, policy.Bind).Hook)
}

func TestAuditReports(t *testing.T) {
	ring.RequireOnHost(t)
	confined, port := copyOf(t, "confined"), listener(t)
	e := loadedWith(t, `
policy: egress
rules:
  - {name: out, network: {operations: [connect], deny: ["*"]}, who: [{executable: %s}]}
`, confined)
	assert.Equal(t, "ok", outcome(t, confined, "connect", strconv.Itoa(port)))
	v := verdict(t, e, policy.Connect)
	assert.Equal(t, policy.Audit, v.Mode)
	assert.Equal(t, enforce.Detected, v.Strength)
	assert.Zero(t, v.Errno)
	assert.EqualValues(t, 1, e.Status().Rules[0].Audited)
}

func TestAuditOnlyStopsRefusing(t *testing.T) {
	ring.RequireOnHost(t)
	confined, port := copyOf(t, "confined"), listener(t)
	secret := filepath.Join(directory(t), "secret")
	require.NoError(t, os.WriteFile(secret, nil, 0o600))
	e := loadedWith(t, `
policy: both
mode: enforce
rules:
  - {name: out, network: {operations: [connect], deny: ["*"]}, who: [{executable: %s}]}
  - {name: file, files: {paths: [%s], operations: secret}, who: [{executable: %s}]}
`, confined, secret, confined)
	require.NoError(t, e.AuditOnly(true))
	assert.True(t, e.Status().AuditOnly)
	assert.Equal(t, "ok", outcome(t, confined, "connect", strconv.Itoa(port)))
	assert.Equal(t, "ok", outcome(t, confined, "read", secret))
	require.NoError(t, e.AuditOnly(false))
	assert.Equal(t, "EPERM", outcome(t, confined, "connect", strconv.Itoa(port)))
	assert.Equal(t, "EPERM", outcome(t, confined, "read", secret))
}

func TestSenderOfSignalIsKilled(t *testing.T) {
	ring.Require(t, ring.Native)
	daemon, intruder, manager := copyOf(t, "daemon"), copyOf(t, "intruder"), copyOf(t, "manager")
	e := loadedWith(t, `
policy: daemon
mode: enforce
rules:
  - name: processes
    processes: {executables: [%s], operations: [signal]}
    who: [{executable: %s}, {executable: %s}]
    allow: [{executable: %s}]
`, daemon, intruder, manager, manager)
	pid := victim(t, daemon)
	assert.Equal(t, "SIGKILL", outcome(t, intruder, "kill", strconv.Itoa(pid)))
	v := verdict(t, e, policy.Signal)
	assert.Equal(t, enforce.Killed, v.Strength)
	assert.EqualValues(t, pid, v.Object.PID)
	other := victim(t, daemon)
	assert.Equal(t, "ok", outcome(t, manager, "kill", strconv.Itoa(other)))
	assert.Equal(t, "ok", outcome(t, intruder, "kill", strconv.Itoa(victim(t, copyOf(t, "nobody's")))))
}

func TestWhoActsOnAProtectedProcessIsKilled(t *testing.T) {
	ring.Require(t, ring.Native)
	daemon, intruder, debugger := copyOf(t, "daemon"), copyOf(t, "intruder"), copyOf(t, "debugger")
	e := loadedWith(t, `
policy: daemon
mode: enforce
rules:
  - name: processes
    processes: {executables: [%s], operations: [ptrace, memory, priority]}
    who: [{executable: %s}, {executable: %s}]
    allow: [{executable: %s}]
`, daemon, intruder, debugger, debugger)
	pid := victim(t, daemon)
	for _, one := range []struct {
		act       string
		operation policy.Operation
	}{
		{"ptrace", policy.Ptrace}, {"seize", policy.Ptrace}, {"vm-read", policy.Memory}, {"vm-write", policy.Memory},
		{"nice", policy.Priority}, {"limit", policy.Priority}, {"affinity", policy.Priority},
	} {
		assert.Equal(t, "SIGKILL", outcome(t, intruder, one.act, strconv.Itoa(pid)), one.act)
		v := verdict(t, e, one.operation)
		assert.EqualValues(t, pid, v.Object.PID, one.act)
		assert.Equal(t, "sys_enter", v.Hook)
	}
	assert.Equal(t, "ok", outcome(t, debugger, "nice", strconv.Itoa(pid)))
}

func TestWhoActsOnTheKernelIsKilled(t *testing.T) {
	ring.Require(t, ring.Native)
	intruder, other, daemon := copyOf(t, "intruder"), copyOf(t, "other"), copyOf(t, "daemon")
	// One at a time: the program calls bpf when it starts, whatever it is to do then.
	text := "policy: kernel\nmode: enforce\nrules:\n  - {name: none, kernel: [%s], who: [{executable: %s}]}\n"
	e := enforcer(t)
	for _, one := range []struct {
		act       string
		operation policy.Operation
	}{
		{"bpf", policy.BPF}, {"kexec", policy.Kexec}, {"settime", policy.Time}, {"insmod", policy.Modules}, {"rmmod", policy.Modules}, {"umount", policy.KernelMount},
	} {
		load(t, e, text, one.operation, intruder)
		if e.kernel.failure(one.operation) != nil {
			continue // a kernel that was built without the call
		}
		assert.Equal(t, "SIGKILL", outcome(t, intruder, one.act), one.act)
		assert.Equal(t, enforce.Killed, verdict(t, e, one.operation).Strength, one.act)
		assert.NotEqual(t, "SIGKILL", outcome(t, other, one.act), one.act)
	}
	load(t, e, text, policy.KernelPtrace, intruder)
	pid := strconv.Itoa(victim(t, daemon))
	assert.Equal(t, "SIGKILL", outcome(t, intruder, "ptrace", pid), "tracing any process")
	assert.NotEqual(t, "SIGKILL", outcome(t, other, "nice", pid))
}

func TestKernelRuleKillsTheCaller(t *testing.T) {
	ring.Require(t, ring.Native)
	intruder, other, point := copyOf(t, "intruder"), copyOf(t, "other"), directory(t)
	e := loadedWith(t, `
policy: mounts
mode: enforce
rules:
  - {name: none, kernel: [mount], who: [{executable: %s}]}
`, intruder)
	defer func() {
		for unix.Unmount(point, unix.MNT_DETACH) == nil { // who is killed may have done it
		}
	}()
	assert.Equal(t, "SIGKILL", outcome(t, intruder, "mount", point))
	assert.Equal(t, enforce.Killed, verdict(t, e, policy.KernelMount).Strength)
	assert.Equal(t, "ok", outcome(t, other, "mount", point))
}

func TestProgramInMemoryIsKilled(t *testing.T) {
	ring.Require(t, ring.Native)
	dropper, other := copyOf(t, "dropper"), copyOf(t, "other")
	e := loadedWith(t, `
policy: droppers
mode: enforce
rules:
  - {name: memory, exec: {deny: {origins: [memfd]}}, who: [{executable: %s}]}
`, dropper)
	assert.Equal(t, "SIGKILL", outcome(t, dropper, "memfd", "read", "/dev/null"))
	v := verdict(t, e, policy.Run)
	assert.Equal(t, enforce.Killed, v.Strength)
	assert.Equal(t, "memfd:", v.Object.Path)
	assert.Equal(t, "ok", outcome(t, other, "memfd", "read", "/dev/null"))
}

func TestReloadKeepsWhatIsKnownOfProcesses(t *testing.T) {
	ring.RequireOnHost(t)
	confined, port := copyOf(t, "confined"), listener(t)
	text := `
policy: egress
mode: %s
rules:
  - {name: out, network: {operations: [connect], deny: ["*"]}, who: [{executable: %s}]}
`
	e := loadedWith(t, text, "enforce", confined)
	assert.Equal(t, "EPERM", outcome(t, confined, "connect", strconv.Itoa(port)))
	verdict(t, e, policy.Connect) // it is counted a moment after the act
	before := e.Status().Generation
	load(t, e, text, "audit", confined)
	assert.Equal(t, "ok", outcome(t, confined, "connect", strconv.Itoa(port)))
	verdict(t, e, policy.Connect)
	s := e.Status()
	assert.Equal(t, before+1, s.Generation)
	assert.EqualValues(t, 1, s.Rules[0].Denied, "what was counted stays")
	assert.EqualValues(t, 1, s.Rules[0].Audited)
	require.NoError(t, e.Load(&policy.Set{}))
	assert.Equal(t, "ok", outcome(t, confined, "connect", strconv.Itoa(port)))
	assert.Empty(t, e.Status().Rules)
}

func TestTooManyRulesAreRefusedWithTheirPlace(t *testing.T) {
	ring.RequireOnHost(t)
	e := enforcer(t)
	before := e.Status().Generation
	text := "policy: many\nrules:\n"
	for i := range 65 {
		text += "  - {name: r" + strconv.Itoa(i) + ", kernel: [kexec]}\n"
	}
	policies, err := policy.Parse("many.yaml", []byte(text))
	require.NoError(t, err)
	require.ErrorContains(t, e.Load(&policy.Set{Policies: policies}), "many.yaml:67")
	assert.Equal(t, before, e.Status().Generation)
}

func TestCloseEndsWaiting(t *testing.T) {
	ring.RequireOnHost(t)
	e, err := Open()
	require.NoError(t, err)
	require.NoError(t, e.Close())
	_, err = e.Next(t.Context())
	require.ErrorIs(t, err, enforce.ErrClosed)
	require.ErrorIs(t, e.Load(&policy.Set{}), enforce.ErrClosed)
	require.NoError(t, e.Close())
}

// waitsForALock tells whether a goroutine waits for a lock in a function.
func waitsForALock(function string) bool {
	stacks := make([]byte, 1<<20)
	for one := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if strings.Contains(one, "[sync.Mutex.Lock") && strings.Contains(one, function) {
			return true
		}
	}
	return false
}

func TestCloseEndsWhileVerdictsCome(t *testing.T) {
	ring.RequireOnHost(t)
	ring.TwoProcessors(t)
	confined := copyOf(t, "confined")
	e, err := Open()
	require.NoError(t, err)
	load(t, e, "policy: egress\nmode: enforce\nrules:\n  - {name: out, network: {operations: [connect], deny: ['127.0.0.1:7000']}, who: [{executable: %s}]}\n", confined)
	closed := make(chan error, 1)
	e.mu.Lock() // so that closing waits
	go func() { closed <- e.Close() }()
	assert.Eventually(t, func() bool { return waitsForALock("(*Enforcer).Close(") }, timeLimit, timeStep)
	e.telling.Lock() // and a verdict too
	assert.Equal(t, "EPERM", outcome(t, confined, "connect", "7000"))
	assert.Eventually(t, func() bool { return waitsForALock("(*Enforcer).tablesOf(") }, timeLimit, timeStep)
	e.mu.Unlock()
	e.telling.Unlock()
	select {
	case err := <-closed:
		require.NoError(t, err)
	case <-time.After(timeLimit):
		require.Fail(t, "it waits for who reads verdicts, who waits for it")
	}
}
