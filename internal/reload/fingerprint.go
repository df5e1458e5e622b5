// SPDX-License-Identifier: Apache-2.0

package reload

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
)

// Fingerprint stands for the state of all files at or below places: it changes when one of them is
// written, replaced, added or removed. It looks at names, sizes and times and reads no content.
func Fingerprint(places []string) string {
	h := sha256.New()
	for _, place := range places {
		fmt.Fprintf(h, "%q\n", place)
		writeState(h, place)
	}
	return string(h.Sum(nil))
}

func writeState(h hash.Hash, place string) {
	// A place that is a link is walked where it leads.
	root, err := filepath.EvalSymlinks(place)
	if err != nil {
		fmt.Fprintln(h, err)
		return
	}
	_ = filepath.WalkDir(root, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			fmt.Fprintf(h, "%q %s\n", name, err)
			return nil
		}
		// Files that are links, as container platforms make them, change where they lead to.
		info, err := os.Stat(name)
		if err != nil {
			fmt.Fprintf(h, "%q %s\n", name, err)
			return nil
		}
		fmt.Fprintf(h, "%q %d %d %s\n", name, info.Size(), info.ModTime().UnixNano(), info.Mode())
		return nil
	})
}
