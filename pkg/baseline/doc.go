// SPDX-License-Identifier: Apache-2.0

// Package baseline judges how a host is configured by templates of rules.
//
// # What a rule means
//
// A rule has a check, which is a tree of all, any and not over tables. A table gives facts about the host as rows: one for each
// account, each setting, each mount. Where chooses rows, Expect says what each of them must be (with Some: one of them), Count
// how many there must be; with neither, and with Some, there must be one. IfNone says what it means that there is none.
//
//   - all fails where a part fails, any passes where a part passes; else an error of a part is the error of the whole.
//   - An error is never a pass or a fail: it means that a fact could not be read, so that nobody knows.
//   - A part that is not applicable has no say. A rule is not applicable where all its parts are not, or Applies does not hold.
//   - A rule with Manual is for a person to judge; what its check finds is evidence only.
//   - A waiver that has not expired turns a fail into waived, and nothing else.
//   - Numbers are compared as numbers and modes as bits. What is absent satisfies nothing but "set: false".
//
// # Templates
//
// A template may extend another one: it inherits values and rules, can set values within their floor and ceiling, change what
// rules say about themselves, leave rules out with a reason, and add its own.
package baseline
