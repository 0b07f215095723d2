// Package rawfork creates a child that only carries out a list of system calls, until it executes a program.
//
// Some actions need a single-threaded process: entering a user or a time namespace (setns(2)), or entering a mount
// namespace without sharing its root directory with other threads. A Go program is never single-threaded, but the child
// of a bare clone3(2) is: it is a copy of the caller's memory with only the calling thread. It can do little, because
// the Go runtime's other threads are gone, with any locks that they held. So everything that it does is decided before,
// as a Program: a value that can be printed, with the list of system calls and their arguments. The child steps through
// the list without allocating memory, growing its stack or calling code that could. It reports the first call that
// fails, by its place in the list and its errno.
//
// A child that needs no process of its own for that shares the caller's memory (Run), as with vfork(2): then no page is
// copied. Either way the child executes its program with every signal at its default, and none blocked.
//
// A process that enters a pid namespace is not a member of it, but its next child is. Fork creates that second child as
// a sibling, with CLONE_PARENT of clone(2), and the first child ends. The caller gets one process either way.
package rawfork
