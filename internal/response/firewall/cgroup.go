// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// RootCgroup returns where the whole tree of the version 2 cgroups is mounted.
func RootCgroup() (string, error) {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	defer file.Close()
	return rootCgroup(file)
}

// rootCgroup reads lines as described in proc_pid_mountinfo(5):
//
//	36 35 98:0 /root /mount/point options shared:1 - type source options
func rootCgroup(mountinfo io.Reader) (string, error) {
	lines := bufio.NewScanner(mountinfo)
	for lines.Scan() {
		before, after, found := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(before)
		if found && strings.HasPrefix(after, "cgroup2 ") && len(fields) > 4 && fields[3] == "/" {
			return unescape.Replace(fields[4]), nil
		}
	}
	if err := lines.Err(); err != nil {
		return "", fmt.Errorf("read the mounts: %w", err)
	}
	return "", errors.New("no cgroup2 file system is mounted; expected one, such as at /sys/fs/cgroup")
}

// unescape undoes how the kernel writes what would end a field.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
