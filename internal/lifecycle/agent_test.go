package lifecycle

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// An agent that does not accept or does not read is given up after a time, and the error names it.
func TestSlowAgent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent")
	l, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(l, &unix.SockaddrUnix{Name: path})
	}
	if err == nil {
		err = unix.Listen(l, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(l)
	const patience = time.Second // on a busy machine some of it passes before the first call
	// More than the buffer of any socket holds.
	err = handOver(path, make([]byte, 64<<20), os.Stdin, patience)
	slow(t, err, path, "it does not read")
	// The first connection still waits to be accepted, and there is no room for another.
	err = handOver(path, []byte("{}"), os.Stdin, patience)
	slow(t, err, path, "it accepts no connection")
}

func slow(t *testing.T, err error, words ...string) {
	t.Helper()
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q is not in %v", w, err)
		}
	}
}

// A message that does not fit the socket's buffer at once arrives complete, with its one descriptor.
func TestLongMessage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent")
	l, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(l, &unix.SockaddrUnix{Name: path})
	}
	if err == nil {
		err = unix.Listen(l, 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(l)
	got := make(chan int, 1)
	go func() {
		fd, _, err := unix.Accept4(l, unix.SOCK_CLOEXEC)
		if err != nil {
			got <- -1
			return
		}
		f := os.NewFile(uintptr(fd), "agent")
		defer f.Close()
		n, _ := io.Copy(io.Discard, f)
		got <- int(n)
	}()
	if err := handOver(path, make([]byte, 4<<20), os.Stdin, agentPatience); err != nil {
		t.Fatal(err)
	}
	if n := <-got; n != 4<<20 {
		t.Errorf("%d bytes arrived", n)
	}
}
