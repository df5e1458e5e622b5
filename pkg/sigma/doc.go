// SPDX-License-Identifier: Apache-2.0

// Package sigma reads detection rules written in Sigma 2.1 and judges events by them.
//
// Parse, ParseFS and ParseDir turn YAML into a Collection of rules, correlations and filters. A document that is wrong is reported
// with file, line and column and never takes the others down. Everything that can be prepared (patterns, regular expressions,
// networks) is prepared while parsing. Collection.Resolve, called once for everything that was read, then sets what refers to what.
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
// # Filters
//
//   - A filter names rules by id or name, or "any". A rule it names matches only where the filter's condition holds too; to except
//     something the condition therefore says "not".
//   - It narrows only rules whose log source has all the parts that the filter's own gives. Naming another rule is an error.
//   - A rule that a filter names and that is not there is an error, but the filter narrows the others it names.
//   - Correlations are not narrowed; the rules they refer to are.
//   - In a match the filter's selections have its name, or else its title in small letters, and a dot before their own.
//
// # Correlations
//
//   - Package correlation judges them; there is written what they mean.
//   - A reference is an id or else a name. What several documents have for a name can only be referred to by id.
//   - The condition of a temporal type may be an expression over the rules, with and, or, not, parentheses, "1 of" and "all of".
//     Without a list of rules, those of the expression are meant, in its order.
//   - A month is a twelfth of a year, a year 365.2425 days.
//   - value_percentile needs the key percentile in its condition.
//   - The type first_seen is not part of Sigma. Its condition has field, and may have learn.
//   - generate may be given in the document or in its correlation part.
//   - Actions (global, repeat) do not touch correlations and filters.
//   - tests holds sequences of events; each event has a time since the beginning, and fires the times at which the correlation must fire.
//
// Keys that Sigma does not know are allowed. These have a meaning here: output, dedup, response, risk, tests.
package sigma
