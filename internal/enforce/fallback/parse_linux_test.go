// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package fallback

import (
	"encoding/binary"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// record makes an event as the kernel writes it.
func record(mask uint64, info []byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(metadataLength+len(info)))
	b = append(b, unix.FANOTIFY_METADATA_VERSION, 0)
	b = binary.NativeEndian.AppendUint16(b, metadataLength)
	b = binary.NativeEndian.AppendUint64(b, mask)
	b = binary.NativeEndian.AppendUint32(b, ^uint32(0))
	b = binary.NativeEndian.AppendUint32(b, 4711)
	return append(b, info...)
}

// info makes an information record about a name in a directory.
func info(kind uint8, fsid [8]byte, handle, name string) []byte {
	b := append([]byte{}, fsid[:]...)
	b = binary.NativeEndian.AppendUint32(b, uint32(len(handle)))
	b = binary.NativeEndian.AppendUint32(b, 1)
	b = append(append(b, handle...), name...)
	b = append(b, 0)
	head := []byte{kind, 0, 0, 0}
	binary.NativeEndian.PutUint16(head[2:], uint16(infoHeader+len(b)))
	return append(head, b...)
}

func TestParseEvents(t *testing.T) {
	fsid := [8]byte{1, 2}
	b := record(unix.FAN_RENAME, append(info(unix.FAN_EVENT_INFO_TYPE_OLD_DFID_NAME, fsid, "abcd", "old"), info(unix.FAN_EVENT_INFO_TYPE_NEW_DFID_NAME, fsid, "efgh", "new")...))
	b = append(b, record(unix.FAN_OPEN_PERM, nil)...)
	events, err := parseEvents(b)
	require.NoError(t, err)
	require.Len(t, events, 2)
	assert.EqualValues(t, 4711, events[0].id)
	assert.Equal(t, map[uint8]dirName{
		unix.FAN_EVENT_INFO_TYPE_OLD_DFID_NAME: {handleKey(fsid, 1, []byte("abcd")), "old"},
		unix.FAN_EVENT_INFO_TYPE_NEW_DFID_NAME: {handleKey(fsid, 1, []byte("efgh")), "new"},
	}, events[0].names)
	assert.EqualValues(t, unix.FAN_NOFD, events[1].fd)
	for cut := 1; cut < metadataLength; cut++ {
		_, err := parseEvents(b[:cut])
		require.Error(t, err)
	}
}

func FuzzParseEvents(f *testing.F) {
	f.Add(record(unix.FAN_CREATE, info(unix.FAN_EVENT_INFO_TYPE_DFID_NAME, [8]byte{}, "abcd", "name")))
	f.Add(record(unix.FAN_OPEN_PERM, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		events, err := parseEvents(b)
		if err == nil && len(b) > 0 && len(events) == 0 {
			t.Error("bytes without an event, and without an error")
		}
	})
}

func FuzzParseMounts(f *testing.F) {
	f.Add("36 35 98:0 /root /mount\\040point rw - ext4 /dev/root rw\n")
	f.Fuzz(func(t *testing.T, text string) {
		mounts, err := parseMounts(strings.NewReader(text))
		if err == nil && len(mounts) > strings.Count(text, "\n")+1 {
			t.Error("more mounts than lines")
		}
	})
}

func TestParseMounts(t *testing.T) {
	mounts, err := parseMounts(strings.NewReader("36 35 8:1 /root /mount\\040point rw,noatime shared:1 - ext4 /dev/root rw\nbroken\n"))
	require.NoError(t, err)
	assert.Equal(t, []mount{{36, 8<<20 | 1, "/root", "/mount point", "ext4"}}, mounts)
}

func TestFlagsOfOpens(t *testing.T) {
	for _, one := range []struct {
		line  string
		flags int
		known bool
	}{
		{"257 0xffffffffffffff9c 0x7ffd 0x241 0x1b6 0x0 0x0 0x7ffd 0x7f0c", unix.O_WRONLY | unix.O_CREAT | unix.O_TRUNC, true},
		{"2 0x7ffd 0x2 0x0 0x0 0x0 0x0 0x7ffd 0x7f0c", unix.O_RDWR, true},
		{"85 0x7ffd 0x1b6 0x0 0x0 0x0 0x0 0x7ffd 0x7f0c", unix.O_WRONLY | unix.O_TRUNC, true},
		{"59 0x7ffd 0x0 0x0 0x0 0x0 0x0 0x7ffd 0x7f0c", runs, true},
		{"426 0x3 0x1 0x1 0x1 0x0 0x8 0x7ffd 0x7f0c", 0, false},
		{"-1 0x7ffd 0x7f0c", 0, false},
		{"", 0, false},
	} {
		flags, known := flagsOf(one.line, 0)
		assert.Equal(t, one.known, known, one.line)
		assert.Equal(t, one.flags, flags, one.line)
	}
}

// On a loaded host it takes long until who opens a file is seen waiting, and what it asked for is to be known all the same.
func TestOpenerIsWaitedFor(t *testing.T) {
	now, looked := time.Unix(0, 0), 0
	sleep := func(pause time.Duration) { now = now.Add(pause) }
	waitsAfter := func(busy time.Duration) func() ([]byte, error) {
		seen := now.Add(busy)
		return func() ([]byte, error) {
			looked++
			if now.Before(seen) {
				return []byte("running\n"), nil
			}
			return []byte("257 0xffffffffffffff9c 0x7ffd 0x2 0x0 0x0 0x0 0x7ffd 0x7f0c\n"), nil
		}
	}
	clock := func() time.Time { return now }
	flags, known := whenWaiting(0, waitsAfter(lookFor/2), clock, sleep)
	assert.True(t, known)
	assert.Equal(t, unix.O_RDWR, flags)
	assert.Less(t, looked, 200, "each look costs")
	_, known = whenWaiting(0, waitsAfter(2*lookFor), clock, sleep)
	assert.False(t, known, "it is not waited for without end")
	_, known = whenWaiting(0, func() ([]byte, error) { return nil, os.ErrNotExist }, clock, sleep)
	assert.False(t, known, "it is gone")
}

// What is kept of a process as bits must be judged as the programs that led to it would be.
func TestLineageMeansWhatLedThere(t *testing.T) {
	programs := newRegistry()
	for i, name := range []string{"/a", "/b", "/c"} {
		programs.byNumber = append(programs.byNumber, &program{number: i, name: name})
	}
	state := &bpf.FallbackTaskState{Flags: uint32(bpf.FallbackTaskFlagsTASK_TRUSTED)}
	set(&state.Own, programs.byNumber[0])
	set(&state.Chain, programs.byNumber[0])
	set(&state.Trusted, programs.byNumber[1])
	set(&state.Chain, programs.byNumber[1])
	set(&state.Chain, programs.byNumber[2])
	assert.Equal(t, []policy.Program{
		{Executable: "/a", Trusted: true}, {Executable: "/b", Trusted: true}, {}, {Executable: "/c", Trusted: true},
	}, lineage(state, programs))
	state.Flags, state.Trusted = 0, words{}
	assert.Equal(t, []policy.Program{{Executable: "/a"}, {}, {Executable: "/b", Trusted: true}, {Executable: "/c", Trusted: true}}, lineage(state, programs))
}
