package smallchild

import "golang.org/x/sys/unix"

// poll returns at once what happened to the descriptor in the struct pollfd at an address.
func (m *machine) poll(at uint64) int64 { return m.call(unix.SYS_POLL, at, 1, 0) }

// wait waits until something happens to one of n descriptors in an array of struct pollfd at an address.
func (m *machine) wait(at, n uint64) int64 { return m.call(unix.SYS_POLL, at, n, ^uint64(0)) }
