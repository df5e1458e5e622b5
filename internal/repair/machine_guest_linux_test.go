// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/pkg/baseline"
)

// cycledRules are repaired in the machine: of each thing that only a kernel of its own and a whole host's services have, some. All rules are
// repaired in a root or in a container by other tests.
var cycledRules = []string{
	"cis-1.5.1", "cis-3.3.1", // settings of the kernel, of all and of the network
	"cis-1.1.1.8",              // a module
	"cis-1.1.2.4.2",            // a mount on the disk
	"cis-2.1.2", "cis-6.2.1.2", // services: one that stops, with its socket, and one that starts
	"cis-4.3.8",   // the packet filter
	"cis-1.3.1.2", // the boot menu
	"cis-5.1.6",   // sshd, which reads its settings anew
	"cis-6.1.2.4", // the journal
	"cis-6.2.3.4", // audit rules
}

// weakCipher is one that the machine's sshd offers before it is repaired.
const weakCipher = "3des-cbc"

// keptJournal is where the journal is when it stays after a restart.
const keptJournal = "/var/log/journal"

// nextStartRules are in force when the machine has started again: an audit rule while the kernel takes none, and a parameter of the kernel.
var nextStartRules = []string{"cis-6.2.3.5", "cis-1.3.1.2"}

// kept is what the machine's second start has to know.
type kept struct {
	Before       map[string]State // the files before the repairs by nextStartRules
	Cut          map[string]State // and before the one in whose middle the power is cut
	Transactions []string         // of nextStartRules
}

// In the middle of the repair by cutRule the power is cut; keptStates is where kept is.
const (
	cutRule    = "cis-3.3.2"
	cutFile    = "/etc/sysctl.d/zz-vedette-cis-3_3_2.conf"
	keptStates = "/opt/states.json"
)

// inMachine is what the test does in the machine at each of its two starts.
func inMachine(t *testing.T) {
	b := loadBaseline(t, "baselines", "cis-debian12")
	if _, err := os.Stat(keptStates); err == nil {
		startedAgain(t, b)
		return
	}
	rules := machineRules(t, b)
	c := &kernelCycles{units: []string{"ssh.service", "systemd-journald.service", "auditd.service"}}
	c.weaken(t, rules)
	for _, r := range rules {
		t.Run(r.ID, func(t *testing.T) { c.cycle(t, b, r) })
	}
	require.False(t, t.Failed())
	k := kept{Before: diskStates(t), Transactions: untilNextStart(t, b)}
	k.Cut = diskStates(t)
	cutPower(t, b, k)
}

// untilNextStart repairs by nextStartRules.
func untilNextStart(t *testing.T, b *baseline.Baseline) (transactions []string) {
	mustRun(t, "auditctl", "-e", "2")
	loaded := mustRun(t, "auditctl", "-l")
	for i, wanted := range []string{Restart, Fixed} {
		report := fix(t, "/", b, nextStartRules[i])
		require.Len(t, report.Rules, 1)
		require.Equal(t, wanted, report.Rules[0].Result, report.Rules[0].Reason)
		assert.Empty(t, fix(t, "/", b, nextStartRules[i]).Transaction, "once is enough")
		transactions = append(transactions, report.Transaction)
	}
	require.Equal(t, baseline.Fail, verdict(t, "/", b, nextStartRules[0]), "nothing is recorded yet")
	require.Equal(t, loaded, mustRun(t, "auditctl", "-l"))
	return transactions
}

// cutPower repairs until a file is new and the kernel does not have the settings in it, and waits there for the machine's end.
func cutPower(t *testing.T, b *baseline.Baseline, k kept) {
	states, err := json.Marshal(k)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(keptStates, states, 0o600))
	_, menu, _ := strings.Cut(readText(t, "/boot/grub/grub.cfg", ""), menuKernel)
	parameters, _, found := strings.Cut(menu, "\n")
	require.True(t, found)
	fmt.Printf("\n%s%s\n", menuSaid, parameters)
	unix.Sync()
	r, _, err := open("/", func(what string) {
		if what == "made "+cutFile {
			fmt.Printf("\n%s\n", cutSaid)
			time.Sleep(longestProgram) // Before that the machine has ended.
		}
	})
	require.NoError(t, err)
	report, err := r.Fix(t.Context(), b, Options{Rules: []string{cutRule}})
	require.NoError(t, err)
	require.Fail(t, "the power was not cut", "%+v", report.Rules)
}

// startedAgain finds in force what waited for the next start, and recovers what was being done when the power was cut: the start has put in
// force what was only a file. Then it takes back the rest.
func startedAgain(t *testing.T, b *baseline.Baseline) {
	var k kept
	require.NoError(t, json.Unmarshal([]byte(readText(t, keptStates, "")), &k))
	mustRun(t, "systemctl", "start", "auditd.service") // It may be starting still.
	for _, id := range nextStartRules {
		require.Equal(t, baseline.Pass, verdict(t, "/", b, id), id)
	}
	assert.Contains(t, mustRun(t, "auditctl", "-l"), "-w /etc/hosts -p wa\n")
	assert.Subset(t, strings.Fields(readText(t, "/proc/cmdline", "")), []string{"apparmor=1", "security=apparmor"})
	require.FileExists(t, cutFile, "it had come to the disk")
	require.Equal(t, baseline.Pass, verdict(t, "/", b, cutRule))
	r, notes, err := Open("/")
	require.NoError(t, err)
	assert.Contains(t, strings.Join(notes, "\n"), "what was done for "+cutRule+" is undone")
	all, err := r.Transactions()
	require.NoError(t, err)
	for _, transaction := range all {
		assert.Equal(t, Committed, transaction.State)
	}
	require.NoError(t, r.Close())
	assert.NoFileExists(t, cutFile)
	assert.Equal(t, baseline.Fail, verdict(t, "/", b, cutRule), "the kernel has its own settings again")
	now := diskStates(t)
	for _, states := range []map[string]State{k.Cut, now} {
		delete(states, "etc/audit/audit.rules") // The start has made it of all rules.
	}
	assertSame(t, k.Cut, now, "recovered")
	for i, id := range nextStartRules {
		_, err := rollback(t, "/", Back{Transaction: k.Transactions[i]})
		require.NoError(t, err)
		require.Equal(t, baseline.Fail, verdict(t, "/", b, id), id)
	}
	assert.NotContains(t, mustRun(t, "auditctl", "-l"), "/etc/hosts")
	assertSame(t, k.Before, diskStates(t), "rolled back")
}

// kernelCycles knows how the machine was before each repair.
type kernelCycles struct {
	keys   []string // settings of the kernel
	units  []string
	files  map[string]State
	others []string
}

// weaken makes bad what a file cannot say for the start, and finds what is to be looked at.
func (c *kernelCycles) weaken(t *testing.T, rules []*baseline.Rule) {
	mustRun(t, "udevadm", "settle", "--timeout=300") // Devices that are found load modules.
	mustRun(t, "nft", "list", "ruleset")             // What it loads stays.
	for _, r := range rules {
		for _, s := range r.Fix {
			switch s.Kind {
			case "unit":
				c.units = append(c.units, s.List("names")...)
			case "kmod":
				for _, name := range s.List("names") {
					loadable(t, name) // What it needs stays.
				}
			case "sysctl":
				c.keys = append(c.keys, s.List("keys")...)
				bad := map[string]string{"0": "1", "2": "1"}[s.Text("value", "")]
				for _, key := range s.List("keys") {
					require.NoError(t, os.WriteFile(valuePath(key), []byte(bad), 0o644), key)
				}
			}
		}
	}
	c.read(t)
}

// loadable loads a module, and unloads it.
func loadable(t *testing.T, name string) {
	mustRun(t, "modprobe", name)
	mustRun(t, "rmmod", name)
}

func valuePath(key string) string { return "/proc/sys/" + strings.ReplaceAll(key, ".", "/") }

// read looks at all that rules change: files, the kernel's settings and modules, mounts, services, the packet filter and audit rules.
func (c *kernelCycles) read(t testing.TB) {
	c.files = diskStates(t)
	c.others = nil
	r := &Repairer{root: "/"}
	for _, path := range weakMounts {
		options, err := r.mountOptions(path)
		require.NoError(t, err)
		c.others = append(c.others, path+" "+options)
	}
	for _, key := range c.keys {
		value, err := r.readValue(valuePath(key))
		require.NoError(t, err)
		c.others = append(c.others, key+"="+value)
	}
	for line := range strings.Lines(readText(t, "/", "proc/modules")) {
		name, _, _ := strings.Cut(line, " ")
		c.others = append(c.others, "module "+name)
	}
	states := mustRun(t, "systemctl", append([]string{"show", "--property=Id,ActiveState,UnitFileState"}, c.units...)...)
	for unit := range strings.SplitSeq(states, "\n\n") {
		c.others = append(c.others, strings.ReplaceAll(strings.TrimSpace(unit), "\n", " "))
	}
	c.others = append(c.others, mustRun(t, "nft", "list", "ruleset"))
	c.others = append(c.others, linesOf(mustRun(t, "auditctl", "-l"))...)
	slices.Sort(c.others)
}

// diskStates gives the files that repairs may change.
func diskStates(t testing.TB) map[string]State {
	all := map[string]State{}
	for _, part := range []string{"etc", "boot/grub"} {
		for path, state := range snapshot(t, filepath.Join("/", part)) {
			all[filepath.Join(part, path)] = state
		}
	}
	delete(all, "etc/audit/audit.rules.prev") // augenrules keeps what was there before.
	return all
}

// cycle repairs by a rule and takes that back: the machine is as before.
func (c *kernelCycles) cycle(t *testing.T, b *baseline.Baseline, r *baseline.Rule) {
	c.prepare(t, b, r)
	require.Equal(t, baseline.Fail, verdict(t, "/", b, r.ID))
	files, others := c.files, c.others
	report := fix(t, "/", b, r.ID)
	require.Len(t, report.Rules, 1)
	require.Equal(t, Fixed, report.Rules[0].Result, report.Rules[0].Reason)
	require.Equal(t, baseline.Pass, verdict(t, "/", b, r.ID))
	c.inForce(t, r)
	assert.Empty(t, fix(t, "/", b, r.ID).Rules, "once is enough")
	_, err := rollback(t, "/", Back{Transaction: report.Transaction})
	require.NoError(t, err)
	require.Equal(t, baseline.Fail, verdict(t, "/", b, r.ID))
	c.read(t)
	assertSame(t, files, c.files, r.ID)
	assert.Equal(t, others, c.others)
	switch r.Fix[0].Kind {
	case "kmod":
		for _, name := range r.Fix[0].List("names") {
			loadable(t, name)
		}
	case "sshd":
		untilOffered(t, weakCipher, true)
	}
}

// prepare has the machine be one that a rule applies to.
func (c *kernelCycles) prepare(t *testing.T, b *baseline.Baseline, r *baseline.Rule) {
	switch r.Fix[0].Kind {
	case "audit":
		mustRun(t, "systemctl", "enable", "--now", "auditd.service")
		c.read(t)
	case "firewall":
		refused := fix(t, "/", b, r.ID)
		assert.Equal(t, Refused, refused.Rules[0].Result)
		assert.Contains(t, refused.Rules[0].Reason, "this host forwards packets")
		require.NoError(t, os.WriteFile(valuePath("net.ipv4.ip_forward"), []byte("0"), 0o644))
		require.NoError(t, os.WriteFile(valuePath("net.ipv6.conf.all.forwarding"), []byte("0"), 0o644))
		c.read(t)
	case "config":
		require.NoDirExists(t, keptJournal)
	case "sshd":
		untilOffered(t, weakCipher, true)
	}
}

// inForce asks the kernel and the services themselves whether a repair has come to something there.
func (c *kernelCycles) inForce(t *testing.T, r *baseline.Rule) {
	for _, s := range r.Fix {
		switch s.Kind {
		case "sysctl":
			for _, key := range s.List("keys") {
				assert.Equal(t, s.Text("value", "")+"\n", readText(t, valuePath(key), ""), key)
			}
		case "kmod":
			for _, name := range s.List("names") {
				assert.Error(t, exec.Command("modprobe", name).Run(), "%s is denied", name)
			}
		case "unit":
			for _, name := range s.List("names") {
				wanted := map[string]string{"masked": "inactive masked", "enabled": "active enabled"}[s.Text("state", "")]
				assert.Equal(t, wanted, service(t, name), name)
			}
		case "mount":
			options := mustRun(t, "findmnt", "-n", "-o", "OPTIONS", "--mountpoint", s.Text("path", ""))
			assert.Subset(t, strings.Split(strings.TrimSpace(options), ","), s.List("options"))
		case "firewall":
			for _, chain := range s.List("chains") {
				assert.Contains(t, mustRun(t, "nft", "list", "ruleset"), "hook "+chain+" priority filter; policy "+s.Text("policy", "accept"))
			}
		case "sshd":
			untilOffered(t, weakCipher, false)
		case "config":
			kept, err := filepath.Glob(keptJournal + "/*/system.journal")
			require.NoError(t, err)
			assert.NotEmpty(t, kept, "it is on the disk already")
		case "audit":
			assert.NotSubset(t, c.others, linesOf(mustRun(t, "auditctl", "-l")), "the kernel has more rules")
		}
	}
}

// untilOffered waits until the sshd that runs offers an algorithm, or does not: it says that it was told to read its settings before it has.
func untilOffered(t *testing.T, algorithm string, wanted bool) {
	for deadline := time.Now().Add(longestProgram); ; time.Sleep(betweenLooks) {
		offer, err := offeredBySSHD()
		if err == nil && slices.Contains(strings.Split(offer, ","), algorithm) == wanted {
			return
		}
		require.True(t, time.Now().Before(deadline), "%s: found %q, %v, expected it there: %v", algorithm, offer, err, wanted)
	}
}

// offeredBySSHD gives the ciphers that sshd offers to a client (RFC 4253, 7.1).
func offeredBySSHD() (string, error) {
	conn, err := net.Dial("tcp", "127.0.0.1:22")
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(longestProgram)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, "SSH-2.0-test\r\n"); err != nil {
		return "", err
	}
	in := bufio.NewReader(conn)
	if _, err := in.ReadString('\n'); err != nil { // The version.
		return "", err
	}
	// The packet's length and padding, the message's number, and a cookie.
	if _, err := in.Discard(4 + 1 + 1 + 16); err != nil {
		return "", err
	}
	var list []byte
	for range 3 { // Key exchanges, keys of hosts, ciphers.
		var length uint32
		if err := binary.Read(in, binary.BigEndian, &length); err != nil {
			return "", err
		}
		list = make([]byte, length)
		if _, err := io.ReadFull(in, list); err != nil {
			return "", err
		}
	}
	return string(list), nil
}
