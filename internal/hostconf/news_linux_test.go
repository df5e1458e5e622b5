// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/fileevent"
	"github.com/vedette-sec/vedette/internal/ring"
)

// told is a host that was looked at, with what a sensor says from then on.
func told(t *testing.T, root string, look func(h *Host)) (*Host, *News, *fileevent.Source) {
	hub, news := &fileevent.Hub{}, NewNews()
	t.Cleanup(hub.Subscribe(news))
	source := hub.Open()
	h := kept(t, root, Effort{})
	h.Hear(news)
	watched := h.Watched()
	look(watched)
	h.Settle(watched.Looks())
	<-news.Wake() // that the service began
	return h, news, source
}

func TestActsConcernWhatWasLookedAt(t *testing.T) {
	root := t.TempDir()
	write(t, root, "etc/ssh/sshd_config", "", 0o600)
	write(t, root, "usr/lib/os-release", "", 0o644)
	require.NoError(t, os.Symlink("../usr/lib/os-release", filepath.Join(root, "etc/os-release")))
	require.NoError(t, os.MkdirAll(filepath.Join(root, "run/real"), 0o755))
	require.NoError(t, os.Symlink("/run", filepath.Join(root, "var")))
	require.NoError(t, os.Symlink("loop", filepath.Join(root, "loop")))
	h, _, _ := told(t, root, func(h *Host) {
		_, _ = h.Read("/etc/ssh/sshd_config")
		_, _ = h.Read("/etc/os-release")
		_, _ = h.Stat("/etc/not/there/yet")
		_, _ = h.Names("/var/real")
		_, _ = h.Read("/loop/file")
		_, _ = h.Read("/proc/self/mounts")
	})
	i := h.newInterest()
	for name, tc := range map[string]struct {
		event fileevent.Event
		want  []Look
	}{
		"a file that is written":           {fileevent.Event{Path: "/etc/ssh/sshd_config"}, []Look{{bytesOf, "/etc/ssh/sshd_config"}}},
		"the same below the root":          {fileevent.Event{Path: root + "/etc/ssh/sshd_config"}, []Look{{bytesOf, "/etc/ssh/sshd_config"}}},
		"another file":                     {fileevent.Event{Path: "/etc/ssh/ssh_config"}, nil},
		"a file beside it":                 {fileevent.Event{Act: fileevent.Made, Path: "/etc/ssh/sshd_config.new"}, nil},
		"what takes its place":             {fileevent.Event{Act: fileevent.Renamed, Path: "/etc/ssh/sshd_config", From: "/etc/x"}, []Look{{bytesOf, "/etc/ssh/sshd_config"}, {bytesOf, "/etc/ssh/sshd_config"}}},
		"what takes its name away":         {fileevent.Event{Act: fileevent.Renamed, Path: "/x", From: "/etc/ssh"}, []Look{{bytesOf, "/etc/ssh/sshd_config"}}},
		"attributes of a directory":        {fileevent.Event{Act: fileevent.Attributed, Path: "/etc/ssh", Mode: 0o755}, nil},
		"where a link leads":               {fileevent.Event{Path: "/usr/lib/os-release"}, []Look{{bytesOf, "/etc/os-release"}}},
		"a link that leads elsewhere":      {fileevent.Event{Act: fileevent.Made, Path: "/var"}, []Look{{namesOf, "/var/real"}}},
		"what was not there":               {fileevent.Event{Act: fileevent.Made, Path: "/etc/not"}, []Look{{attributesOf, "/etc/not/there/yet"}}},
		"a name in a directory":            {fileevent.Event{Act: fileevent.Made, Path: "/run/real/new"}, []Look{{namesOf, "/var/real"}}},
		"a write in a directory":           {fileevent.Event{Act: fileevent.Opened, Path: "/run/real/new"}, nil},
		"what the kernel makes":            {fileevent.Event{Path: "/proc/self/mounts"}, nil},
		"setuid where nothing walked":      {fileevent.Event{Act: fileevent.Attributed, Path: "/x", Mode: 0o4755}, nil},
		"a directory away that has a link": {fileevent.Event{Act: fileevent.Removed, Path: "/usr/lib"}, []Look{{bytesOf, "/etc/os-release"}}},
	} {
		assert.ElementsMatch(t, tc.want, i.of(tc.event), name)
	}
}

func TestOnlyWhatWasToldIsAsked(t *testing.T) {
	root := t.TempDir()
	write(t, root, "etc/a", "1", 0o600)
	write(t, root, "etc/b", "1", 0o600)
	a, b := []Look{{bytesOf, "/etc/a"}}, []Look{{bytesOf, "/etc/b"}}
	h, news, source := told(t, root, func(h *Host) {
		_, _ = h.Read("/etc/a")
		_, _ = h.Read("/etc/b")
	})
	h.memory.racy.Clear() // as if the files were old
	write(t, root, "etc/a", "22", 0o600)
	write(t, root, "etc/b", "22", 0o600)
	source.Tell(fileevent.Event{Path: "/etc/b"})
	<-news.Wake()
	serving, pending, lost := news.State()
	assert.Equal(t, []bool{true, true, false}, []bool{serving, pending, lost})
	h, changed := h.NextTold()
	assert.False(t, changed(a))
	assert.True(t, changed(b))
	_, pending, _ = news.State()
	assert.False(t, pending)

	source.Lost()
	<-news.Wake()
	h, _ = h.NextTold()
	_, _, lost = news.State()
	assert.True(t, lost, "until everything was looked at")
	_, changed = h.Next()
	assert.True(t, changed(a), "what was not told is found")
	_, _, lost = news.State()
	assert.False(t, lost)
	source.Close()
	<-news.Wake()
	assert.False(t, news.serves())
}

func TestActsThatMatterAnywhere(t *testing.T) {
	for name, tc := range map[string]struct {
		event fileevent.Event
		want  bool
	}{
		"setuid":                         {fileevent.Event{Act: fileevent.Attributed, Mode: 0o4755}, true},
		"a new owner":                    {fileevent.Event{Act: fileevent.Attributed}, true},
		"a usual mode":                   {fileevent.Event{Act: fileevent.Attributed, Mode: unix.S_IFREG | 0o644}, false},
		"a file for everybody":           {fileevent.Event{Act: fileevent.Made, Mode: unix.S_IFREG | 0o666}, true},
		"a usual file":                   {fileevent.Event{Act: fileevent.Made, Mode: unix.S_IFREG | 0o644}, false},
		"a directory as it is asked for": {fileevent.Event{Act: fileevent.Made, Mode: unix.S_IFDIR | 0o777}, false},
		"a link":                         {fileevent.Event{Act: fileevent.Made, Mode: unix.S_IFLNK | 0o777}, false},
		"a write":                        {fileevent.Event{Act: fileevent.Opened, Mode: unix.S_IFREG | 0o666}, false},
	} {
		assert.Equal(t, tc.want, mayMatterAnywhere(tc.event), name)
	}
}

// walkedByNews walks a host of which the kernel tells nothing.
func walkedByNews(t *testing.T, root string, read *atomic.Int64) (*Host, *News, *fileevent.Source) {
	hub, news := &fileevent.Hub{}, NewNews()
	t.Cleanup(hub.Subscribe(news))
	h := kept(t, root, counted(read))
	w := h.memory.walker
	require.NoError(t, w.watch.Close())
	w.watch, w.why = nil, errors.New("an old kernel")
	h.Hear(news)
	source := hub.Open()
	_, err := h.Walk()
	require.NoError(t, err)
	h.Settle([]Look{{changesAnywhere, ""}})
	return h, news, source
}

func TestNewsStandInForTheKernel(t *testing.T) {
	ring.RequireOnHost(t)
	root := t.TempDir()
	accountsOfThisUser(t, root)
	for i := range 100 {
		write(t, root, "srv/"+strconv.Itoa(i)+"/file", "", 0o644)
	}
	var read atomic.Int64
	h, news, source := walkedByNews(t, root, &read)
	walk := func() []string {
		read.Store(0)
		h.memory.racy.Clear() // as if the accounts were old
		h, _ = h.Next()
		watched := h.Watched()
		found, err := watched.Walk()
		require.NoError(t, err)
		h.Settle(watched.Looks())
		var paths []string
		for _, f := range found {
			paths = append(paths, f.Path)
		}
		return paths
	}
	write(t, root, "srv/7/file", "", 0o666)
	assert.Empty(t, walk(), "nobody told")
	assert.Zero(t, read.Load())
	source.Tell(fileevent.Event{Act: fileevent.Attributed, Path: root + "/srv/7/file", Mode: 0o666})
	_, pending, _ := news.State()
	assert.True(t, pending)
	assert.Equal(t, []string{"/srv/7/file"}, walk())
	assert.Zero(t, read.Load(), "no directory is read for that")

	write(t, root, "new/below/file", "", 0o666)
	source.Tell(fileevent.Event{Act: fileevent.Made, Path: "/new", Mode: unix.S_IFDIR | 0o755})
	assert.Equal(t, []string{"/new/below/file", "/srv/7/file"}, walk(), "as the host's processes have the name")

	write(t, root, "srv/8/file", "", 0o666)
	source.Lost()
	assert.Equal(t, []string{"/new/below/file", "/srv/7/file", "/srv/8/file"}, walk(), "after losses everything is walked")
	assert.Greater(t, read.Load(), int64(100))
	source.Close()
	write(t, root, "srv/9/file", "", 0o666)
	assert.Len(t, walk(), 3)
	assert.Zero(t, read.Load(), "without a sensor the interval counts")
}
