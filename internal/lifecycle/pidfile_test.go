package lifecycle

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

// TestReplaceFile: a regular file is replaced, and nothing else is: not a device, and no link leads elsewhere.
func TestReplaceFile(t *testing.T) {
	testenv.Root(t) // to make a device
	dir := testenv.Dir(t)
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, text := range []string{"1", "2"} {
		if err := replaceFile("--pid-file", path("pid"), text); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path("pid")); err != nil || string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
	}
	for kind, create := range map[string]func(path string) error{
		"link":      func(path string) error { return os.Symlink("pid", path) },
		"directory": func(path string) error { return os.Mkdir(path, 0o755) },
		"pipe":      func(path string) error { return unix.Mkfifo(path, 0o600) },
		"socket":    func(path string) error { return unix.Mknod(path, unix.S_IFSOCK|0o600, 0) },
		"device":    func(path string) error { return unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))) },
	} {
		target := path(kind)
		if err := create(target); err != nil {
			t.Fatal(err)
		}
		before, err := os.Lstat(target)
		if err != nil {
			t.Fatal(err)
		}
		err = replaceFile("--pid-file", target, "3")
		if err == nil || !strings.Contains(err.Error(), "--pid-file "+target+": ") ||
			!strings.Contains(err.Error(), "a "+kind) {
			t.Errorf("%s: %v", kind, err)
		}
		if after, err := os.Lstat(target); err != nil || !os.SameFile(before, after) {
			t.Errorf("%s: it was replaced: %v", kind, err)
		}
	}
}
