// Package seccomp compiles the seccomp profile of an OCI configuration (linux.seccomp, runtime-spec config-linux.md)
// into the BPF program that seccomp(2) loads, without libseccomp and without cgo. It is pure: it does no I/O, and takes
// the host's architecture as a parameter.
//
// # Stages
//
// Each stage is a value that can be printed:
//
//  1. [Parse] decodes and checks the JSON. The result is a [Profile], with [Rule]s of names, conditions and an action.
//  2. For each architecture the rules become a table from the number of a call to a verdict: an action, or a chain of
//     comparisons if rules have conditions (chain.go). This stage merges several rules for one call.
//  3. The tables of the architectures become one decision tree: a balanced search over ranges of numbers with the same
//     verdict, then the comparisons of arguments as a graph in which equal parts exist only once (tree.go, node.go).
//  4. [Compile] assembles the tree into a [Program] (assemble.go).
//
// [Program.Run] interprets a program as the kernel would, [Profile.Explain] says which rule decides a call, and
// [Program.CheckTail] checks that a process with the filter can still execute its program.
//
// # Compatibility
//
// The verdicts are those of runc with libseccomp: rules with the default action are left out, and names that no
// architecture has are skipped. If the default action does not allow a call, calls that are newer than the newest one
// in the profile fail with ENOSYS instead, so that a C library falls back to older calls. test/seccomp-oracle compares
// the two.
package seccomp
