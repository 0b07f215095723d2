package lifecycle

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/console"
)

// sendPIDFD passes a descriptor of the process over the Unix stream socket at path: one message whose data says what it
// is, "standard" for a container's first process and "setns" for one that joins, as runc's --pidfd-socket. An empty
// path is no socket.
func sendPIDFD(path string, pid int, what string) error {
	if path == "" {
		return nil
	}
	// It is our child and not reaped: the number cannot mean another process.
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("--pidfd-socket: %w", os.NewSyscallError("pidfd_open", err))
	}
	file := os.NewFile(uintptr(fd), "pidfd")
	defer file.Close()
	if err := console.Pass(path, file, what); err != nil {
		return fmt.Errorf("--pidfd-socket: %w", err)
	}
	return nil
}
