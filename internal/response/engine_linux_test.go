// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package response

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vedette-sec/vedette/extension/enforcementextension/enforcement"
	"github.com/vedette-sec/vedette/internal/process"
	"github.com/vedette-sec/vedette/internal/response/firewall"
	"github.com/vedette-sec/vedette/internal/response/journal"
	"github.com/vedette-sec/vedette/internal/response/target"
	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/internal/users"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testConfig allows everything, in places of this test alone: the cgroup has no processes in it.
func testConfig(t *testing.T) Config {
	root, err := firewall.RootCgroup()
	if err != nil {
		ring.Cannot(t, err.Error())
	}
	cgroup := filepath.Join(root, fmt.Sprintf("vedette-response-%d", os.Getpid()))
	require.NoError(t, os.MkdirAll(cgroup, 0o755))
	c := Config{
		StateDirectory: filepath.Join(t.TempDir(), "state"),
		Vault:          filepath.Join(t.TempDir(), "vault"),
		Allow:          enforcement.Actions(),
		Rates:          map[enforcement.Action]Rate{},
		Expiry:         map[enforcement.Action]time.Duration{},
		Protection:     target.Protection{Names: users.New("/etc/passwd", time.Now)},
		Peers:          []netip.Prefix{netip.MustParsePrefix("198.51.100.1/32")},
		Firewall:       firewall.Firewall{Directory: fmt.Sprintf("/sys/fs/bpf/vedette-response-%d", os.Getpid()), Cgroup: cgroup},
	}
	t.Cleanup(func() {
		state, err := c.Firewall.State()
		assert.NoError(t, err)
		for address := range state.Blocks {
			assert.NoError(t, c.Firewall.Unblock(address))
		}
		assert.NoError(t, c.Firewall.Release())
		assert.NoError(t, os.Remove(cgroup))
	})
	return c
}

func open(t *testing.T, c Config, agent bool) *Engine {
	e, err := Open(c, Create, agent)
	require.NoError(t, err)
	e.processes.EndWait = 60 * time.Second
	t.Cleanup(func() { _ = e.Close() })
	if agent {
		require.NoError(t, e.Recover())
	}
	return e
}

func sleeper(t *testing.T, e *Engine) enforcement.Process {
	cmd := exec.Command("sleep", "600")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	stat, err := process.ProcFS{Root: "/proc"}.ReadStat(uint32(cmd.Process.Pid))
	require.NoError(t, err)
	return enforcement.Process{PID: stat.Key.PID, EntityID: stat.Key.EntityID(e.processes.BootID)}
}

func stopped(p enforcement.Process) bool {
	stat, err := process.ProcFS{Root: "/proc"}.ReadStat(p.PID)
	return err == nil && stat.State == 'T'
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, 60*time.Second, 5*time.Millisecond)
}

var blockRequest = enforcement.Request{Action: enforcement.BlockAddress, Address: netip.MustParseAddr("203.0.113.77"), AlertID: "a"}

func TestWhatIsNotAllowedIsNotDone(t *testing.T) {
	ring.Require(t, ring.Native)
	c := testConfig(t)
	c.Allow = []enforcement.Action{enforcement.KillProcess}
	e := open(t, c, true)
	result := e.Apply(blockRequest)
	assert.Equal(t, enforcement.NotAllowed, result.Outcome)
	assert.Equal(t, "the configuration does not allow block_address", result.Reason)
	assert.Equal(t, blockRequest, result.Request)
	assert.NoDirExists(t, c.Firewall.Directory)
}

func TestDryRun(t *testing.T) {
	ring.Require(t, ring.Native)
	c := testConfig(t)
	c.DryRun = true
	e := open(t, c, true)
	p := sleeper(t, e)
	for _, request := range []enforcement.Request{blockRequest, {Action: enforcement.KillTree, Process: p}, {Action: enforcement.IsolateHost}} {
		result := e.Apply(request)
		assert.Equal(t, enforcement.DryRun, result.Outcome, result.Reason)
		assert.Empty(t, result.UndoID)
	}
	assert.NoDirExists(t, c.Firewall.Directory)
	assert.NoError(t, syscall.Kill(int(p.PID), 0))
	all, err := e.Entries()
	require.NoError(t, err)
	assert.Len(t, all, 3, "what would have been done is recorded")
	_, err = e.Undo(all[0].ID)
	assert.ErrorContains(t, err, "is not in force: its outcome was dry_run")
	protected := e.Apply(enforcement.Request{Action: enforcement.BlockAddress, Address: netip.MustParseAddr("::1")})
	assert.Equal(t, enforcement.Refused, protected.Outcome, "the same checks as without")
}

func TestRateLimit(t *testing.T) {
	ring.Require(t, ring.Native)
	c := testConfig(t)
	c.DryRun = true
	c.Rates[enforcement.BlockAddress] = Rate{Count: 2, Window: time.Hour}
	e := open(t, c, true)
	var outcomes []enforcement.Outcome
	for _, address := range []string{"::1", "203.0.113.1", "203.0.113.2", "203.0.113.3"} {
		outcomes = append(outcomes, e.Apply(enforcement.Request{Action: enforcement.BlockAddress, Address: netip.MustParseAddr(address)}).Outcome)
	}
	assert.Equal(t, []enforcement.Outcome{"refused", "dry_run", "dry_run", "rate_limited"}, outcomes)
}

func TestKillIsRecorded(t *testing.T) {
	ring.Require(t, ring.Native)
	e := open(t, testConfig(t), true)
	p := sleeper(t, e)
	result := e.Apply(enforcement.Request{Action: enforcement.KillProcess, Process: p, Rule: enforcement.Rule{ID: "r"}})
	require.Equal(t, enforcement.Done, result.Outcome, result.Reason)
	assert.Empty(t, result.UndoID)
	all, err := e.Entries()
	require.NoError(t, err)
	require.Len(t, all, 1)
	assert.Equal(t, "r", all[0].Request.Rule.ID)
	_, err = e.Undo(all[0].ID)
	assert.ErrorContains(t, err, "kill_process cannot be undone")
	again := e.Apply(enforcement.Request{Action: enforcement.KillProcess, Process: p})
	assert.Equal(t, enforcement.Failed, again.Outcome)
	assert.Equal(t, "the process has ended", again.Reason)
}

func TestSuspendIsUndoneByAnOperatorBesideTheAgent(t *testing.T) {
	ring.Require(t, ring.Native)
	c := testConfig(t)
	agent := open(t, c, true)
	p := sleeper(t, agent)
	result := agent.Apply(enforcement.Request{Action: enforcement.Suspend, Process: p})
	require.Equal(t, enforcement.Done, result.Outcome, result.Reason)
	eventually(t, func() bool { return stopped(p) })
	again := agent.Apply(enforcement.Request{Action: enforcement.Suspend, Process: p})
	assert.Equal(t, result.UndoID, again.UndoID)

	operator := open(t, Config{StateDirectory: c.StateDirectory, Firewall: c.Firewall}, false)
	_, err := operator.Restore(result.UndoID)
	assert.ErrorContains(t, err, "is no file in quarantine but suspend")
	_, err = operator.Undo(result.UndoID)
	require.NoError(t, err)
	eventually(t, func() bool { return !stopped(p) })
	_, err = operator.Undo(result.UndoID)
	assert.ErrorContains(t, err, "is not in force: it ended at")
	_, err = operator.Undo("x")
	assert.ErrorContains(t, err, `no response has the id "x"`)

	results, err := agent.Tick()
	require.NoError(t, err)
	require.Len(t, results, 1, "the agent tells of it")
	assert.Equal(t, enforcement.Undo, results[0].Step)
	results, err = agent.Tick()
	require.NoError(t, err)
	assert.Empty(t, results, "once")
}

func TestExpiryIsHonouredAfterARestart(t *testing.T) {
	ring.Require(t, ring.Native)
	c := testConfig(t)
	c.Expiry[enforcement.Suspend] = time.Second
	agent := open(t, c, true)
	p := sleeper(t, agent)
	require.Equal(t, enforcement.Done, agent.Apply(enforcement.Request{Action: enforcement.Suspend, Process: p}).Outcome)
	require.NoError(t, agent.Close())
	agent = open(t, c, true)
	var results []enforcement.Result
	eventually(t, func() bool {
		more, err := agent.Tick()
		require.NoError(t, err)
		results = append(results, more...)
		return len(results) > 0
	})
	assert.Equal(t, enforcement.Expire, results[0].Step)
	eventually(t, func() bool { return !stopped(p) })
}

func TestBlocksAreAdoptedAndPutInForceAgain(t *testing.T) {
	ring.Require(t, ring.Native)
	c := testConfig(t)
	agent := open(t, c, true)
	result := agent.Apply(blockRequest)
	require.Equal(t, enforcement.Done, result.Outcome, result.Reason)
	longer := blockRequest
	longer.Expiry = time.Hour
	assert.Equal(t, enforcement.Done, agent.Apply(longer).Outcome)
	require.NoError(t, agent.Close())
	// As after a reboot, the kernel has forgotten.
	require.NoError(t, c.Firewall.Unblock(blockRequest.Address))
	require.NoDirExists(t, c.Firewall.Directory)
	agent = open(t, c, true)
	state, err := c.Firewall.State()
	require.NoError(t, err)
	require.Contains(t, state.Blocks, blockRequest.Address)
	assert.Zero(t, state.Blocks[blockRequest.Address].Expires, "a block for ever is not shortened")
	entry, err := agent.Undo(result.UndoID)
	require.NoError(t, err)
	assert.Equal(t, "0 calls and packets were refused", entry.End.Reason)
	assert.NoDirExists(t, c.Firewall.Directory)
}

func TestIsolationNeedsPeers(t *testing.T) {
	ring.Require(t, ring.Native)
	c := testConfig(t)
	agent := open(t, c, true)
	result := agent.Apply(enforcement.Request{Action: enforcement.IsolateHost})
	require.Equal(t, enforcement.Done, result.Outcome, result.Reason)
	state, err := c.Firewall.State()
	require.NoError(t, err)
	assert.True(t, state.Isolated)
	require.NoError(t, agent.Close())
	c.Peers = nil
	agent = open(t, c, true)
	state, err = c.Firewall.State()
	require.NoError(t, err)
	assert.False(t, state.Isolated, "is ended when nobody could reach the host")
	assert.Equal(t, enforcement.Refused, agent.Apply(enforcement.Request{Action: enforcement.IsolateHost}).Outcome)
}

func TestQuarantineAndRestore(t *testing.T) {
	ring.Require(t, ring.Native)
	c := testConfig(t)
	agent := open(t, c, true)
	path := filepath.Join(t.TempDir(), "evil")
	content, err := os.ReadFile("/proc/self/exe")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, content, 0o700))
	var stat syscall.Stat_t
	require.NoError(t, syscall.Stat(path, &stat))
	unknown := enforcement.Request{Action: enforcement.QuarantineFile, File: enforcement.File{Path: path}}
	assert.Equal(t, enforcement.Refused, agent.Apply(unknown).Outcome, "neither an inode nor a process")
	request := unknown
	request.File.Inode = stat.Ino
	result := agent.Apply(request)
	require.Equal(t, enforcement.Done, result.Outcome, result.Reason)
	assert.NoFileExists(t, path)
	_, err = agent.Undo(result.UndoID)
	assert.ErrorContains(t, err, "is a file in quarantine; `vedette response restore")
	_, err = agent.Restore(result.UndoID)
	require.NoError(t, err)
	restored, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, content, restored)
	gone := request
	gone.File.Inode++
	assert.Equal(t, enforcement.Refused, agent.Apply(gone).Outcome)
}

func TestTheFileOfAProcessNeedsNoInode(t *testing.T) {
	ring.RequireOnHost(t)
	agent := open(t, testConfig(t), true)
	path := filepath.Join(t.TempDir(), "evil")
	content, err := os.ReadFile("/usr/bin/sleep")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, content, 0o700))
	cmd := exec.Command(path, "600")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	stat, err := process.ProcFS{Root: "/proc"}.ReadStat(uint32(cmd.Process.Pid))
	require.NoError(t, err)
	p := enforcement.Process{PID: stat.Key.PID, EntityID: stat.Key.EntityID(agent.processes.BootID)}
	other := agent.Apply(enforcement.Request{Action: enforcement.QuarantineFile, Process: p, File: enforcement.File{Path: "/tmp/other"}})
	assert.Equal(t, enforcement.Refused, other.Outcome)
	assert.Contains(t, other.Reason, "and its process runs "+path)
	result := agent.Apply(enforcement.Request{Action: enforcement.QuarantineFile, Process: p, File: enforcement.File{Path: path}})
	require.Equal(t, enforcement.Done, result.Outcome, result.Reason)
	assert.NoFileExists(t, path)
}

func TestWhatACrashLeftUnfinishedIsClosed(t *testing.T) {
	ring.Require(t, ring.Native)
	c := testConfig(t)
	agent := open(t, c, true)
	begun := agent.entry(blockRequest)
	begun.Active = true
	never := agent.entry(enforcement.Request{Action: enforcement.QuarantineFile, File: enforcement.File{Path: "/x", Inode: 1}})
	never.Active = true
	require.NoError(t, agent.journal.Do(func(change *journal.Change) error {
		require.NoError(t, change.Put(never))
		return change.Put(begun)
	}))
	require.NoError(t, agent.Close())
	agent = open(t, c, true)
	all, err := agent.Entries()
	require.NoError(t, err)
	require.Len(t, all, 2)
	assert.False(t, all[0].Active)
	assert.True(t, all[1].Active)
	assert.Equal(t, "the agent ended before it was finished", all[1].Reason)
	state, err := c.Firewall.State()
	require.NoError(t, err)
	assert.Contains(t, state.Blocks, blockRequest.Address)
}

func TestEndsOfEntriesThatAreGoneAreForgotten(t *testing.T) {
	e := &Engine{ended: map[string]bool{"gone": true, "kept": true}}
	e.forget([]journal.Entry{{ID: "kept"}, {ID: "new"}})
	assert.Len(t, e.ended, 2, "there is no need to look")
	e.forget([]journal.Entry{{ID: "kept"}})
	assert.Equal(t, map[string]bool{"kept": true}, e.ended)
}
