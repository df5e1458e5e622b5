// SPDX-License-Identifier: Apache-2.0

package securitylogexporter

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

func openNonblocking(file *os.File) (*os.File, error) {
	return os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", file.Fd()), os.O_WRONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
}
