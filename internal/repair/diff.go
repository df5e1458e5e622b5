// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"fmt"
	"slices"
	"strings"

	udiff "github.com/aymanbagabas/go-udiff"
)

// diff shows what changes do, files as patch has them.
func (p *plan) diff(changes []Change) string {
	var b strings.Builder
	for _, c := range changes {
		if c.About != ofPath {
			b.WriteString(c.summary())
			continue
		}
		writePathDiff(&b, c, p.first[c.Path].content, p.now[c.Path].content)
	}
	return b.String()
}

// summary shows a change that is about no path.
func (c Change) summary() string {
	if c.Field == fieldLock {
		from, _, _ := strings.Cut(c.Old, " ")
		to, _, _ := strings.Cut(c.New, " ")
		return fmt.Sprintf("# account %s: the password is %s, will be %s\n", c.Account, from, to)
	}
	return fmt.Sprintf("# %s: %q → %q\n", c, c.Old, c.New)
}

func writePathDiff(b *strings.Builder, c Change, before, after []byte) {
	switch {
	case c.Before.Type == absent && c.After.Type != file:
		fmt.Fprintf(b, "# %s: new %s%s\n", c.Path, c.After.Type, arrow(c.After.Target))
	case c.After.Type == absent && c.Before.Type != file:
		fmt.Fprintf(b, "# %s: the %s%s goes\n", c.Path, c.Before.Type, arrow(c.Before.Target))
	}
	if c.Before.Type == absent && c.After.Type == file {
		fmt.Fprintf(b, "# %s: new file with the mode %04o\n", c.Path, c.After.Mode)
	}
	if c.Before.Type == c.After.Type && c.Before.Mode != c.After.Mode {
		fmt.Fprintf(b, "# %s: mode %04o → %04o\n", c.Path, c.Before.Mode, c.After.Mode)
	}
	if c.Before.Type == c.After.Type && (c.Before.UID != c.After.UID || c.Before.GID != c.After.GID) {
		fmt.Fprintf(b, "# %s: owner %d:%d → %d:%d\n", c.Path, c.Before.UID, c.Before.GID, c.After.UID, c.After.GID)
	}
	from, to := "a"+c.Path, "b"+c.Path
	if c.Before.Type == absent {
		from = "/dev/null"
	}
	if c.After.Type == absent {
		to = "/dev/null"
	}
	b.WriteString(udiff.Unified(from, to, string(before), string(after)))
}

func arrow(target string) string {
	if target == "" {
		return ""
	}
	return " to " + target
}

// images are the contents that the changes of paths go from and to.
func (p *plan) images() [][]byte {
	var all [][]byte
	for _, c := range p.changes() {
		if c.About != ofPath {
			continue
		}
		if c.Before.Hash != "" {
			all = append(all, p.first[c.Path].content)
		}
		if c.After.Hash != "" {
			all = append(all, p.now[c.Path].content)
		}
	}
	return all
}

// merge takes from a text what was changed from before to ours, and keeps what others changed since. ok is false where both changed the
// same lines.
func merge(before, ours, current string) (merged string, ok bool) {
	if added, only := addedLines(before, ours); only {
		return withoutEach(current, added)
	}
	edits, ok := udiff.Merge(udiff.Lines(ours, before), udiff.Lines(ours, current))
	if !ok {
		return "", false
	}
	merged, err := udiff.Apply(ours, edits)
	return merged, err == nil
}

// addedLines gives the lines that were added; only is false where something else was changed too.
func addedLines(before, ours string) (added []string, only bool) {
	for _, edit := range udiff.Lines(before, ours) {
		if edit.Start != edit.End {
			return nil, false
		}
		added = append(added, linesOf(edit.New)...)
	}
	return added, true
}

// withoutEach takes lines away, wherever they are now. ok is false where one is not there exactly once.
func withoutEach(text string, lines []string) (rest string, ok bool) {
	have := linesOf(text)
	for _, line := range lines {
		i := slices.Index(have, line)
		if i < 0 || slices.Contains(have[i+1:], line) {
			return "", false
		}
		have = slices.Delete(have, i, i+1)
	}
	return strings.Join(have, ""), true
}

// threeWay shows where a file stands: what a transaction changed, and what was changed since.
func threeWay(path, before, ours, current string) string {
	return udiff.Unified("before"+path, "repaired"+path, before, ours) + udiff.Unified("repaired"+path, "now"+path, ours, current)
}

// Areas of which a mistake could lock people out.
const (
	areaSSHD     = "sshd"
	areaPAM      = "PAM"
	areaSudo     = "sudo"
	areaAccounts = "accounts"
	areaFirewall = "the firewall"
)

// areas are paths by what reads them.
var areas = []struct{ path, area string }{
	{"/etc/ssh", areaSSHD}, {cryptoPolicy, areaSSHD}, {"/etc/pam.d", areaPAM}, {"/etc/pam.conf", areaPAM}, {"/etc/security", areaPAM}, {"/etc/sudoers", areaSudo},
	{"/etc/sudoers.d", areaSudo}, {"/etc/passwd", areaAccounts}, {"/etc/shadow", areaAccounts}, {"/etc/group", areaAccounts},
	{"/etc/gshadow", areaAccounts}, {"/etc/nftables.conf", areaFirewall}, {"/etc/nftables", areaFirewall}, {"/etc/nftables.d", areaFirewall},
	{"/etc/ufw", areaFirewall}, {"/etc/iptables", areaFirewall},
}

// areasOf gives the areas in which changes could lock people out.
func areasOf(changes []Change) []string {
	var all []string
	for _, c := range changes {
		for _, a := range areas {
			if below(c.Path, a.path) && !slices.Contains(all, a.area) {
				all = append(all, a.area)
			}
		}
		if c.About == ofUnit && (strings.HasPrefix(c.Unit, "ssh") || strings.HasPrefix(c.Unit, "nftables") || strings.HasPrefix(c.Unit, "ufw")) {
			all = append(all, areaSSHD)
		}
	}
	return all
}

// touches reports whether a change is about a path or what is in it.
func touches(changes []Change, path string) bool {
	return slices.ContainsFunc(changes, func(c Change) bool { return below(c.Path, path) })
}
