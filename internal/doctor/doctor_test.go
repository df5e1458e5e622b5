// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/kernel"
)

var update = flag.Bool("update", false, "write the golden files anew")

func number(n int) *int { return &n }

// serverFacts are those of root on a distribution kernel where everything works.
func serverFacts() kernel.Facts {
	return kernel.Facts{
		Release: "6.12.9-amd64", Version: "#1 SMP", Machine: "x86_64", BTF: true,
		LSMs: []string{"lockdown", "capability", "landlock", "yama", "bpf"}, Lockdown: "none",
		Capabilities: []string{"CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE", "CAP_SYS_ADMIN", "CAP_PERFMON", "CAP_BPF"},
		Mounts: []kernel.Mount{
			{Type: "proc", Path: "/proc"}, {Type: "cgroup2", Path: "/sys/fs/cgroup"},
			{Type: "tracefs", Path: "/sys/kernel/tracing"}, {Type: "securityfs", Path: "/sys/kernel/security"},
			{Type: "bpf", Path: "/sys/fs/bpf"},
		},
		UnprivilegedBPFDisabled: number(2), FtraceEnabled: number(1), KptrRestrict: number(0), Kprobes: true,
	}
}

func allWork() []kernel.Probe {
	var probes []kernel.Probe
	for _, ability := range kernel.Abilities {
		probes = append(probes, kernel.Probe{Ability: ability, OK: true})
	}
	return probes
}

// failing is allWork with failures in place of some outcomes.
func failing(failures ...kernel.Probe) []kernel.Probe {
	probes := allWork()
	for i, probe := range probes {
		for _, failure := range failures {
			if failure.Ability == probe.Ability {
				probes[i] = failure
			}
		}
	}
	return probes
}

func tiers(better string, rejected ...Rejection) func() ([]KindTier, error) {
	return func() ([]KindTier, error) {
		return []KindTier{
			{Kind: "process.exec", Tier: "tracepoint"},
			{Kind: "process.fork", Tier: "tracepoint"},
			{Kind: "process.exit", Tier: "tracepoint"},
			{Kind: "file.open", Tier: better, Rejected: rejected},
			{Kind: "network.connect", Tier: better, Rejected: rejected},
		}, nil
	}
}

func hosts() map[string]Host {
	permitted := errors.New("the kernel does not permit it")
	limited := serverFacts()
	limited.LSMs, limited.Kprobes, limited.FtraceEnabled = []string{"lockdown", "capability", "yama"}, false, number(0)
	limited.UnprivilegedBPFDisabled, limited.Lockdown = number(0), "confidentiality"

	bare := serverFacts()
	bare.Mounts = []kernel.Mount{{Type: "proc", Path: "/proc", HidePID: "2"}, {Type: "cgroup2"}, {Type: "tracefs"}, {Type: "securityfs"}}
	bare.LSMs, bare.LSMReason, bare.Lockdown = nil, "securityfs is not mounted", ""
	bare.FtraceEnabled, bare.UnprivilegedBPFDisabled = nil, nil

	user := serverFacts()
	user.UID, user.Capabilities = 1000, nil
	user.Mounts[0].HidePID = "invisible"

	container := serverFacts()
	container.UserNamespace = true

	old := serverFacts()
	old.BTF, old.Mounts = false, []kernel.Mount{{Type: "proc"}}

	var refused []kernel.Probe
	for _, ability := range kernel.Abilities {
		refused = append(refused, kernel.Probe{Ability: ability, Step: "create", Reason: "operation not permitted"})
	}
	return map[string]Host{
		"server": {returning(serverFacts()), probing(allWork()), tiers("lsm"), held(&enforce.Held{Running: true, Policies: []enforce.HeldPolicy{{Name: "sshd"}}})},
		"limited": {returning(limited), probing(failing(
			kernel.Probe{Ability: kernel.LSM, Step: "run", Reason: "the kernel attached the program and did not call it"},
			kernel.Probe{Ability: kernel.Fentry, Step: "load", Reason: "operation not permitted"},
			kernel.Probe{Ability: kernel.Kprobe, Step: "attach", Reason: "no such file or directory"},
			kernel.Probe{Ability: kernel.TaskStorage, Step: "create", Reason: "invalid argument"},
		)), tiers("tracepoint", Rejection{"lsm", "bpf is not active"}, Rejection{"fentry", "load: operation not permitted"}, Rejection{"kprobe", "no such file"}),
			held(&enforce.Held{Silent: 3 * time.Minute, Policies: []enforce.HeldPolicy{{Name: "sshd"}, {Name: "web-root"}}})},
		"bare": {returning(bare), probing(failing(
			kernel.Probe{Ability: kernel.SyscallTracepoint, Step: "attach", Reason: "tracefs not found"},
		)), tiers("kprobe", Rejection{"lsm", "unknown"}), func() (*enforce.Held, error) { return nil, errors.New("bpf: not supported") }},
		"user":      {returning(user), probing(refused), func() ([]KindTier, error) { return nil, permitted }, held(nil)},
		"container": {returning(container), probing(refused), func() ([]KindTier, error) { return nil, permitted }, held(nil)},
		"old": {returning(old), probing(allWork()), func() ([]KindTier, error) {
			return []KindTier{
				{Kind: "process.exec", Tier: "tracepoint"},
				{Kind: "process.fork", Tier: "tracepoint"},
				{Kind: "network.connect", Reason: "no tier works"},
				{Kind: "kernel.module_load", Absent: "this kernel has no loadable modules"},
				{Kind: "file.open", Reason: "no tier works"},
			}, nil
		}, held(nil)},
	}
}

func returning(facts kernel.Facts) func() kernel.Facts { return func() kernel.Facts { return facts } }
func held(h *enforce.Held) func() (*enforce.Held, error) {
	return func() (*enforce.Held, error) { return h, nil }
}
func probing(p []kernel.Probe) func() []kernel.Probe { return func() []kernel.Probe { return p } }

func TestReports(t *testing.T) {
	main := map[string]bool{"server": true, "limited": true, "bare": true}
	for name, host := range hosts() {
		t.Run(name, func(t *testing.T) {
			report := Examine(host, "0.1.0")
			assert.Equal(t, main[name], report.OK)
			var text, data bytes.Buffer
			require.NoError(t, report.WriteText(&text, false))
			golden(t, name+".txt", text.Bytes())
			require.NoError(t, report.WriteJSON(&data))
			golden(t, name+".json", data.Bytes())

			var back Report
			require.NoError(t, json.Unmarshal(data.Bytes(), &back))
			assert.Equal(t, report, back)
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got))
}

func TestColour(t *testing.T) {
	var text bytes.Buffer
	require.NoError(t, Examine(hosts()["server"], "0.1.0").WriteText(&text, true))
	assert.Contains(t, text.String(), "\x1b[32m✓\x1b[0m")
	assert.Contains(t, text.String(), "\x1b[1mKernel\x1b[0m")
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestWriteErrors(t *testing.T) {
	report := Examine(hosts()["server"], "0.1.0")
	assert.ErrorIs(t, report.WriteText(brokenWriter{}, false), os.ErrClosed)
	assert.ErrorIs(t, report.WriteJSON(brokenWriter{}), os.ErrClosed)
}

func TestWrap(t *testing.T) {
	assert.Equal(t, []string{"one two", "three"}, wrap("one two three", 7))
	assert.Equal(t, []string{"a", "longword", "b"}, wrap("a longword b", 3))
	assert.Equal(t, []string{"→ →"}, wrap("→ →", 3))
}

func TestMayLoad(t *testing.T) {
	for _, tt := range []struct {
		name  string
		facts kernel.Facts
		want  bool
	}{
		{"nothing", kernel.Facts{}, false},
		{"bpf alone", kernel.Facts{Capabilities: []string{"CAP_BPF"}}, false},
		{"bpf and perfmon", kernel.Facts{Capabilities: []string{"CAP_BPF", "CAP_PERFMON"}}, true},
		{"admin", kernel.Facts{Capabilities: []string{"CAP_SYS_ADMIN"}}, true},
		{"admin of a user namespace", kernel.Facts{Capabilities: []string{"CAP_SYS_ADMIN"}, UserNamespace: true}, false},
	} {
		t.Run(tt.name, func(t *testing.T) { assert.Equal(t, tt.want, MayLoad(tt.facts)) })
	}
}
