// Package state stores containers between runs of the runtime. Each container has a directory below a common root,
// with state.json and whatever else the caller stores there.
//
// state.json is replaced as a whole: a reader sees either the old or the new one and needs no lock. Writers hold
// the directory's lock, a flock(2) on the directory itself. The kernel releases it when the holder dies, so after
// a create that was killed, the remains can be deleted without waiting for anything.
//
// What changes on its own is not stored: [Observe] asks the kernel whether the process is alive, and
// [Facts.Status] derives the status.
package state
