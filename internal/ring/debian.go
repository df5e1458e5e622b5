// SPDX-License-Identifier: Apache-2.0

package ring

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// debianDir is the directory that holds a root of Debian 12, named from the module's root.
const debianDir = "build/debian"

// debianSource is what `make debian` makes the root by. A copy beside the root says that it is complete.
const debianSource = "test/debian/install.sh"

// DebianRoot gives the directory with the root of Debian 12. Tests change copies of it only.
func DebianRoot(t testing.TB) string {
	t.Helper()
	root, err := ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, debianDir, "root")
}

// probeDebian returns why the debian ring cannot run here, or "". Nothing is installed on the way.
func probeDebian() string {
	if os.Geteuid() != 0 {
		return "not root, who alone may change owners and run programs in another root"
	}
	if _, err := exec.LookPath("systemd-nspawn"); err != nil {
		return "systemd-nspawn is not installed, which boots Debian in a container (package systemd-container)"
	}
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		return "qemu-system-x86_64 is not installed, which boots Debian in a virtual machine (package qemu-system-x86)"
	}
	root, err := ModuleRoot()
	if err != nil {
		return err.Error()
	}
	return probeDebianIn(root)
}

func probeDebianIn(root string) string {
	want, err := os.ReadFile(filepath.Join(root, debianSource))
	if err != nil {
		return "what the root of Debian consists of is not known: " + err.Error()
	}
	have, err := os.ReadFile(filepath.Join(root, debianDir, "installed"))
	if err != nil {
		return "there is no root of Debian 12; `make debian` makes one, with debootstrap and the network"
	}
	if !bytes.Equal(want, have) {
		return debianDir + " holds another root than " + debianSource + " makes; `make debian` makes it anew"
	}
	return ""
}
