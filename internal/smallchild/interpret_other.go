//go:build !amd64

package smallchild

import "golang.org/x/sys/unix"

// poll returns at once what happened to the descriptor in the struct pollfd at an address.
func (m *machine) poll(at uint64) int64 {
	const time = option + 16 // struct timespec
	m.store64(time, 0)
	m.store64(time+8, 0)
	return m.call(unix.SYS_PPOLL, at, 1, time, 0, 0)
}

// wait waits until something happens to one of n descriptors in an array of struct pollfd at an address.
func (m *machine) wait(at, n uint64) int64 { return m.call(unix.SYS_PPOLL, at, n, 0, 0, 0) }
