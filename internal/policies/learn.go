// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/alertmessage"
	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// Learner proposes a policy for files from what was done to them.
type Learner struct {
	name   string
	paths  []policy.Path
	reads  bool
	host   policy.Host
	kinds  map[string]string // what checking says of a program as a subject
	actors map[learnedKey]*learned
	events int
}

// learnedKey is who is to be allowed.
type learnedKey struct {
	executable, user string
	lineage          bool
}

// learned is what they did.
type learned struct {
	count      int
	operations policy.Operation
	last       string
	chain      string
}

// NewLearner learns about files and directories that are there.
func NewLearner(name string, places []string, reads bool) (*Learner, error) {
	l := &Learner{name: name, reads: reads, host: policy.NewHost("/"), kinds: map[string]string{}, actors: map[learnedKey]*learned{}}
	for _, place := range places {
		full, err := filepath.Abs(place)
		if err != nil {
			return nil, err
		}
		full = l.host.Real(full)
		info, err := os.Stat(full)
		if err != nil {
			return nil, fmt.Errorf("found nothing to learn about: %w", err)
		}
		one := policy.Path{Text: full, Kind: policy.Exact, Base: full}
		if info.IsDir() {
			one.Kind, one.Text = policy.Tree, path.Join(full, "**")
		}
		l.paths = append(l.paths, one)
	}
	if l.name == "" {
		l.name = "learned-" + nameOf(l.paths[0].Base)
	}
	return l, nil
}

var unfit = regexp.MustCompile(`[^a-z0-9]+`)

// nameOf makes the name of a policy of a path.
func nameOf(name string) string {
	name = strings.Trim(unfit.ReplaceAllString(strings.ToLower(path.Base(name)), "-"), "-")
	return cmp.Or(name[:min(len(name), 40)], "files")
}

// Events are the kinds of events that it learns from.
func (l *Learner) Events() []string {
	kinds := []string{event.KindFileOpen, event.KindFileCreate, event.KindFileDelete, event.KindFileRename, event.KindFileAttributes}
	if l.reads {
		kinds = append(kinds, event.KindFileAccess)
	}
	return kinds
}

// mostWatched bounds the directories whose readers are watched.
const mostWatched = 1024

// WatchReads are the files and directories whose readers are to be watched.
func (l *Learner) WatchReads() []string {
	if !l.reads {
		return nil
	}
	var all []string
	for _, p := range l.paths {
		all = append(all, p.Base)
		_ = filepath.WalkDir(p.Base, func(name string, entry os.DirEntry, err error) error { // what cannot be read is not learned about
			switch {
			case err != nil:
				return nil
			case len(all) == mostWatched:
				return filepath.SkipAll
			case entry.IsDir() && name != p.Base && !strings.ContainsAny(name, "*?[\\"):
				all = append(all, name)
			}
			return nil
		})
	}
	return all
}

// Take learns from an event.
func (l *Learner) Take(log plog.LogRecord) {
	a, ok := actsOf(log, func(string) bool { return true })
	if !ok || !l.isAbout(a.requests[0]) {
		return
	}
	l.events++
	actor := a.requests[0].Subject
	key := l.subject(actor, log.Attributes())
	known := l.actors[key]
	if known == nil {
		known = &learned{}
		l.actors[key] = known
	}
	known.count++
	known.operations |= a.requests[0].Operation
	known.last = a.object
	known.chain = chainOf(actor)
}

func (l *Learner) isAbout(r policy.Request) bool {
	for _, p := range l.paths {
		if p.Matches(r.NewPath) || slices.ContainsFunc(r.File.Paths, p.Matches) {
			return true
		}
	}
	return false
}

// tools do to files what whoever starts them tells them, as interpreters do.
var tools = []string{"cat", "chattr", "chgrp", "chmod", "chown", "cp", "dd", "grep", "gunzip", "gzip", "head", "install", "less", "ln", "mkdir",
	"mknod", "mv", "rm", "rmdir", "setfacl", "setfattr", "shred", "tail", "tar", "tee", "touch", "truncate", "unlink", "unzip", "xz"}

// subject says who is to be allowed: the program that acted, or where that does what others tell it the script that it ran or was
// started by, or the program that told it, with what that starts.
func (l *Learner) subject(actor policy.Actor, attrs pcommon.Map) learnedKey {
	user := cmp.Or(actor.User, strconv.FormatUint(uint64(actor.UID), 10))
	acting := actor.Lineage[0].Executable
	if !l.obeys(acting) {
		return learnedKey{acting, user, false}
	}
	scripts := []string{text(attrs, event.AttrProcessInvokedPath)}
	if words := strings.Fields(text(attrs, event.AttrProcessParentCommandLine)); len(words) > 1 && l.obeys(text(attrs, event.AttrProcessParentExecutablePath)) {
		scripts = append(scripts, words[1])
	}
	for _, script := range scripts {
		if path.IsAbs(script) && l.isScript(script) {
			return learnedKey{l.host.Real(script), user, true}
		}
	}
	for _, p := range actor.Lineage[1:] {
		if l.obeys(p.Executable) {
			continue
		}
		if l.host.Exists(p.Executable) && l.kind(p.Executable, true) == "" {
			return learnedKey{p.Executable, user, true}
		}
		break
	}
	return learnedKey{acting, user, false}
}

// obeys reports whether a program does what whoever starts it tells it.
func (l *Learner) obeys(executable string) bool {
	return slices.Contains(tools, path.Base(executable)) || l.kind(executable, true) == "interpreter"
}

// isScript reports whether a file is run by another program than itself.
func (l *Learner) isScript(name string) bool { return len(l.host.Programs(name)) > 1 }

// kind is the sort of what checking says of a program as a subject by itself; "" for nothing.
func (l *Learner) kind(executable string, lineage bool) string {
	key := fmt.Sprint(executable, lineage)
	if known, ok := l.kinds[key]; ok {
		return known
	}
	text := fmt.Sprintf("policy: a\nrules:\n  - {name: r, kernel: [kexec], allow: [{executable: %s, lineage: %t}]}\n", quoted(executable), lineage)
	kind := "unreadable"
	if parsed, err := policy.Parse("", []byte(text)); err == nil {
		kind = ""
		for _, f := range policy.Check(&policy.Set{Policies: parsed}, l.host) {
			if slices.Contains([]string{"interpreter", "entrance", "everybody"}, f.Kind) {
				kind = f.Kind
			}
		}
	}
	l.kinds[key] = kind
	return kind
}

func chainOf(a policy.Actor) string {
	var names []string
	for _, p := range a.Lineage {
		names = append(names, p.Executable)
	}
	return strings.Join(names, " ‹ ")
}

var simple = regexp.MustCompile(`\A[A-Za-z0-9/][A-Za-z0-9/._@+-]*\z`)

// quoted writes a text as YAML, without quotes where none are needed.
func quoted(text string) string {
	if _, err := strconv.ParseFloat(text, 64); err != nil && simple.MatchString(text) {
		return text
	}
	return strconv.Quote(text)
}

// Proposal is the policy, in audit, with what was seen in its comments.
func (l *Learner) Proposal() []byte {
	operations := "tamper"
	if l.reads {
		operations = "secret"
	}
	var paths []string
	for _, p := range l.paths {
		paths = append(paths, quoted(p.Text))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# yaml-language-server: $schema=policy.schema.json\n#\n# Proposed from %s. Who is not listed was not seen: read it, let it audit for a\n# while, and only then write mode: enforce.\n",
		count(l.events, "event", "events"))
	fmt.Fprintf(&b, "policy: %s\nmode: audit\nrules:\n  - name: content\n    files: {paths: [%s], operations: %s}\n", l.name, strings.Join(paths, ", "), operations)
	if len(l.actors) == 0 {
		b.WriteString("    # Nobody did anything to it: without allow nobody may.\n")
		return []byte(b.String())
	}
	b.WriteString("    allow:\n")
	for _, key := range l.byCount() {
		seen := l.actors[key]
		fmt.Fprintf(&b, "      # %d × %s, last %s\n", seen.count, seen.operations, alertmessage.Plain(seen.last))
		fmt.Fprintf(&b, "      # by %s\n", alertmessage.Plain(seen.chain))
		if !key.lineage && l.obeys(key.executable) {
			fmt.Fprintf(&b, "      # It does what it is told: everybody is allowed who can start it as %s. Expected what tells it so, or a unit.\n", alertmessage.Plain(key.user))
		}
		fmt.Fprintf(&b, "      - {executable: %s, user: %s%s}\n", quoted(key.executable), quoted(key.user), map[bool]string{false: ", lineage: false"}[key.lineage])
	}
	return []byte(l.warned(b.String()))
}

// byCount are those who did the most first.
func (l *Learner) byCount() []learnedKey {
	return slices.SortedFunc(maps.Keys(l.actors), func(a, b learnedKey) int {
		return cmp.Or(l.actors[b].count-l.actors[a].count, strings.Compare(a.executable, b.executable), strings.Compare(a.user, b.user))
	})
}

// warned adds what checking says of the proposal.
func (l *Learner) warned(proposal string) string {
	parsed, err := policy.Parse("proposal", []byte(proposal))
	if err != nil {
		return proposal + "# It must be corrected first: " + strings.ReplaceAll(err.Error(), "\n", "; ") + "\n"
	}
	for _, f := range policy.Check(&policy.Set{Policies: parsed}, l.host) {
		proposal += fmt.Sprintf("# line %d: %s\n", f.Position.Line, f.Message)
	}
	return proposal
}
