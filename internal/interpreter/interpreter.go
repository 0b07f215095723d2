// Package interpreter finds out why execve(2) reports ENOENT for a file that exists: the interpreter of a script, or
// the loader of a dynamically linked program, is missing.
package interpreter

import (
	"bytes"

	"golang.org/x/sys/unix"
)

// Missing is ENOENT from an execve(2) whose file exists. Its text begins with that of the errno, which errors.Is
// finds.
type Missing struct {
	Path   string // path of the interpreter or the loader
	Loader bool   // the program is an ELF file, and Path is its PT_INTERP
}

// Error returns the text of the errno and the reason.
func (e *Missing) Error() string {
	what := "interpreter"
	if e.Loader {
		what = "loader"
	}
	return unix.ENOENT.Error() + ": its " + what + " " + e.Path + " does not exist"
}

// Unwrap returns unix.ENOENT.
func (e *Missing) Unwrap() error { return unix.ENOENT }

// Explain returns a *Missing if err is ENOENT and the interpreter or loader of the file at path, as this thread
// resolves it, is missing. In every other case, and if the file cannot be read, it returns err.
func Explain(err error, path string) error {
	if err != unix.ENOENT {
		return err
	}
	if m := Find(path); m != nil {
		return m
	}
	return err
}

// mostScripts is how many scripts may be interpreters of one another, execve(2).
const mostScripts = 5

// Find returns the interpreter or loader that the file at path needs and that is missing. It returns nil if none is
// missing or the file cannot be read. It reads at most a few KiB, whatever the file contains, and does not wait for
// a FIFO or a device.
func Find(path string) *Missing {
	for range mostScripts {
		next, loader := of(path)
		if next == "" {
			return nil
		}
		var st unix.Stat_t
		if unix.Stat(next, &st) == unix.ENOENT {
			return &Missing{Path: next, Loader: loader}
		}
		path = next
	}
	return nil
}

// of returns the interpreter or the loader that the file at path names, or "" if it names none.
func of(path string) (next string, loader bool) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return "", false
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return "", false
	}
	head := make([]byte, headSize)
	n, err := unix.Pread(fd, head, 0)
	if err != nil {
		return "", false
	}
	head = head[:n]
	if next = fromScript(head); next != "" {
		return next, false
	}
	return loaderOf(fd, head), true
}

// loaderOf returns the PT_INTERP of an ELF file, or "" if it has none.
func loaderOf(fd int, head []byte) string {
	t, ok := elfTable(head)
	if !ok {
		return ""
	}
	entry := make([]byte, entrySize64)
	for i := range min(t.count, 64) {
		if n, err := unix.Pread(fd, entry, t.offset+int64(i*t.entry)); err != nil || n < entrySize32 {
			return ""
		}
		offset, size, ok := t.segment(entry)
		if !ok {
			continue
		}
		if offset < 0 || size < 2 || size > unix.PathMax {
			return ""
		}
		path := make([]byte, size)
		n, err := unix.Pread(fd, path, offset)
		if err != nil {
			return ""
		}
		path, _, _ = bytes.Cut(path[:n], []byte{0})
		return string(path)
	}
	return ""
}
