package transport_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/transport"
)

func TestTakenFilesOwnTheirDescriptors(t *testing.T) {
	r := &transport.Request{Name: "open", FDs: []int{dupNull(t), dupNull(t)}}
	fds := append([]int(nil), r.FDs...)
	files := r.TakeFiles()
	if len(files) != 2 || r.FDs != nil || files[0].Name() != "open 0" || files[1].Name() != "open 1" {
		t.Fatalf("%v, and the request has %v", files, r.FDs)
	}
	for i, f := range files {
		if int(f.Fd()) != fds[i] {
			t.Errorf("file %d has descriptor %d, want %d", i, f.Fd(), fds[i])
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if _, err := unix.FcntlInt(uintptr(fds[i]), unix.F_GETFD, 0); err != unix.EBADF {
			t.Errorf("descriptor %d after its file was closed: %v", fds[i], err)
		}
	}
	if more := r.TakeFiles(); more != nil {
		t.Errorf("taken twice: %v", more)
	}
	one := transport.TakeFiles("log", []int{dupNull(t)})
	if one[0].Name() != "log" {
		t.Errorf("a single file is called %q", one[0].Name())
	}
	_ = one[0].Close()
}

func dupNull(t *testing.T) int {
	t.Helper()
	fd, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func TestBorrowedDescriptorsStayTheFiles(t *testing.T) {
	r, w, err := os.Pipe() // both do not block
	if err != nil {
		t.Fatal(err)
	}
	var two []int
	refused := errors.New("refused")
	closed := make(chan error, 1)
	err = transport.BorrowFDs([]*os.File{r, w}, func(fds []int) error {
		two = append(two, fds...)
		go func() { closed <- w.Close() }()
		for w.SetDeadline(time.Time{}) == nil { // until Close has begun
		}
		for _, fd := range fds {
			if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
				t.Errorf("descriptor %d: flags %#x, %v", fd, flags, err)
			}
		}
		return refused
	})
	if err != refused || len(two) != 2 || two[0] == two[1] {
		t.Errorf("%v, %v", two, err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if _, err := unix.FcntlInt(uintptr(two[1]), unix.F_GETFD, 0); err != unix.EBADF {
		t.Errorf("after it: %v", err)
	}
	never := func([]int) error { t.Error("it was called"); return nil }
	if err := transport.BorrowFDs([]*os.File{r, w}, never); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a closed file: %v", err)
	}
	if err := transport.BorrowFDs([]*os.File{r, nil}, never); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("no file: %v", err)
	}
	_ = r.Close()
	called := false
	err = transport.BorrowFDs(nil, func(fds []int) error { called = len(fds) == 0; return nil })
	if err != nil || !called {
		t.Errorf("no files: %v, called %t", err, called)
	}
}
