// SPDX-License-Identifier: Apache-2.0

// Package policy reads policies, which say what must not happen on a host, and judges acts by them.
//
// # What a policy means
//
// A rule is about operations on objects. It has a say in an act where it is about the operation and the object, and where
// one of its Who holds (or it has none). It then allows the act if one of its Allow holds, and else denies it.
//
//   - Within a policy, for one thing that an act touches, an allowing rule beats any number of denying ones, in whatever mode.
//   - Across policies, and across the things that an act touches, one denial is enough.
//   - A denial by a rule in mode enforce refuses; one in mode audit is reported.
//   - A rule with Only allows everybody in Who what it lists, and denies the rest.
//   - The order of policies, rules and paths never matters.
//
// # Files
//
// Objects are meant, not strings: a rule is about a file if any of the file's names is one that it names and does not
// except. A path is read as it says: /a/b is that object and that name, whether something has it now or not; /a/** is the
// directory and everything below; /a/*.conf are the names in the directory that match. In a pattern "*" stands for any bytes,
// "?" for one byte, "[a-z]" for one of several, "[!a-z]" for one of the others.
//
// An act may touch several things, and each is judged by itself:
//
//   - Rename touches the object, as rename and delete; the new name, as rename and create; the object that had the new
//     name, as rename and delete.
//   - Link touches the object, as link, and the new name, as create.
//   - Every other operation touches the object only.
//
// A directory on the way to a path can make it lead elsewhere. Rules about delete, rename or mount are therefore also about
// these operations on every directory above their paths.
//
// The agent itself may read any file, because it has to find the objects of policies.
//
// The host's init may mount what it likes itself, which is how it shields services. What it starts may not.
//
// # Programs
//
// Who runs a file is the program that executes it, before it is replaced. Running a script is an act on the script and then one
// on its interpreter, whose Lineage has the script. Mapping a file as code is an act too: of Run for rules about exec, of Execute for
// rules about files.
//
// # Subjects
//
// The parts of a subject must hold together. User, unit and container are those of the acting process at the moment of the
// act. The executable is the running program's, or with lineage that of any program that led to it. In Allow every program
// from there to the running one must be trusted, see Program. In Who it need not be: confinement cannot be left.
package policy
