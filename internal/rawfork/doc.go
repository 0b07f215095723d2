// Package rawfork makes a child that carries out a list of system calls, and nothing else, until it executes a program.
//
// Some things only a process of one thread may do: enter a user or a time namespace (setns(2)), enter a mount namespace
// without a share in anybody's root. A Go program never has one thread. But the child of a bare clone3(2) has: it is a
// copy of the caller's memory with the calling thread alone. What it may do there is little, for the Go runtime's other
// threads, with whatever locks they held, are gone. So all that it shall do is decided before, as a Program: a value
// that prints, a list of system calls with their arguments in place. The child steps through the list without taking
// memory, growing its stack or calling anything that could; it reports the first call that fails, by its place in the
// list and its errno.
//
// Where a program enters a pid namespace, its child is no member of it: only that one's own child is. Fork makes that
// second child as a sibling, CLONE_PARENT of clone(2), and the first one ends. The caller gets one process either way.
package rawfork
