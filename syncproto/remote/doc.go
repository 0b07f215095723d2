// Package remote carries errors across the process boundary.
//
// Report turns the tree of a Go error into the nodes of a syncproto.Report, which any language can read. FromReport
// turns a report into an *Error, which prints the text of the original in one line. For everything that has a meaning
// in both processes, errors.Is and errors.As give the same results as for the original: the kernel's errors, by name
// because their numbers differ between architectures; fs.PathError, os.SyscallError and exec.Error; the steps of a
// set-up; and the sentinels that both sides know by a name (Register). Of all other types only the text remains. An
// error can set the code of its report with a method (Coder); CodeOf alone determines the code. IsRemote tells an error
// of the peer from an error of this process: both may be ENOENT, but only one of them is about this side's files. The
// report alone does not show that, because a peer may send back an error that it received: a child whose request was
// refused often ends with the refusal as its cause. Report therefore puts a node above a received error that names the
// role which reported it, and IsRemote is false for an error that returns to its origin (Error.IsEcho).
package remote
