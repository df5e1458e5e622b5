// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"path"
	"slices"
	"strings"
)

// layer is a directory that an overlay shows what is in. Who writes there writes what is seen in the overlay.
type layer struct {
	location
	overlay uint32 // the overlay's device
}

// layers are those of all overlays, as far as this process sees their directories.
func (t mounts) layers() []layer {
	var all []layer
	for _, m := range t {
		if m.FSType != "overlay" {
			continue
		}
		for option := range strings.SplitSeq(m.VFSOptions, ",") {
			key, value, _ := strings.Cut(option, "=")
			if !strings.HasPrefix(key, "lowerdir") && key != "upperdir" && key != "datadir+" {
				continue
			}
			for dir := range strings.SplitSeq(value, ":") {
				if !path.IsAbs(dir) {
					continue // between the data layers, or relative to where somebody was
				}
				at := t.locations(path.Clean(dir))
				all = append(all, layer{at[len(at)-1], deviceOf(m)})
			}
		}
	}
	return slices.Compact(all)
}

// placesOf are the locations that a path leads to, and for what is in an overlay also where its layers have it.
func (c *compiler) placesOf(name string) []location {
	at := c.mounts.locations(name)
	for i := 0; i < len(at); i++ { // a layer may be in an overlay itself
		for _, y := range c.layers {
			if y.overlay == at[i].device {
				at = append(at, location{y.device, path.Join(y.path, at[i].path)})
			}
		}
	}
	return at
}

// pathsTo are all paths that lead to a location, directly or through an overlay that has it in a layer.
func (c *compiler) pathsTo(l location) []string {
	all := c.mounts.names(l)
	for _, y := range c.layers {
		if y.device == l.device && isWithin(l.path, y.path) {
			all = append(all, c.mounts.names(location{y.overlay, path.Join("/", strings.TrimPrefix(l.path, y.path))})...)
		}
	}
	return all
}
