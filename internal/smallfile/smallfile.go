// Package smallfile reads files without the poller of the Go runtime.
//
// Package os tries to register every file that it opens with the poller, even regular files and procfs files. The
// first time costs the process two descriptors, and from then on its idle threads wait in epoll_pwait(2). A command
// that reads a few small files and starts a process can save this cost.
package smallfile

import (
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Read reads a whole file and returns the same errors as os.ReadFile. It is not for files whose reads may block,
// such as FIFOs.
func Read(path string) ([]byte, error) {
	fd, err := open(path)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	// Most files are read into one buffer and then copied to memory of their own size: each page that a short
	// process touches for the first time costs it a page fault.
	if !inUse.CompareAndSwap(false, true) {
		return readFD(fd, path, -1, nil)
	}
	defer inUse.Store(false)
	data, err := readFD(fd, path, -1, buffer[:0])
	if err == nil && len(data) < len(buffer) {
		data = append(make([]byte, 0, len(data)), data...)
	}
	return data, err
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

// buffer is where Read reads a file, unless it is in use.
var (
	buffer [first]byte
	inUse  atomic.Bool
)

// first is enough for most files of procfs and for the state and the configuration of most containers.
const first = 4096

// ReadFD reads a descriptor up to its end, or up to limit bytes if limit is not negative. It does not close the
// descriptor. path is the name of the file in errors, each of which is an *os.PathError.
func ReadFD(fd int, path string, limit int) ([]byte, error) { return readFD(fd, path, limit, nil) }

// readFD is ReadFD, but reads into data as long as data has room.
func readFD(fd int, path string, limit int, data []byte) ([]byte, error) {
	if data == nil {
		data = make([]byte, 0, first)
	}
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
