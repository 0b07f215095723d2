//go:build !amd64

package smallchild

import "golang.org/x/sys/unix"

// poll returns at once what happened to the descriptor in the struct pollfd at an address.
func (m *machine) poll(at uint64) int64 {
	m.store64(option+8, 0) // struct timespec
	m.store64(option+16, 0)
	return m.call(unix.SYS_PPOLL, at, 1, option+8, 0, 0)
}
