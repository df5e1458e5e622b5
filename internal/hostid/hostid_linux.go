// SPDX-License-Identifier: Apache-2.0

package hostid

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Read asks the host that this process runs on.
func Read() (Host, error) {
	var h Host
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return h, fmt.Errorf("read the boot id: %w", err)
	}
	h.BootID = strings.TrimSpace(string(boot))
	if h.Name, err = os.Hostname(); err != nil {
		return h, fmt.Errorf("read the host's name: %w", err)
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return h, fmt.Errorf("read the kernel's release: %w", err)
	}
	h.Kernel = unix.ByteSliceToString(uts.Release[:])
	// A host without a machine id (an image that was never booted) is known by its name.
	if id, err := os.ReadFile("/etc/machine-id"); err == nil && len(strings.TrimSpace(string(id))) > 0 {
		h.ID = strings.TrimSpace(string(id))
	} else {
		h.ID = h.Name
	}
	return h, nil
}
