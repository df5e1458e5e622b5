// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vedette-sec/vedette/internal/fileevent"
)

// interest is what a host was looked at for, by the names that acts on files are told with. It does not change.
type interest struct {
	root      string
	at        map[string][]Look // by what a path leads to and what it is called
	ways      map[string][]Look // by each directory and link on the way: who makes, moves or removes these changes where it leads
	inside    map[string][]Look // by directories whose names were read
	anywhere  bool              // the walk was looked at
	unwatched bool              // the walk depends on what is told
}

// mostLinks is how many links the kernel follows in one path.
const mostLinks = 40

// place is where a path leads, and each name on the way there, its own ones included.
type place struct {
	real  string
	names []string
}

// guide finds places; of what many paths have in common it asks once.
type guide struct {
	root  string
	known map[string]place
}

func (g *guide) find(p string, links int) place {
	if p == "/" || p == "." {
		return place{real: "/"}
	}
	if found, ok := g.known[p]; ok {
		return found
	}
	above := g.find(path.Dir(p), links)
	self := path.Join(above.real, path.Base(p))
	found := place{self, append(slices.Clip(above.names), self)}
	if p != self {
		found.names = append(found.names, p)
	}
	if target, err := os.Readlink(filepath.Join(g.root, self)); err == nil && links < mostLinks {
		if !path.IsAbs(target) {
			target = path.Join(above.real, target)
		}
		to := g.find(path.Clean(target), links+1)
		found = place{to.real, append(slices.Clip(found.names), to.names...)}
	}
	g.known[p] = found
	return found
}

// newInterest is about all that was looked at and that files answer.
func (h *Host) newInterest() *interest {
	i := &interest{root: h.root, at: map[string][]Look{}, ways: map[string][]Look{}, inside: map[string][]Look{}}
	g := &guide{h.root, map[string]place{}}
	h.memory.stamps.Range(func(key, _ any) bool {
		switch l := key.(Look); l.about {
		case bytesOf, attributesOf, ownAttributesOf, linkOf, namesOf:
			if !isMade(l.path) {
				i.add(l, g.find(path.Clean(l.path), 0))
			}
		case changesAnywhere:
			i.anywhere = true
		}
		return true
	})
	if w := h.memory.walker; w != nil && i.anywhere {
		var found []string
		found, i.unwatched = w.state()
		for _, name := range found {
			i.add(Look{changesAnywhere, ""}, place{name, []string{name}})
		}
	}
	return i
}

func (i *interest) add(l Look, where place) {
	own := []string{where.real}
	if l.path != where.real && l.path != "" {
		own = append(own, l.path)
	}
	for _, name := range own {
		i.at[name] = append(i.at[name], l)
		if l.about == namesOf {
			i.inside[name] = append(i.inside[name], l)
		}
	}
	for _, name := range where.names {
		i.ways[name] = append(i.ways[name], l)
	}
}

// of gives the looks that may have another answer after an act.
func (i *interest) of(e fileevent.Event) []Look {
	var looks []Look
	for _, name := range [...]string{e.Path, e.From} {
		if name != "" {
			looks = i.ofName(looks, name, e.Act)
			if i.root != "/" && within(i.root, name) {
				looks = i.ofName(looks, "/"+strings.TrimPrefix(name[len(i.root):], "/"), e.Act)
			}
		}
	}
	if i.anywhere && mayMatterAnywhere(e) {
		looks = append(looks, Look{changesAnywhere, ""})
	}
	return looks
}

func (i *interest) ofName(looks []Look, name string, act fileevent.Act) []Look {
	looks = append(looks, i.at[name]...)
	if act == fileevent.Made || act == fileevent.Renamed || act == fileevent.Removed {
		looks = append(looks, i.ways[name]...)
		if len(i.inside) > 0 {
			looks = append(looks, i.inside[path.Dir(name)]...)
		}
	}
	return looks
}
