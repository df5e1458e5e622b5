// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// setAttributes gives a file or directory its owner, extended attributes and mode. The mode comes last: a new owner takes bits away,
// and an access control list sets some.
func setAttributes(full string, want State) error {
	info, err := os.Lstat(full)
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return fmt.Errorf("%s: found a link, expected a file or directory", full)
	}
	if uid, gid := owners(info); uid != want.UID || gid != want.GID {
		if err := os.Lchown(full, want.UID, want.GID); err != nil {
			return err
		}
	}
	if err := setXattrs(full, want.Xattrs); err != nil {
		return err
	}
	info, err = os.Lstat(full)
	if err != nil || modeBits(info.Mode()) == want.Mode {
		return err
	}
	return os.Chmod(full, fileMode(want.Mode))
}

func setXattrs(full string, want map[string][]byte) error {
	have, err := readXattrs(full)
	if err != nil {
		return err
	}
	for name := range have {
		if _, wanted := want[name]; wanted || name == selinuxLabel {
			continue
		}
		if err := unix.Lremovexattr(full, name); err != nil && !errors.Is(err, unix.ENODATA) {
			return fmt.Errorf("removing the extended attribute %s of %s: %w", name, full, err)
		}
	}
	for name, value := range want {
		if old, ok := have[name]; ok && bytes.Equal(old, value) {
			continue
		}
		if err := unix.Lsetxattr(full, name, value, 0); err != nil {
			return fmt.Errorf("setting the extended attribute %s of %s: %w", name, full, err)
		}
	}
	return nil
}
