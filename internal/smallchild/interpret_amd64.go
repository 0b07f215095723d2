package smallchild

import "golang.org/x/sys/unix"

// poll returns at once what happened to the descriptor in the struct pollfd at an address.
func (m *machine) poll(at uint64) int64 { return m.call(unix.SYS_POLL, at, 1, 0) }
