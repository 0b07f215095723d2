// Package spawn starts a child in namespaces of its own and holds the parent's side of the handshake with it.
//
// Start turns a Config into a plan, a value that can be printed: argv, environment, clone flags, and the namespaces
// that are joined before the clone and by the child. It then carries the plan out. A single clone(2) creates the child
// with all its new namespaces, and the child executes this same program again. There package nsinit, at the other end
// of an inherited socket, gets the configuration, requests what it cannot do itself, reports that it is ready, and
// executes the requested program. If anything fails on the way, the child is told, killed and reaped, and nothing is
// left. So a program that calls Start must call nsinit.Main first; the package example is a complete program.
//
// Start returns when the child has sent EXEC and the end of file proves the execution, or, with a Gate, when the child
// waits behind it. OpenGate lets it continue, and reports an error of the execution, from any process with access to
// the gate's socket.
//
// With a Target the child joins a running process. It enters the target's namespaces while it has a single thread and
// no file of the host open, by a list of system calls that is part of the plan (package rawfork). Only then does it
// execute this program and start the handshake, with the profile "setns".
//
// With Compile the child is a program of a few KiB wherever the configuration allows it, instead of this program: see
// package smallchild below internal. Process.Child says which it was. Errors and results are the same.
//
// A Pool keeps children that are made already and wait for their configuration, so that a start need not make one. Its
// documentation says what is fixed when such a child is made, what a start still chooses, and what waiting costs.
//
// # Zero values
//
// A zero Config starts nothing, and unset fields are the safe choice. The child inherits from the caller only the
// descriptors in Files and PreserveFDs, no environment, no supplementary groups, no umask, and no capability that
// container.Process does not name. It shares with the caller the namespaces that Namespaces does not list, the control
// group if Cgroup is nil, and the resource limits that Rlimits leaves out. Start never ignores a property: one that
// cannot be carried out is an error that names it.
//
// The package knows nothing of OCI and does not import nsinit: the two share only the protocol (packages syncproto and
// syncproto/container).
package spawn
