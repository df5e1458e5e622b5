// SPDX-License-Identifier: Apache-2.0

// Package repair does what the fixes of baselines say, and takes it back.
//
// # A transaction
//
// For each rule that fails, changes are planned and shown as a diff, the programs that will read the files check them beforehand, and a
// journal gets what is intended and the images of what was there before, all of it synced to disk. Then each change is made: a new
// file is written beside the old one, the old one is compared with the plan once more, and the new one takes its place. Services
// reload, and the rule's check says whether it helped. What did not help is undone.
//
// # What is never done
//
// What is at a path is touched only where it is exactly what a change left or expects there. That holds for fixes, for rollbacks and
// for the recovery from a crash: what is neither as before nor as after is somebody else's, stays as it is, and is told.
package repair
