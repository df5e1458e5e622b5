// SPDX-License-Identifier: Apache-2.0

package baseline

// Verdict is what became of a rule.
type Verdict string

// The verdicts. An error is neither a pass nor a fail: it says that nobody knows.
const (
	Pass          Verdict = "pass"
	Fail          Verdict = "fail"
	Failure       Verdict = "error"
	NotApplicable Verdict = "not_applicable"
	Manual        Verdict = "manual"
	Waived        Verdict = "waived"
)

// Verdicts are all of them, the worst first.
var Verdicts = []Verdict{Fail, Failure, Waived, Manual, Pass, NotApplicable}

// allOf is the verdict of parts that must all hold. Parts that are not applicable have no say.
func allOf(parts []Verdict) Verdict { return combined(parts, Fail, Pass) }

// anyOf is the verdict of parts of which one must hold.
func anyOf(parts []Verdict) Verdict { return combined(parts, Pass, Fail) }

// combined gives strong where a part is strong, whatever the others are; then error, then weak.
func combined(parts []Verdict, strong, weak Verdict) Verdict {
	found := map[Verdict]bool{}
	for _, part := range parts {
		found[part] = true
	}
	for _, v := range []Verdict{strong, Failure, weak} {
		if found[v] {
			return v
		}
	}
	return NotApplicable
}

func negated(v Verdict) Verdict {
	switch v {
	case Pass:
		return Fail
	case Fail:
		return Pass
	}
	return v
}
