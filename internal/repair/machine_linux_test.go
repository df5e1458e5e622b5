// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

// insideMachine is set where the test runs as a service of the virtual machine that it has booted.
const insideMachine = "VEDETTE_TEST_INSIDE_MACHINE"

// machineParameters are those of the machine's kernel at its first start, and what is in its menu then. Its first process is named, as a root of debootstrap has no init.
const machineParameters = "root=/dev/vda rw init=/usr/lib/systemd/systemd console=ttyS0 panic=-1 quiet"

// menuKernel is before the parameters in the menu.
const menuKernel = "\tlinux\t/vmlinuz "

const longestMachine = 12 * time.Minute

// cutSaid is what the test in the machine says where its power is to be cut.
const cutSaid = "vedette: cut the power"

// menuSaid is before the parameters that the test in the machine found in the menu for the next start.
const menuSaid = "vedette: start with "

// TestInMachine boots Debian with its own kernel and systemd in a virtual machine and repairs that: what a container shares with its host, and
// what needs the services of a whole one. In the middle of the last repair the power is cut, and the machine starts again.
func TestInMachine(t *testing.T) {
	if os.Getenv(insideMachine) != "" {
		inMachine(t)
		return
	}
	ring.Require(t, ring.Debian)
	m := newMachine(t)
	output, cut := m.boot(machineParameters)
	require.True(t, cut, "all before the last repair is as it should be")
	assert.Contains(t, output, "\n=== RUN   TestInMachine/"+cycledRules[len(cycledRules)-1]+"\n")
	_, menu, found := strings.Cut(output, "\n"+menuSaid)
	require.True(t, found)
	parameters, _, _ := strings.Cut(menu, "\n")
	output, cut = m.boot(parameters)
	assert.False(t, cut)
	assert.Contains(t, output, "\n--- PASS: TestInMachine (")
}

// machine is Debian on a disk.
type machine struct {
	*testing.T
	dir, root, disk string
}

func newMachine(t *testing.T) *machine {
	root := debianWithTest(t, "Environment="+insideMachine+"=1\nStandardOutput=tty\nTTYPath=/dev/ttyS1\n")
	weakMachine(t, root)
	m := &machine{T: t, dir: t.TempDir(), root: root}
	m.disk = filepath.Join(m.dir, "disk")
	mustRun(t, "mke2fs", "-q", "-t", "ext4", "-d", root, m.disk, "1G")
	return m
}

// bootFile gives the kernel, or what is made for it to start with.
func (m *machine) bootFile(name string) string {
	found, err := filepath.Glob(filepath.Join(m.root, "boot", name+"-*"))
	require.NoError(m, err)
	require.Len(m, found, 1)
	return found[0]
}

// boot runs the machine until it ends itself or asks for its power to be cut, and gives what the test in it writes.
func (m *machine) boot(parameters string) (output string, cut bool) {
	ctx, cancel := context.WithTimeout(m.Context(), longestMachine)
	defer cancel()
	console := filepath.Join(m.dir, "console")
	qemu := exec.CommandContext(ctx, "qemu-system-x86_64", "-accel", "tcg,thread=single", "-cpu", "max,cx16=off", "-m", "512",
		"-nodefaults", "-display", "none", "-no-reboot", "-kernel", m.bootFile("vmlinuz"), "-initrd", m.bootFile("initrd.img"),
		"-drive", "file="+m.disk+",if=virtio,format=raw,cache=unsafe", "-append", parameters,
		"-serial", "file:"+console, "-chardev", "stdio,id=test,signal=off", "-serial", "chardev:test")
	qemu.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var complaints strings.Builder
	qemu.Stderr = &complaints
	lines, err := qemu.StdoutPipe()
	require.NoError(m, err)
	require.NoError(m, qemu.Start())
	for in := bufio.NewReader(lines); err == nil; {
		var line string
		line, err = in.ReadString('\n')
		output += strings.TrimRight(line, "\r\n") + "\n"
		if strings.TrimSpace(line) == cutSaid {
			cut = true
			cancel()
		}
	}
	err = qemu.Wait()
	m.Logf("in the machine:\n%s", output)
	printed, _ := os.ReadFile(console) // Without one, qemu says why.
	require.True(m, cut || err == nil, "%v: %s%s", err, complaints.String(), printed)
	return output, cut
}

// weakMachine has a host start badly configured.
func weakMachine(t *testing.T, root string) {
	putText(t, root, "boot/grub/grub.cfg", "menuentry 'Debian' {\n"+menuKernel+machineParameters+"\n}\n")
	putText(t, root, "etc/hostname", "machine\n")
	putText(t, root, "etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\nCiphers +"+weakCipher+"\n")
	// /var is on the disk still, and mounted like a file system of its own.
	fstab := "/var /var none bind 0 0\n"
	for _, path := range weakMounts {
		if path != "/var" {
			fstab += "tmpfs " + path + " tmpfs size=8m,mode=0755 0 0\n"
		}
	}
	putText(t, root, "etc/fstab", fstab)
	// As RHEL has it.
	putText(t, root, "etc/systemd/system/auditd.service.d/stop.conf", "[Unit]\nRefuseManualStop=yes\n")
	weakAccounts(t, root)
	packages := readText(t, root, "var/lib/dpkg/status")
	for _, r := range machineRules(t, loadBaseline(t, readyTemplates, "cis-debian12")) {
		for _, name := range namesOf(r, "package") {
			if !strings.Contains(packages, "\nPackage: "+name+"\n") {
				packages += "\nPackage: " + name + "\nStatus: install ok installed\nVersion: 1\n"
			}
		}
		for _, s := range r.Fix {
			if s.Kind == "unit" {
				weakMachineUnits(t, root, s)
			}
		}
	}
	putText(t, root, "var/lib/dpkg/status", packages)
}

// machineRules gives the rules that are repaired in the machine.
func machineRules(t *testing.T, b *baseline.Baseline) []*baseline.Rule {
	var all []*baseline.Rule
	for _, id := range cycledRules {
		i := slices.IndexFunc(b.Rules, func(r *baseline.Rule) bool { return r.ID == id })
		require.GreaterOrEqual(t, i, 0, id)
		all = append(all, b.Rules[i])
	}
	return all
}

// weakMachineUnits has services start that should not, and others not.
func weakMachineUnits(t *testing.T, root string, s *baseline.Step) {
	for _, name := range s.List("names") {
		file, kind := "usr/lib/systemd/system/"+name, filepath.Ext(name)
		text := sleepingService
		if kind == ".socket" {
			text = "[Socket]\nListenStream=/run/vedette-" + name + "\n[Install]\nWantedBy=sockets.target\n"
		}
		if _, err := os.Lstat(filepath.Join(root, file)); err != nil {
			putText(t, root, file, text)
		}
		links, err := filepath.Glob(filepath.Join(root, "etc/systemd/system/*.wants", name))
		require.NoError(t, err)
		for _, l := range links {
			require.NoError(t, os.Remove(l))
		}
		if s.Text("state", "") != "enabled" {
			startsWithHost(t, root, "/"+file)
		}
	}
}
