// Package remote carries errors across the process boundary.
//
// Report turns the tree of a Go error into the nodes of a syncproto.Report, which any language can read. FromReport
// turns a report into an *Error, which prints the words of the original in one line and answers errors.Is and errors.As
// as the original did, for everything that has a meaning in both processes: the kernel's errors, by name since their
// numbers differ between architectures; fs.PathError, os.SyscallError and exec.Error; the steps of a set-up; and the
// sentinels that both sides know by a name (Register). Of all other types the words remain.
//
// An error names the code of its report by a method (Coder), and CodeOf is the one judge of it.
//
// IsRemote tells an error that the peer had from one that this process had itself: both may be ENOENT, and only one of
// them is about this side's files. What a report says is not enough for that, since a peer gives back what it was told:
// a child whose request was refused ends with the refusal as its cause. Report therefore puts a node over what was
// received that says whose report it was, and IsRemote is false for what comes back to where it began (Error.IsEcho).
package remote
