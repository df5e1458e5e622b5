// SPDX-License-Identifier: Apache-2.0

package baselines

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/vedette-sec/vedette/pkg/baseline"
)

// Conformity is what a clause comes to, in the steps of GB/T 28448.
type Conformity string

// The steps, the worst first.
const (
	NotConforming Conformity = "not"       // all that can be judged fails
	Partly        Conformity = "partly"    // some of it fails
	Open          Conformity = "open"      // nothing fails, but a person has to judge or a fact could not be read
	Conforming    Conformity = "conforms"  // all passes
	Irrelevant    Conformity = "not_about" // it is about nothing on this host
)

// Conformities are all steps, the worst first.
var Conformities = []Conformity{NotConforming, Partly, Open, Conforming, Irrelevant}

// Clause is a clause of a standard with the rules that are about it.
type Clause struct {
	ID         string
	Point      baseline.Text // what the control point is called, empty where that is not known
	Conformity Conformity
	Results    []Result
}

// points are the names of the control points of GB/T 22239-2019 that are about hosts, by the beginning of their clauses.
var points = map[string]map[string]baseline.Text{
	"mlps-l2": pointsOf("7.1.4", []int{0, 1, 2, 3, 4, 5, 6, 8, 9, 10}),
	"mlps-l3": pointsOf("8.1.4", []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}),
}

var pointNames = []baseline.Text{
	{EN: "Identity authentication", ZH: "身份鉴别"}, {EN: "Access control", ZH: "访问控制"}, {EN: "Security audit", ZH: "安全审计"},
	{EN: "Intrusion prevention", ZH: "入侵防范"}, {EN: "Malicious code prevention", ZH: "恶意代码防范"}, {EN: "Trusted verification", ZH: "可信验证"},
	{EN: "Data integrity", ZH: "数据完整性"}, {EN: "Data confidentiality", ZH: "数据保密性"}, {EN: "Data backup and recovery", ZH: "数据备份恢复"},
	{EN: "Residual information protection", ZH: "剩余信息保护"}, {EN: "Personal information protection", ZH: "个人信息保护"},
}

func pointsOf(chapter string, order []int) map[string]baseline.Text {
	all := map[string]baseline.Text{}
	for i, name := range order {
		all[chapter+"."+strconv.Itoa(i+1)] = pointNames[name]
	}
	return all
}

// Standard is the one by which the report is read: that of the template's name, else the one with the most clauses; "" for none.
func (r *Report) Standard() string {
	clauses := map[string]map[string]bool{}
	for _, result := range r.Results {
		for standard, ids := range result.Maps {
			if clauses[standard] == nil {
				clauses[standard] = map[string]bool{}
			}
			for _, id := range ids {
				clauses[standard][id] = true
			}
		}
	}
	if clauses[r.Template] != nil {
		return r.Template
	}
	best := ""
	for _, standard := range slices.Sorted(maps.Keys(clauses)) {
		if len(clauses[standard]) > len(clauses[best]) {
			best = standard
		}
	}
	return best
}

// Clauses are those of the report's standard, in order, and one without an id for rules that are about none of it.
func (r *Report) Clauses() []Clause {
	standard := r.Standard()
	byID := map[string][]Result{}
	for _, result := range r.Results {
		ids := result.Maps[standard]
		if len(ids) == 0 {
			ids = []string{""}
		}
		for _, id := range ids {
			byID[id] = append(byID[id], result)
		}
	}
	var all []Clause
	for _, id := range slices.SortedFunc(maps.Keys(byID), compareClauses) {
		all = append(all, Clause{id, pointOf(standard, id), conformityOf(byID[id]), byID[id]})
	}
	return all
}

// pointOf finds the control point that a clause belongs to.
func pointOf(standard, id string) baseline.Text {
	for prefix, name := range points[standard] {
		if id == prefix || strings.HasPrefix(id, prefix+".") {
			return name
		}
	}
	return baseline.Text{}
}

// compareClauses compares numbers as numbers; no id comes last.
func compareClauses(a, b string) int {
	if a == "" || b == "" {
		return cmp.Compare(b, a)
	}
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(x, y string) int {
		m, errX := strconv.Atoi(x)
		n, errY := strconv.Atoi(y)
		if errX == nil && errY == nil {
			return cmp.Compare(m, n)
		}
		return cmp.Compare(x, y)
	})
}

func conformityOf(results []Result) Conformity {
	count := map[baseline.Verdict]int{}
	for _, r := range results {
		count[r.Verdict]++
	}
	// A waived rule fails: the standard knows no waivers, only the owner of the system does.
	failing := count[baseline.Fail] + count[baseline.Waived]
	switch {
	case failing > 0 && count[baseline.Pass] > 0:
		return Partly
	case failing > 0:
		return NotConforming
	case count[baseline.Manual]+count[baseline.Failure] > 0:
		return Open
	case count[baseline.Pass] > 0:
		return Conforming
	}
	return Irrelevant
}
