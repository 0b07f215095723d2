package transport

import (
	"fmt"
	"os"
	"strconv"
)

// TakeFiles turns descriptors that were received with a message into files. Each file owns its descriptor from then on,
// so the caller must not close fds any more. The files get the given name, with a number if there are several:
// descriptors are sent without names.
func TakeFiles(name string, fds []int) []*os.File {
	if len(fds) == 0 {
		return nil
	}
	files := make([]*os.File, len(fds))
	for i, fd := range fds {
		numbered := name
		if len(fds) > 1 {
			numbered += " " + strconv.Itoa(i)
		}
		files[i] = os.NewFile(uintptr(fd), numbered)
	}
	return files
}

// TakeFiles turns the request's descriptors into files, as the function TakeFiles does, and leaves the request without
// any. The files are named after the request.
func (r *Request) TakeFiles() []*os.File {
	files := TakeFiles(r.Name, r.FDs)
	r.FDs = nil
	return files
}

// BorrowFDs calls f with the descriptors of files, so that f can send them with a message, and returns the error of f.
// Each file still owns its descriptor, which stays open until f has returned even if another goroutine closes the file
// meanwhile. Whether a descriptor is blocking does not change (os.File.Fd would change that). If a file is closed or
// nil, BorrowFDs returns an error and does not call f.
func BorrowFDs(files []*os.File, f func(fds []int) error) error {
	fds := make([]int, 0, len(files))
	var next func() error
	next = func() error {
		if len(fds) == len(files) {
			return f(fds)
		}
		file := files[len(fds)]
		rc, err := file.SyscallConn()
		if err != nil {
			return fmt.Errorf("transport: file %d to send along is nil: %w", len(fds), err)
		}
		var inner error
		err = rc.Control(func(fd uintptr) {
			fds = append(fds, int(fd))
			inner = next()
		})
		if err != nil { // its only error, which is not os.ErrClosed itself
			return &os.PathError{Op: "send along", Path: file.Name(), Err: os.ErrClosed}
		}
		return inner
	}
	return next()
}
