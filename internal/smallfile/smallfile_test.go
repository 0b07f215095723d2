package smallfile_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/smallfile"
)

// TestReadAsPackageOS checks that Read returns what os.ReadFile returns, including the errors.
func TestReadAsPackageOS(t *testing.T) {
	dir := t.TempDir()
	for _, size := range []int{0, 1, 4095, 4096, 4097, 100_000} {
		if err := os.WriteFile(filepath.Join(dir, "file"), bytes.Repeat([]byte("x"), size), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := smallfile.Read(filepath.Join(dir, "file"))
		if err != nil || len(got) != size {
			t.Errorf("%d bytes of %d, %v", len(got), size, err)
		}
	}
	for _, path := range []string{dir, filepath.Join(dir, "none"), "/proc/self/setgroups", "/proc/self/cgroup", "\x00"} {
		want, wantErr := os.ReadFile(path)
		got, err := smallfile.Read(path)
		if !bytes.Equal(got, want) {
			t.Errorf("%s: %q, package os reads %q", path, got, want)
		}
		if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Errorf("%s: %v, package os says %v", path, err, wantErr)
		}
	}
}

func TestReadFDWithLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, bytes.Repeat([]byte("x"), 10_000), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int{0, 1, 4096, 9999, 10_000, 10_001} {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		data, err := smallfile.ReadFD(fd, path, limit)
		if err != nil || len(data) != min(limit, 10_000) {
			t.Errorf("limit %d: %d bytes, %v", limit, len(data), err)
		}
		_ = unix.Close(fd)
	}
}
