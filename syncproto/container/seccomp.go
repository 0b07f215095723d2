package container

import "github.com/handfast/handfast/syncproto"

// Seccomp is the filter of system calls that the program runs under, seccomp(2). The parent has compiled it; the child
// only loads it, on the one thread that the execution leaves over.
type Seccomp struct {
	// struct sock_filter of <linux/filter.h>, 8 bytes an instruction, in the host's byte order; 1 to 4096 of them
	Filter []byte `sync:"filter"`
	// SECCOMP_FILTER_FLAG_* of <linux/seccomp.h>: LOG, SPEC_ALLOW and WAIT_KILLABLE_RECV
	Flags uint32 `sync:"flags,omitempty"`
	// the filter hands calls to a supervisor: the child makes the request "seccomp" once it is loaded
	Listener bool `sync:"listener,omitempty"`
}

// NarrowStart returns the profile "start" for a container whose filter has a listener, or has none; it corresponds to
// Narrow for "init".
func NarrowStart(p *syncproto.Profile, listener bool) *syncproto.Profile {
	return narrow(p, SeccompRequest.Row, listener)
}

// Listens reports whether the process's filter has a listener.
func (p *Process) Listens() bool { return p.Seccomp != nil && p.Seccomp.Listener }
