// Package spawn starts a child in namespaces of its own and holds the parent's side of the handshake with it.
//
// A Config becomes a plan, which is a value and prints: argv, environment, clone flags, what is joined before and what
// the child joins itself. Start carries it out: one clone(2) makes the child with all its new namespaces, the program
// itself executed anew, without any process in between; the child, which is package nsinit on the other end of one
// inherited socket, gets its configuration, asks for what it cannot do itself, says that it is ready, and becomes the
// program that was asked for. If anything fails on the way, the child is told, killed and reaped, and nothing is left.
// So a program that calls Start calls nsinit.Main first: the example of the package is a whole one.
//
// Start returns when the child says EXEC and the end of file proves the execution, or, with a Gate, when it waits
// behind it; OpenGate lets it go on, and reports the execution's own error, from any process that may reach the gate's
// socket.
//
// With a Target the child is one more process of what runs already. It joins the target's namespaces while it has one
// thread alone and nothing of the host open, by a list of system calls that is part of the plan (package rawfork), and
// only then executes the program and speaks, by the profile "setns".
//
// # Zero values
//
// A zero Config starts nothing; what it does not say is the safe choice. Of the caller's, the child has no descriptor
// but those in Files and PreserveFDs, no environment, no supplementary group and no umask, and no capability that
// container.Process does not name. It shares with the caller the namespaces that Namespaces does not list, the control
// group where Cgroup is nil, and the resource limits that Rlimits leaves out. A property that nothing would carry out
// is an error of Start that names it, never dropped.
//
// The package knows no OCI and does not import nsinit: the two share the protocol alone (packages syncproto and
// syncproto/container).
package spawn
