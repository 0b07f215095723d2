package lifecycle

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/console"
)

// sendPIDFD sends a pidfd of the process over the Unix stream socket at path. It is one message, whose data is
// "standard" for a container's first process and "setns" for one that joins, as with runc's --pidfd-socket. With an
// empty path sendPIDFD does nothing.
func sendPIDFD(path string, pid int, what string) error {
	if path == "" {
		return nil
	}
	// The process is an unreaped child of ours, so its number cannot mean another process.
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
