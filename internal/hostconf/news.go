// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/fileevent"
)

// mostNames bounds what is remembered for the walk. Beyond it everything is walked.
const mostNames = 1 << 15

// News remembers what a sensor tells of files between two looks at a host, as far as it is about what was looked at. It says when
// to look and where; what is there is always read from the host. It is a fileevent.Listener and safe for concurrent use.
type News struct {
	wake     chan struct{}
	interest atomic.Pointer[interest] // nil until a host was looked at

	guard   sync.Mutex
	serving bool
	lost    bool          // something was not told
	looks   map[Look]bool // that may have another answer

	names    map[string]bool // that the walk is to look at
	complete bool            // those are all since the walk last asked
}

// NewNews gives one that is to be subscribed at a fileevent.Hub.
func NewNews() *News {
	return &News{wake: make(chan struct{}, 1), looks: map[Look]bool{}, names: map[string]bool{}}
}

// Wake gives a value when there is something to look at, when something was not told, and when the service begins or ends.
func (n *News) Wake() <-chan struct{} { return n.wake }

func (n *News) ring() {
	select {
	case n.wake <- struct{}{}:
	default: // it is on its way
	}
}

// Serving takes note of whether everything is told.
func (n *News) Serving(on bool) {
	n.guard.Lock()
	defer n.guard.Unlock()
	n.serving, n.complete = on, false
	clear(n.names)
	n.ring()
}

// Lost takes note of that something was not told.
func (n *News) Lost() {
	n.guard.Lock()
	defer n.guard.Unlock()
	n.complete = false
	clear(n.names)
	if n.interest.Load() != nil && !n.lost {
		n.lost = true
		n.ring()
	}
}

// Tell takes note of an act.
func (n *News) Tell(e fileevent.Event) {
	i := n.interest.Load()
	if i == nil {
		return
	}
	looks := i.of(e)
	if len(looks) > 0 {
		n.concern(looks)
	}
	if i.unwatched && e.Act != fileevent.Opened && e.Act != fileevent.Removed {
		n.remember(e)
	}
}

func (n *News) concern(looks []Look) {
	n.guard.Lock()
	defer n.guard.Unlock()
	if len(n.looks) == 0 {
		n.ring()
	}
	for _, l := range looks {
		n.looks[l] = true
	}
}

func (n *News) remember(e fileevent.Event) {
	n.guard.Lock()
	defer n.guard.Unlock()
	if !n.complete {
		return
	}
	if e.Truncated || len(n.names) == mostNames {
		n.complete = false
		clear(n.names)
		return
	}
	n.names[e.Path] = true
}

// State says whether a sensor tells of everything, and what it told that nobody has looked at yet.
func (n *News) State() (serving, pending, lost bool) {
	n.guard.Lock()
	defer n.guard.Unlock()
	return n.serving, len(n.looks) > 0, n.lost
}

// take gives the looks that may have another answer, and forgets them. Losses count until everything is looked at.
func (n *News) take(everything bool) map[Look]bool {
	n.guard.Lock()
	defer n.guard.Unlock()
	looks := n.looks
	n.looks, n.lost = map[Look]bool{}, n.lost && !everything
	return looks
}

// follow says what from now on is of interest.
func (n *News) follow(i *interest) { n.interest.Store(i) }

// serves reports whether a sensor tells of everything.
func (n *News) serves() bool {
	serving, _, _ := n.State()
	return serving
}

// walkPending reports whether the walk has something to look at. Of what is not told it knows nothing.
func (n *News) walkPending() bool {
	n.guard.Lock()
	defer n.guard.Unlock()
	return n.serving && (!n.complete || len(n.names) > 0)
}

// takeNames gives the names that the walk is to look at, and whether they are all since it last asked.
func (n *News) takeNames() (names map[string]bool, complete bool) {
	n.guard.Lock()
	defer n.guard.Unlock()
	names, complete = n.names, n.complete
	n.names, n.complete = map[string]bool{}, n.serving
	return names, complete
}

// matterAnywhere are the bits of modes that the walk looks for: setuid, setgid and what everybody may write.
const matterAnywhere = 0o6002

// mayMatterAnywhere reports whether the walk could find something by an act. Directories are made with all bits, of which the umask
// takes some away, and links have all.
func mayMatterAnywhere(e fileevent.Event) bool {
	kind := e.Mode & unix.S_IFMT
	switch e.Act {
	case fileevent.Attributed:
		return e.Mode&0o7777 == 0 || e.Mode&matterAnywhere != 0
	case fileevent.Made, fileevent.Renamed:
		return (kind == 0 || kind == unix.S_IFREG) && e.Mode&matterAnywhere != 0
	}
	return false
}
