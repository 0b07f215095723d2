package lifecycle

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/criu/plan"
	"github.com/handfast/handfast/internal/testenv"
)

// TestImagesOfOthers: whatever stands in a directory of images where a checkpoint writes or a restore reads, no command
// waits for it, writes to what a link leads to, or shows the errors of an earlier run.
func TestImagesOfOthers(t *testing.T) {
	dir := testenv.Dir(t)
	other := filepath.Join(dir, "other")
	check(t, os.WriteFile(other, []byte("mine"), 0o644))
	flags := &plan.Flags{ImagePath: filepath.Join(dir, "images")}
	open := func() *images {
		t.Helper()
		im, err := openImages(flags, plan.RestoreLog, true)
		check(t, err)
		t.Cleanup(im.close)
		return im
	}
	im := open()
	streams := filepath.Join(flags.ImagePath, plan.Streams)

	check(t, os.Symlink(other, streams))
	if _, err := im.readStreams(); !errors.Is(err, unix.ELOOP) {
		t.Errorf("a link: %v", err)
	}
	check(t, im.writeStreams([]string{"/dev/null"}))
	if names, err := im.readStreams(); err != nil || !cmp.Equal(names, []string{"/dev/null"}) {
		t.Errorf("%q, %v", names, err)
	}
	check(t, os.Remove(streams))
	check(t, unix.Mkfifo(streams, 0o644))
	if _, err := im.readStreams(); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a FIFO: %v", err)
	}
	check(t, os.Remove(streams))
	check(t, os.WriteFile(streams, nil, 0o644))
	check(t, os.Truncate(streams, 1<<40))
	if _, err := im.readStreams(); !errors.Is(err, unix.EFBIG) {
		t.Errorf("a terabyte: %v", err)
	}

	check(t, os.Symlink(other, im.log))
	open()
	if _, err := os.Lstat(im.log); !errors.Is(err, unix.ENOENT) {
		t.Errorf("the log of an earlier run: %v", err)
	}
	if data, err := os.ReadFile(other); string(data) != "mine" {
		t.Errorf("the target of the links is %q, %v", data, err)
	}
	check(t, os.Mkdir(im.log, 0o755))
	if _, err := openImages(flags, plan.RestoreLog, true); !errors.Is(err, unix.EISDIR) ||
		!strings.Contains(err.Error(), "--work-path") {
		t.Errorf("a directory in place of the log: %v", err)
	}
}

// TestParentOfLinkedImages: --parent-path is seen from the directory of images, as CRIU sees it, and not from a link to
// that.
func TestParentOfLinkedImages(t *testing.T) {
	dir := testenv.Dir(t)
	check(t, os.MkdirAll(filepath.Join(dir, "far", "images"), 0o755))
	check(t, os.Mkdir(filepath.Join(dir, "near"), 0o755))
	check(t, os.Symlink("far/images", filepath.Join(dir, "link")))
	flags := &plan.Flags{ImagePath: filepath.Join(dir, "link"), ParentPath: "../near"}
	if _, err := openImages(flags, plan.DumpLog, true); !errors.Is(err, unix.ENOENT) {
		t.Errorf("a parent beside the link: %v", err)
	}
	check(t, os.Rename(filepath.Join(dir, "near"), filepath.Join(dir, "far", "near")))
	im, err := openImages(flags, plan.DumpLog, true)
	check(t, err)
	im.close()
}

// TestStatusDescriptor: CRIU does not inherit the descriptor of --status-fd, whose end of file somebody waits for.
func TestStatusDescriptor(t *testing.T) {
	r, w, err := os.Pipe()
	check(t, err)
	defer r.Close()
	defer w.Close()
	fd := int(w.Fd())
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
		t.Fatal(err)
	}
	check(t, checkStatusFD(fd))
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags %#x, %v", flags, err)
	}
	if err := checkStatusFD(int(r.Fd())); !errors.Is(err, unix.EBADF) {
		t.Errorf("the reading end: %v", err)
	}
}
