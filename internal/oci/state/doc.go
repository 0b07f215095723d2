// Package state remembers containers between calls of the runtime: a directory for each below a root, with state.json
// and whatever the caller keeps beside it.
//
// state.json is replaced as a whole: a reader sees the old one or the new one and needs no lock. Writers hold the
// directory's lock, flock(2) on the directory itself, which the kernel lets go when the holder dies, so that a killed
// create leaves something that can be deleted and nothing that must be waited for.
//
// What changes on its own is not stored: [Observe] asks the kernel whether the process lives, and [Facts.Status]
// decides.
package state
