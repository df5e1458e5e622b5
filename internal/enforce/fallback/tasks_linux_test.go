// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package fallback

import (
	"bufio"
	"io"
	"os/exec"
	"strconv"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/ring"
)

// becoming is a process that runs a second program in its place when it is told to.
type becoming struct {
	t   *testing.T
	c   *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	pid uint32
}

func newBecoming(t *testing.T, first string, args ...string) *becoming {
	t.Helper()
	b := &becoming{t: t, c: command(first, append([]string{"become"}, args...)...)}
	var err error
	b.in, err = b.c.StdinPipe()
	require.NoError(t, err)
	out, err := b.c.StdoutPipe()
	require.NoError(t, err)
	b.out = bufio.NewReader(out)
	require.NoError(t, b.c.Start())
	b.pid = uint32(b.c.Process.Pid)
	t.Cleanup(func() {
		_ = b.c.Process.Kill()
		_ = b.c.Wait()
	})
	b.ready()
	return b
}

func (b *becoming) ready() {
	b.t.Helper()
	line, err := b.out.ReadString('\n')
	require.NoError(b.t, err)
	require.Equal(b.t, "ready\n", line)
}

func (b *becoming) becomes() {
	b.t.Helper()
	_, err := b.in.Write([]byte("\n"))
	require.NoError(b.t, err)
	b.ready()
}

// ends lets it do the last thing, and gives what became of that.
func (b *becoming) ends() unix.Errno {
	b.t.Helper()
	require.NoError(b.t, b.in.Close())
	_ = b.c.Wait()
	return unix.Errno(b.c.ProcessState.ExitCode())
}

// What was found out of a process does not hold once it runs another program, whether the kernel side had seen the process before or not.
func TestWhatIsFoundOutEndsWithTheProgram(t *testing.T) {
	ring.Require(t, ring.Native)
	first, second, port := copyOf(t, "first"), copyOf(t, "second"), strconv.Itoa(listener(t))
	const text = `
policy: egress
mode: enforce
rules:
  - {name: first, network: {operations: [connect], deny: ["127.0.0.1:1"]}, who: [{executable: %s}]}
  - {name: second, network: {operations: [connect], deny: ["127.0.0.1:%s"]}, who: [{executable: %s, lineage: false}]}
`
	e := loadedWith(t, text, first, port, second)
	k, programs := e.kernel, e.programs
	number := map[string]*program{}
	for _, p := range programs.byNumber {
		number[p.name] = p
	}
	for _, one := range []struct {
		name      string
		forgotten bool
	}{{"seen", false}, {"from before", true}} {
		t.Run(one.name, func(t *testing.T) {
			b := newBecoming(t, first, second, "later", "connect", port)
			k.backfilled = 0 // as if no program had been named before
			if one.forgotten {
				require.NoError(t, k.maps.Maps[bpf.FallbackMapTasks].Delete(b.pid))
			}
			given, ok := k.find(b.pid, programs)
			require.True(t, ok)
			assert.True(t, has(&given.Own, number[first]))
			b.becomes()
			done, err := k.give(b.pid, given)
			require.NoError(t, err)
			assert.False(t, done, "it is to be looked at once more")
			for range 2 {
				state, _ := k.state(b.pid)
				assert.False(t, has(&state.Own, number[first]))
				assert.True(t, has(&state.Own, number[second]))
				require.NoError(t, k.backfillOne(b.pid, programs))
			}
			k.backfilled = len(programs.byNumber)
			state, _ := k.state(b.pid)
			assert.True(t, has(&state.Chain, number[first]), "it still led there")
			assert.Equal(t, unix.EPERM, b.ends())
		})
	}
}

// What was found out of a process is taken over by the program that it runs next, and goes when the process ends.
func TestWhatIsFoundOutIsTakenOver(t *testing.T) {
	ring.Require(t, ring.Native)
	first, second, port := copyOf(t, "first"), copyOf(t, "second"), strconv.Itoa(listener(t))
	e := loadedWith(t, `
policy: egress
mode: enforce
rules:
  - {name: first, network: {operations: [connect], deny: ["127.0.0.1:%s"]}, who: [{executable: %s}]}
`, port, first)
	k := e.kernel
	b := newBecoming(t, first, second, "later", "run", second, "connect", port)
	require.NoError(t, k.maps.Maps[bpf.FallbackMapTasks].Delete(b.pid))
	k.backfilled = 0
	require.NoError(t, k.backfillOne(b.pid, e.programs))
	given, ok := k.find(b.pid, e.programs)
	require.True(t, ok)
	k.backfilled = len(e.programs.byNumber)
	b.becomes()
	assert.Equal(t, unix.EPERM, b.ends(), "and by what it starts")
	isGiven := func() bool {
		var found bpf.FallbackTaskState
		err := k.maps.Maps[bpf.FallbackMapGivens].Lookup(b.pid, &found)
		if err != nil {
			require.ErrorIs(t, err, ebpf.ErrKeyNotExist)
		}
		return err == nil
	}
	assert.False(t, isGiven())
	_, err := k.give(b.pid, given)
	require.NoError(t, err)
	assert.False(t, isGiven(), "nothing is kept of a process that has ended")
}
