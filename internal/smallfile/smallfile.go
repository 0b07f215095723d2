// Package smallfile reads files without the poller of Go's runtime.
//
// Package os tries to register every file that it opens with the poller, even regular files and those of procfs. The
// first time costs a process two descriptors, and from then on its idle threads wait in epoll_pwait(2). A command that
// reads a few small files and starts a process can save that.
package smallfile

import (
	"os"

	"golang.org/x/sys/unix"
)

// Read reads a whole file and returns the same errors as os.ReadFile. It is not for files that may block their reader,
// such as FIFOs.
func Read(path string) ([]byte, error) {
	fd, err := open(path)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	return ReadFD(fd, path, -1)
}

func open(path string) (int, error) {
	for {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return -1, &os.PathError{Op: "open", Path: path, Err: err}
		}
		return fd, nil
	}
}

// firstSize is large enough for most files of procfs and for the state and the configuration of most containers.
const firstSize = 4096

// ReadFD reads from a descriptor up to the end, or up to limit bytes if that is not negative, and does not close it.
// Errors are of type *os.PathError, with path.
func ReadFD(fd int, path string, limit int) ([]byte, error) {
	data := make([]byte, 0, firstSize)
	for {
		if len(data) == cap(data) {
			data = append(data, make([]byte, cap(data))...)[:len(data)]
		}
		room := data[len(data):cap(data)]
		if limit >= 0 {
			room = room[:min(len(room), limit-len(data))]
		}
		if len(room) == 0 {
			return data, nil
		}
		n, err := unix.Read(fd, room)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, &os.PathError{Op: "read", Path: path, Err: err}
		}
		if n == 0 {
			return data, nil
		}
		data = data[:len(data)+n]
	}
}
