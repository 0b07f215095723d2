// Package filtercache keeps compiled seccomp filters in files: the most recent ones, so that most containers start
// without compiling one, and that of each container, for the processes that join it.
//
// The format, and the decision whether an entry is the right one, are pure functions in entry.go; dir.go reads and
// writes. Nothing in a file is trusted: directories and files that others could have written are ignored, and an entry
// must be complete, and contain exactly the requested profile and the identity of exactly this program. Anything else
// counts as missing.
package filtercache
