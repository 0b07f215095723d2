package transport

import (
	"fmt"
	"os"
	"strconv"
)

// TakeFiles makes files of descriptors that came with a message. Each file owns its descriptor from then on, so fds is
// not to be closed any more. The files are called name, with a number where there are several: descriptors travel
// without names.
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

// TakeFiles makes files of the request's descriptors, as the function TakeFiles does, and leaves the request without
// any. The files are called as the request is.
func (r *Request) TakeFiles() []*os.File {
	files := TakeFiles(r.Name, r.FDs)
	r.FDs = nil
	return files
}

// BorrowFDs calls f with the descriptors of files, to send them along with a message, and returns its error. Each file
// keeps its descriptor, which stays open until f has returned even if another goroutine closes the file meanwhile, and
// whether it is blocking stays as it was (os.File.Fd would change that). A file that is closed or nil is an error, and
// f is not called.
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
		if err != nil { // it has no other error, and this one of its own is not os.ErrClosed
			return &os.PathError{Op: "send along", Path: file.Name(), Err: os.ErrClosed}
		}
		return inner
	}
	return next()
}
