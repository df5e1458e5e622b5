// SPDX-License-Identifier: Apache-2.0

// Package correlation judges by Sigma correlations: it is told of every match of a rule and says which correlations hold for
// which groups.
//
// New takes the correlations of a resolved sigma.Collection. Observe tells of a match and Advance of the time; both return what fires.
// The matches of a rule must all be told, also of those whose own alerts are silent. Call Advance several times within
// Limits.Ahead, such as with every batch of events: without it windows close, and matches stop waiting, only when later ones come.
//
// # Time and order
//
//   - Time is the time of the events. When they come makes no difference, as long as none comes more than Limits.Lateness
//     behind the latest one or behind the time given to Advance. A match waits that long before it counts, so that what fires,
//     fires that much later. One that comes even later is dropped and counted (Late).
//   - Events of the same time count in the order in which they came.
//   - An event further ahead of the time given to Advance than Limits.Ahead is dropped and counted (Ahead): a wrong clock, or
//     whoever writes times into logs, must not make all other events late.
//
// # Groups
//
//   - Events with the same values of group-by form a group; each group is judged by itself. Without group-by there is one group.
//   - Values are compared as text, with regard to case. The number 5 and the text "5" are the same.
//   - Of a field with several values the first counts.
//   - An event without a value for one of the fields belongs to no group: it does not count for that correlation (Ungrouped). Nor does
//     one without a value for condition.field, or without a number there where numbers are computed with (Valueless).
//   - An alias stands for a field of its own in the events of each rule; in those of a rule for which it says nothing, for the field
//     of its own name. condition.field may be an alias as well.
//
// # Conditions that more events can only fulfil
//
// These are judged at each match, over the window that ends with it: the matches since one timespan before, that instant itself
// excluded. They are event_count, value_count, value_sum and temporal with nothing but gt and gte, temporal with an expression
// without not, temporal_ordered, and first_seen.
//
//   - A correlation fires for a group with the match that makes its condition hold. After that the group does not fire again as
//     long as the condition goes on to hold; matches meanwhile are folded, and counted in the group's next firing. It fires again when the
//     condition has stopped to hold in between, as seen at a match, before that match is counted; or when a whole timespan has passed
//     since it fired, so that what goes on is told once in each timespan. When the window has been empty in between, the count of
//     folded matches begins anew.
//   - Counts end at the number that the condition asks for: what is beyond is in the count of folded matches.
//   - value_count counts the different values of the field, or the different combinations where there are several.
//   - value_sum also takes numbers below zero; its condition can then stop to hold while matches come.
//   - temporal counts the different rules that match. Without a condition all must. An expression names those that must.
//   - temporal_ordered counts the rules of the longest run of matches that is in the order of the list; others may come in between.
//     With an expression, a set of rules that fulfils it must match in that order. At most 256 such sets are followed.
//   - Two rules that match the same event count as two matches, in the order in which they are told.
//
// # Conditions that can only be judged when no more events can come
//
// These are all others: any with lt, lte, eq or neq, value_avg, value_median and value_percentile, and expressions with not. They
// are judged when a window is over. A window opens with the first match of a group that is in no window, and is over a timespan later,
// that instant excluded. The next opens with the next match.
//
//   - A window opens with a match, so that a count is at least 1; a condition that only 0 fulfils is refused when it is read. That nothing
//     at all happens in a group is not seen.
//   - In an expression with not, only the rules that must match open a window. "a and not b" holds when there is no b
//     from a on for the timespan. An order of what does not happen is refused when it is read.
//   - The percentile is interpolated linearly between the two nearest numbers, and the median is the 50th.
//
// # What was not seen before
//
// The type first_seen fires with each match whose value of condition.field (or combination, of several fields) its group has not had
// within the timespan before. It has no folding: each new value fires once. Nothing can be called new before some time has been
// watched, so it does not fire until condition.learn has passed since the first match of the correlation; that is the timespan where
// learn is not given. A group that comes later begins with everything new. A group or value that the limits made the correlator
// forget is new again, which is counted.
//
// # Correlations of correlations
//
// A firing is an event for the correlations that refer to its own, at the time at which it fired. It has the fields (or aliases) of
// group-by with the group's values. Any other field has the value it has in the last event of the window. The end of a window
// comes before the events of the same instant; windows that end together come in the order of their correlations, and those of one
// correlation in the order in which they opened. And what fires because of a match comes before that match for a correlation
// that refers to both. Every firing is returned, also those of correlations that only serve others; sigma.Collection.Silent tells them apart.
//
// # Memory
//
// A group keeps no events but what its type needs: times, as many as the condition counts; values, as many as the condition counts; or
// numbers, up to Limits.MaxValues. Beyond that sums take their two oldest numbers together, percentiles keep every other number, and
// first_seen forgets the value least recently seen; Firing.Degraded and Counters.Degraded tell of it. A condition that would take more
// values than that, or more times than the memory is for, is refused by New.
//
// Beyond Limits.MaxGroups a correlation drops the group least recently used, to a 64th of the timespan; where windows are judged at their end,
// the one that ends first, without judging it. Beyond Limits.MaxBytes the correlation that takes most drops such a group. Waiting
// matches take at most a quarter of that: beyond, the earliest are judged before their time (Hurried). A group whose last match has left
// the window is dropped.
//
// # Restart and reload
//
// Snapshot writes down all that is remembered, Restore reads it; New does the same between two correlators of one process. What belongs
// to a correlation whose definition changed is dropped. What only concerns its alert (title, level, output, dedup, response, tests)
// is not part of that, nor is what the rules it refers to look for. The time given to Advance is not kept.
package correlation
