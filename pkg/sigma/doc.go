// SPDX-License-Identifier: Apache-2.0

// Package sigma reads detection rules written in Sigma 2.1 and judges events by them.
//
// Parse, ParseFS and ParseDir turn YAML into rules. A document that is wrong is reported with file, line and column and
// never takes the others down. Everything that can be prepared (patterns, regular expressions, networks) is prepared while parsing.
//
// Rule.Evaluate is written to be obviously right, not to be fast. It is the reference that faster engines are tested against.
//
// # What a value means
//
//   - Text is compared without regard to case (Unicode simple folding), unless the modifier cased is given. "*" stands for any
//     run of characters, "?" for exactly one. A byte that is not valid UTF-8 is one character, equal only to itself.
//   - A backslash escapes "*", "?" and a backslash; before any other character it stands for itself.
//   - A number equals a number of the same value and the text of its decimal form. Text is compared with the decimal form of a number.
//   - null holds where the event has no such field, no value in it, or the value nil. The empty text holds for an empty text only.
//   - A field with several values satisfies a value when one of them does.
//   - neq negates the whole item, so it also holds where the field is absent.
//   - A keyword is looked for anywhere in the event's texts. With startswith, endswith or re it is applied to each text as it is.
//   - A regular expression is looked for anywhere in the value, with the syntax of Go's package regexp (RE2): there is
//     no lookaround and no backreference.
//   - base64, base64offset and the utf16 family yield bytes, which are then compared as text.
//   - Time parts are taken from the timestamp as it is written, in its own zone. A week is the week of ISO 8601.
//
// Keys that Sigma does not know are allowed. These have a meaning here: output, dedup, response, risk, tests.
package sigma
