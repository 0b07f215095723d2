// Package remote carries errors across the process boundary.
//
// Report turns the tree of a Go error into the nodes of a syncproto.Report, which any language can read. FromReport turns a report into an *Error, which prints
// the words of the original in one line and answers errors.Is and errors.As as the original did, for everything that has a meaning in both processes: the
// kernel's errors, by name since their numbers differ between architectures; fs.PathError, os.SyscallError and exec.Error; the steps of a set-up; and
// the sentinels that both sides know by a name (Register). Of all other types the words remain.
//
// IsRemote tells an error that the peer had from one that this process had itself: both may be ENOENT, and only one of them is about this side's files.
package remote
