package nsinit

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/internal/testenv"
)

// TestChildEndsWithItsParent checks that a child whose parent has ended continues neither with the next step nor
// with the next file of a long step.
func TestChildEndsWithItsParent(t *testing.T) {
	testenv.Root(t)
	for _, kind := range []int{unix.SOCK_SEQPACKET, unix.SOCK_STREAM} {
		pair, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		root := t.TempDir()
		t.Chdir(root)
		k := &child{root: rootOn(t, root), parent: pair[0]}
		if err := errors.Join(os.MkdirAll(filepath.Join(root, "from/sub"), 0o755),
			os.Mkdir(filepath.Join(root, "to"), 0o755)); err != nil {
			t.Fatal(err)
		}
		to, err := unix.Open(filepath.Join(root, "to"), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		// Unread data, and a parent that has shut down its side for writing, are no reasons to end.
		if _, err := unix.Write(pair[1], []byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(unix.Shutdown(pair[1], unix.SHUT_WR), k.parentIsThere()); err != nil {
			t.Errorf("there is a parent: %v", err)
		}
		_ = unix.Close(pair[1])
		if err := k.parentIsThere(); !errors.Is(err, errNoParent) {
			t.Errorf("there is no parent: %v", err)
		}
		if err := k.copyUp(to, "/from", nil); !errors.Is(err, errNoParent) {
			t.Errorf("a copy goes on: %v", err)
		}
		if left, err := os.ReadDir(filepath.Join(root, "to")); err != nil || len(left) > 0 {
			t.Errorf("copied: %v %v", left, err)
		}
		sys.Close(to)
		sys.Close(pair[0])
	}
}
