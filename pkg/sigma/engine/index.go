// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"strings"
)

// ordinary are values that events have all the time. A literal that is in one of them tells little.
var ordinary = newValues(
	"/usr/bin/bash", "/bin/sh", "sh", "bash", "/usr/bin/dash", "/bin/zsh", "/bin/sh -c /usr/bin/", "bash -c ", "/bin/bash -e ",
	"/usr/bin/python3.11", "python3 /usr/local/bin/", "/usr/bin/perl", "/usr/lib/systemd/systemd", "/usr/lib/systemd/systemd-logind",
	"/usr/sbin/cron -f", "/usr/sbin/sshd -D", "/usr/bin/grep -r --color=auto", "/usr/bin/cat /etc/passwd", "/usr/bin/ls -la /tmp/",
	"/usr/bin/curl -s -o /dev/null https://localhost:8080/health", "/usr/bin/wget http://", "/var/log/syslog", "/var/lib/docker/overlay2/",
	"/home/user/.cache/", "/root/", "root", "/proc/self/stat", "/sys/fs/cgroup/", "/usr/bin/sudo apt-get install -y", "/usr/bin/git status",
	"/usr/bin/sed -e s/a/b/ -i", "/usr/bin/awk {print $1} | ", "/usr/bin/ssh", "/usr/bin/find . -name *.txt -type f", "443", "80", "53", "22",
	"0", "127.0.0.1", "/usr/bin/rm -rf", "/usr/bin/chmod +x", "/usr/bin/date", "/usr/bin/tar -xzf file.tar.gz", "/usr/bin/node index.js",
	"/usr/bin/java -jar app.jar", "docker run --rm", "containerd-shim-runc-v2 -namespace moby -id", "/etc/hosts", "/etc/resolv.conf",
	"/etc/systemd/system/", "/etc/cron.d/", "/run/user/1000/", "/opt/", "/usr/share/", "/dev/", "/usr/bin/crontab", "/usr/bin/ps aux",
	"/usr/bin/id", "/usr/bin/uname -a", "/usr/bin/echo", "/usr/bin/head -n 1", "/usr/bin/openssl", "/usr/bin/base64", "&& ; > < = true false",
)

// values is a set of folded values as one text, with the border before and behind each: what begins at each of its places,
// sorted.
type values []string

const border = "\xff"

func newValues(list ...string) values {
	all := border + folded(strings.Join(list, border)) + border
	v := make(values, len(all))
	for i := range len(all) {
		v[i] = all[i:]
	}
	slices.Sort(v)
	return v
}

// have reports whether a literal is in one of the values.
func (v values) have(l *literal) bool {
	text := l.text
	if l.atStart {
		text = border + text
	}
	if l.atEnd {
		text += border
	}
	at, _ := slices.BinarySearch(v, text)
	return at < len(v) && strings.HasPrefix(v[at], text)
}

// frequency guesses in what share of events a literal is found. Only the order of the guesses matters.
func frequency(l *literal) float64 {
	if ordinary.have(l) {
		return 0.5 / float64(1+len(l.text))
	}
	guess := 1.0
	for i := range min(len(l.text), 12) {
		guess *= byteFrequency(l.text[i])
	}
	if l.whole() {
		guess = min(guess, 0.001)
	}
	return guess
}

// byteFrequency guesses how much rarer a folded literal is for one more byte.
func byteFrequency(c byte) float64 {
	switch {
	case 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte(" /-._=", c) >= 0:
		return 0.4
	case c < ' ':
		return 0.01
	}
	return 0.1
}

// necessity is a set of literals and scalars of which at least one holds in every event that a term holds for.
type necessity struct {
	known bool
	any   []predicateID
	share float64 // of events in which one of them holds, as guessed
}

// analysis guesses and derives what is needed to order the terms of nodes and to find rules by literals.
type analysis struct {
	*Builder
	shares []float64          // of predicates, once needed; less than 0 before
	needed map[term]necessity // of nodes
}

// frequency of a predicate's being true.
func (a *analysis) share(id predicateID) float64 {
	if a.shares[id] < 0 {
		a.shares[id] = a.guess(a.predicates.list[id])
	}
	return a.shares[id]
}

func (a *analysis) guess(p predicate) float64 {
	l := p.literal
	if p.scalar != nil {
		l = &literal{slot: p.scalar.slot, text: p.scalar.text, atStart: true, atEnd: true}
	}
	if l == nil {
		return 0.3
	}
	if share, ok := a.common[l.slot]; ok {
		return share
	}
	return frequency(l)
}

// necessary finds the rarest necessity of a term.
func (a *analysis) necessary(t term) necessity {
	if !t.isNode() {
		return a.necessaryForPredicate(t)
	}
	if n, ok := a.needed[t]; ok {
		return n
	}
	n := a.necessaryForNode(t)
	a.needed[t] = n
	return n
}

func (a *analysis) necessaryForPredicate(t term) necessity {
	p := &a.predicates.list[t.predicate()]
	switch {
	case t.isNegated():
		return necessity{}
	case p.question == nil:
		return necessity{true, []predicateID{t.predicate()}, a.share(t.predicate())}
	case p.guard.node != 0:
		n := a.necessary(nodeTerm | term(p.guard.node))
		n.share = min(n.share, p.guard.share)
		return n
	}
	return necessity{}
}

func (a *analysis) necessaryForNode(t term) necessity {
	disjunction := a.nodes.list[t.node()].or != t.isNegated()
	all := necessity{known: disjunction}
	for _, child := range a.nodes.of(t.node()) {
		if t.isNegated() {
			child = child.not()
		}
		n := a.necessary(child)
		switch {
		case !disjunction && n.known && (!all.known || n.share < all.share):
			all = n
		case disjunction && !n.known:
			return necessity{}
		case disjunction:
			all.any = append(all.any, n.any...)
			all.share += n.share * (1 - all.share)
		}
	}
	if disjunction {
		all.any = sorted(all.any)
	}
	return all
}

// weight says how dear a term is to ask and how likely it is to hold.
type weight struct {
	cost  int
	share float64
}

// order puts the terms of each node so that the cheap ones are asked first, and of those the ones most likely to settle it.
func (a *analysis) order() {
	weights := make([]weight, len(a.nodes.list))
	of := func(t term) weight {
		var w weight
		if t.isNode() {
			w = weights[t.node()]
		} else {
			w = weight{share: a.share(t.predicate())}
			if q := a.predicates.list[t.predicate()].question; q != nil {
				w.cost = q.cost()
			}
		}
		if t.isNegated() {
			w.share = 1 - w.share
		}
		return w
	}
	for id := 1; id < len(a.nodes.list); id++ { // terms of a node come before it
		or := a.nodes.list[id].or
		terms := a.nodes.of(nodeID(id))
		slices.SortStableFunc(terms, func(x, y term) int { return compareWeights(of(x), of(y), or) })
		weights[id] = combined(terms, of, or)
	}
}

func compareWeights(x, y weight, or bool) int {
	switch {
	case x.cost != y.cost:
		return x.cost - y.cost
	case x.share == y.share:
		return 0
	case (x.share < y.share) != or:
		return -1
	}
	return 1
}

func combined(terms []term, of func(term) weight, or bool) weight {
	w := weight{share: 1}
	if or {
		w.share = 0
	}
	for _, t := range terms {
		one := of(t)
		w.cost = max(w.cost, one.cost)
		if or {
			w.share = min(1, w.share+one.share)
		} else {
			w.share = min(w.share, one.share)
		}
	}
	return w
}
