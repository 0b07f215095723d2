// Package seccomp compiles the seccomp profile of an OCI configuration (linux.seccomp, runtime-spec config-linux.md)
// into the BPF program that seccomp(2) loads, without libseccomp and without cgo. It is pure: it reads and writes
// nothing, and takes the host's architecture as a parameter.
//
// # Stages
//
// Each is a value that prints:
//
//  1. [Parse] decodes the JSON and checks it: a [Profile], whose [Rule]s hold names, conditions and one action.
//  2. For each architecture the rules become a table from the number of a call to a verdict: an action, or a chain of
//     comparisons where rules have conditions (chain.go). How several rules of one call combine is decided here.
//  3. The tables of the architectures become one decision tree: a balanced search over ranges of numbers with the same
//     verdict, and behind it the comparisons of arguments as a graph whose equal parts exist once (tree.go, node.go).
//  4. [Compile] assembles the tree (assemble.go): a [Program].
//
// [Program.Run] interprets a program as the kernel would, [Profile.Explain] says which rule decides a call, and
// [Program.CheckTail] whether a process with the filter can still execute its program.
//
// # What it equals
//
// The verdicts are those of runc with libseccomp: rules whose action is the default are left out, names that no
// architecture has are skipped, and where the default action refuses, calls that are newer than the newest one that the
// profile names fail with ENOSYS rather than as the default says, so that a C library falls back to what it did before.
// test/seccomp-oracle holds the two against each other.
package seccomp
