// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/pkg/policy"
)

var (
	modelSeed = flag.Uint64("seed", 0, "of the random policies and acts; 0: another one each time")
	modelSets = flag.Int("sets", 12, "random sets of policies")
	modelTell = flag.Bool("tell", false, "log every act")
)

const actsOfSet = 25

// policies makes random ones as YAML.
func (w *world) policies(r *rand.Rand) string {
	var b strings.Builder
	for p := range 1 + r.IntN(4) {
		fmt.Fprintf(&b, "---\npolicy: p%d\nmode: %s\nrules:\n", p, pick(r, "enforce", "enforce", "audit"))
		for i := range 1 + r.IntN(3) {
			mode := pick(r, "", "", "", "mode: enforce, ", "mode: audit, ")
			fmt.Fprintf(&b, "  - {name: r%d, %s%s}\n", i, mode, w.rule(r))
		}
	}
	return b.String()
}

func (w *world) rule(r *rand.Rand) string {
	who, everybody := subjectsText(r, "who"), ""
	if r.IntN(2) == 0 {
		everybody = who
	}
	allow := ""
	if r.IntN(5) > 1 {
		allow = subjectsText(r, "allow")
	}
	switch r.IntN(9) {
	case 0:
		return "processes: {" + targetText(r) + ", operations: [" + someText(r, policy.ProcessOperations) + "]}" + everybody + allow
	case 1, 2:
		return "exec: {" + pick(r, "deny", "deny", "only") + ": {" + programsText(r) + "}}" + everybody + allow
	case 3:
		return "network: {operations: [" + someText(r, policy.NetworkOperations) + "], " + pick(r, "deny", "only") + `: ["` +
			strings.Join(someOf(r, "127.0.0.0/8:7001", "*:7002/udp", "[::1]:7001", "127.0.0.1", "*:1-1023/tcp", "10.0.0.0/8"), `", "`) + `"]}` + everybody + allow
	case 4: // always about the performers: the test itself needs the kernel
		return "kernel: [" + someText(r, policy.KernelOperations) + "]" + who + allow
	}
	return "files: {paths: [" + pathsText(r) + "]" + exceptText(r) + ", operations: " +
		pick(r, "tamper", "secret", "["+someText(r, policy.FileOperations)+"]") + "}" + everybody + allow
}

// someOf gives one or more, each once.
func someOf(r *rand.Rand, all ...string) []string {
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:1+r.IntN(min(3, len(all)))]
}

func someText(r *rand.Rand, kind policy.Operation) string {
	return strings.Join(someOf(r, policy.OperationNames(kind)...), ", ")
}

func subjectsText(r *rand.Rand, key string) string {
	user, place := pick(r, "", "", ", user: root", ", user: tester"), pick(r, "", "", ", unit: "+modelUnit)
	all := []string{"{user: tester}", `{user: "0", unit: ` + modelUnit + "}", "{unit: " + modelUnit + "}", "{container: " + modelContainer[:12] + "}",
		"{container: " + modelMachine + "}"}
	for _, name := range append(modelExecutables(), modelPrograms+"/s*") {
		all = append(all, "{executable: "+name+user+"}", "{executable: "+name+", lineage: false"+place+"}")
	}
	return ", " + key + ": [" + strings.Join(someOf(r, all...), ", ") + "]"
}

func targetText(r *rand.Rand) string {
	executables := "executables: [" + strings.Join(someOf(r, modelExecutables()...), ", ") + "]"
	return pick(r, executables, executables, "units: ["+modelUnit+"]", executables+", units: ["+modelUnit+"]")
}

func programsText(r *rand.Rand) string {
	bin := modelRoot + "/bin/"
	all := []string{"paths: [" + strings.Join(someOf(r, bin+"tool", bin+"script", bin+"**", bin+"v*"), ", ") + "]", "origins: [memfd]", "origins: [tmpfs]"}
	return strings.Join(someOf(r, pick(r, all...)), ", ")
}

func pathsText(r *rand.Rand) string {
	var all []string
	for _, name := range slices.Concat(modelDirs, modelFiles, modelNew, []string{"link", "a/hard", "b/hard", "mnt", "bin/tool"}) {
		all = append(all, modelRoot+"/"+name)
	}
	for _, dir := range []string{"", "/a", "/a/sub", "/b", "/mnt", "/bin"} {
		all = append(all, modelRoot+dir+"/**", modelRoot+dir+"/"+pick(r, `"`, "")+"*")
	}
	all = append(all, modelRoot+"/link/x.conf", modelRoot+"/link/**", modelAlias+"/**", modelAlias+"/sub", modelAlias+"/*.conf", modelAlias,
		modelRoot+"/a/*.conf", modelRoot+"/b/[m-o]*", modelRoot+"/a/?", modelRoot+"/n/below/it", modelRoot+"/a/x.conf/below")
	return quoted(someOf(r, all...))
}

func exceptText(r *rand.Rand) string {
	if r.IntN(3) > 0 {
		return ""
	}
	return ", except: [" + quoted(someOf(r, modelRoot+"/a/*.conf", modelRoot+"/a/sub/**", modelRoot+"/a/x.conf", modelRoot+"/b/*", modelAlias+"/*.log",
		modelAlias+"/sub", modelRoot+"/mnt/**", modelRoot+"/b/hard", modelRoot+"/a/sub/*")) + "]"
}

func quoted(paths []string) string {
	for i, p := range paths {
		paths[i] = `"` + strings.ReplaceAll(p, `"`, "") + `"`
	}
	return strings.Join(paths, ", ")
}

// expected are the rules that deny a deed, with what becomes of it by each, and whether it is refused.
func expected(set *policy.Set, d *deed) (rules map[ruleName]policy.Verdict, refused bool) {
	rules = map[ruleName]policy.Verdict{}
	for _, requests := range d.steps {
		for _, r := range requests {
			decision := set.Evaluate(r)
			refused = refused || decision.Verdict == policy.Denied
			for _, reason := range decision.Reasons {
				if !reason.Overruled && reason.Verdict != policy.Allowed {
					rules[ruleName{reason.Policy, reason.Rule}] = reason.Verdict
				}
			}
		}
		if refused {
			break
		}
	}
	return rules, refused
}

// counted gives what the kernel has counted about each rule in force.
func (w *world) counted() map[ruleName]counts {
	all := map[ruleName]counts{}
	for _, s := range w.e.Status().Rules {
		all[ruleName{s.Policy, s.Rule}] = counts{denied: s.Denied, audited: s.Audited}
	}
	return all
}

// told gives the rules that the kernel has counted since, and as what.
func (w *world) told(before map[ruleName]counts) map[ruleName]policy.Verdict {
	rules := map[ruleName]policy.Verdict{}
	for name, now := range w.counted() {
		if now.audited > before[name].audited {
			rules[name] = policy.Audited
		}
		if now.denied > before[name].denied {
			rules[name] = policy.Denied
		}
	}
	return rules
}

// try lets a deed happen and compares what the kernel made of it with what the evaluator says.
func (w *world) try(set *policy.Set, d *deed) (refused, ok bool) {
	want, refused := expected(set, d)
	before := w.counted()
	number, err := d.by.tell(d.words...)
	require.NoError(w.t, err, "%s: %v", d.by.name, d.words)
	got := w.told(before)
	right := number == 0 || slices.Contains(d.natural, number)
	if refused {
		right = number == unix.EPERM
	}
	ok = right && maps.Equal(want, got)
	if !ok {
		w.t.Errorf("%s: %v: ended with %d, denied by %v; expected refused %v, denied by %v", d.by.name, d.words, number, got, refused, want)
	}
	if number == 0 && d.undo != nil {
		w.putBack(set, d)
	}
	return refused, ok
}

// putBack undoes a deed while policies only report.
func (w *world) putBack(set *policy.Set, d *deed) {
	require.NoError(w.t, w.e.AuditOnly(true))
	require.NoError(w.t, d.undo(), "undo %v", d.words)
	if d.unmounted {
		w.mountInner()
	}
	w.tidy()
	require.NoError(w.t, w.e.AuditOnly(false))
	if d.remounts { // the enforcer finds that out by itself, some time later
		require.NoError(w.t, w.e.Load(set))
	}
}

// What the kernel refuses and reports is what the policies say, for any policies, programs, users and acts.
func TestVerdictsAreThoseOfTheEvaluator(t *testing.T) {
	ring.Require(t, ring.VM)
	w := &world{t: t, e: shared(t)}
	w.make()
	w.populate()
	w.vouch()
	seed := *modelSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed=%d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	acts, refusedActs, words := 0, 0, map[string]bool{}
	for range *modelSets {
		text := w.policies(r)
		policies, err := policy.Parse("random.yaml", []byte(text))
		require.NoError(t, err, text)
		set := &policy.Set{Policies: policies}
		require.NoError(t, w.e.Load(set), text)
		meant := set.Resolve(w.e.options.Host)
		for range actsOfSet {
			d := w.deed(r)
			if d == nil {
				continue
			}
			refused, ok := w.try(meant, d)
			if *modelTell || !ok {
				t.Logf("%s: %v: refused %v by\n%s", d.by.name, d.words, refused, text)
			}
			acts++
			if refused {
				refusedActs++
				words[d.words[0]] = true
			}
		}
		drain(t, w.e)
	}
	t.Logf("%d acts, %d refused: %s", acts, refusedActs, strings.Join(slices.Sorted(maps.Keys(words)), ", "))
	assert.Greater(t, refusedActs, acts/50, "random policies refuse something")
	require.NoError(t, w.e.Load(&policy.Set{}))
}
