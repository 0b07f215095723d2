package nsinit

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/internal/testenv"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
)

// emptyRoot returns a root on a fresh directory.
func emptyRoot(t *testing.T) *sys.Root { return rootOn(t, t.TempDir()) }

func rootOn(t *testing.T, dir string) *sys.Root {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := sys.NewRoot(fd, dir)
	t.Cleanup(r.Close)
	return r
}

// canary returns a root and a directory beside it that nothing may touch.
func canary(t *testing.T) (root, beside string) {
	t.Helper()
	base := t.TempDir()
	root, beside = filepath.Join(base, "root"), filepath.Join(base, "canary")
	for _, d := range []string{root, beside} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(beside, "ptmx"), []byte("alive"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		entries, err := os.ReadDir(beside)
		if err != nil || len(entries) != 1 || entries[0].Name() != "ptmx" {
			t.Errorf("the directory beside the root was touched: %v %v", entries, err)
		}
		if b, err := os.ReadFile(filepath.Join(beside, "ptmx")); err != nil || string(b) != "alive" {
			t.Errorf("the file beside the root was touched: %q %v", b, err)
		}
	})
	return root, beside
}

func symlink(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

// CVE-2026-41579, CVE-2026-47766: the image's /dev leads out of the image.
func TestDevThatLeadsOutside(t *testing.T) {
	testenv.Root(t)
	root, beside := canary(t)
	symlink(t, beside, filepath.Join(root, "dev"))
	k := &child{root: rootOn(t, root)}
	for _, l := range links {
		_ = k.link(l.path, l.target)
	}
	_ = k.device(&container.Device{Path: "/dev/null", Type: "c", Major: 1, Minor: 3, Mode: 0o666})
}

// CVE-2026-88264: /dev/console is a link out of the image.
func TestConsoleThatLeadsOutside(t *testing.T) {
	root, beside := canary(t)
	if err := os.Mkdir(filepath.Join(root, "dev"), 0o755); err != nil {
		t.Fatal(err)
	}
	symlink(t, filepath.Join(beside, "console"), filepath.Join(root, "dev", "console"))
	r := rootOn(t, root)
	if fd, err := r.CreateFile("/dev/console"); err == nil {
		sys.Close(fd)
	}
}

// CVE-2025-31133: the file at /dev/null is not the null device.
func TestNullThatIsNone(t *testing.T) {
	testenv.Root(t)
	for name, make := range map[string]func(path string) error{
		"link to a file": func(p string) error { return os.Symlink("/proc/sys/kernel/core_pattern", p) },
		"file":           func(p string) error { return os.WriteFile(p, nil, 0o666) },
		"other device":   func(p string) error { return unix.Mknod(p, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))) },
		"block device":   func(p string) error { return unix.Mknod(p, unix.S_IFBLK|0o666, int(unix.Mkdev(1, 3))) },
		"nothing":        func(string) error { return nil },
	} {
		root := t.TempDir()
		if err := errors.Join(os.Mkdir(filepath.Join(root, "dev"), 0o755), make(filepath.Join(root, "dev",
			"null"))); err != nil {
			t.Fatal(err)
		}
		k := &child{root: rootOn(t, root)}
		if fd, err := k.null(); err == nil {
			sys.Close(fd)
			t.Errorf("%s: taken for the null device", name)
		}
	}
}

// CVE-2019-16884, CVE-2019-19921, CVE-2023-27561: /proc is something else, or leads somewhere else.
func TestProcMustBeProcfsOnADirectory(t *testing.T) {
	root := t.TempDir()
	symlink(t, "/tmp", filepath.Join(root, "proc"))
	symlink(t, "/tmp", filepath.Join(root, "sys"))
	k := &child{root: rootOn(t, root)}
	for dest, m := range map[string]container.Mount{
		"/proc":         {Type: "proc"},
		"/sys":          {Type: "sysfs"},
		"/proc/":        {Type: "tmpfs"},
		"/proc/self":    {Type: "tmpfs"},
		"/proc/sysrq":   {Bind: true, Source: "/etc"},
		"/proc/sys/net": {Bind: true, Source: "/etc"},
	} {
		m.Destination = dest
		if err := k.checkProc(&m, filepath.Clean(dest)); !errors.Is(err, unix.ENOTDIR) && !errors.Is(err, unix.EINVAL) {
			t.Errorf("%+v: %v", m, err)
		}
	}
	for _, dest := range []string{"/proc/cpuinfo", "/proc/sys/crypto/fips_enabled", "/data/proc/x"} {
		if err := k.checkProc(&container.Mount{Destination: dest, Bind: true}, dest); err != nil {
			t.Errorf("%s: %v", dest, err)
		}
	}
}

func TestDeviceNodes(t *testing.T) {
	testenv.Root(t)
	root := t.TempDir()
	k := &child{root: rootOn(t, root)}
	old := unix.Umask(0)
	defer unix.Umask(old)
	null := container.Device{Path: "/a/b/null", Type: "c", Major: 1, Minor: 3, Mode: 0o620, UID: 7, GID: 8}
	for range 2 { // the second time the right node exists already
		if err := k.device(&null); err != nil {
			t.Fatal(err)
		}
	}
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(root, "a/b/null"), &st); err != nil {
		t.Fatal(err)
	}
	if st.Mode != unix.S_IFCHR|0o620 || st.Uid != 7 || st.Gid != 8 || st.Rdev != unix.Mkdev(1, 3) {
		t.Errorf("made %+v", st)
	}
	null.Minor = 5
	if err := k.device(&null); !errors.Is(err, unix.EEXIST) {
		t.Errorf("another device in its place: %v", err)
	}
	if err := k.device(&container.Device{Path: "/fifo", Type: "p", Mode: 0o644}); err != nil {
		t.Error(err)
	}
}

func TestCopyUp(t *testing.T) {
	testenv.Root(t)
	root := t.TempDir()
	t.Chdir(root) // restored afterwards: copyUp ends in "/", the working directory of the child
	from := filepath.Join(root, "from")
	to := filepath.Join(root, "to")
	err := errors.Join(os.MkdirAll(filepath.Join(from, "d", "e"), 0o750), os.Mkdir(to, 0o755),
		os.WriteFile(filepath.Join(from, "d", "f"), make([]byte, 100_000), 0o640),
		os.Symlink("/etc/passwd", filepath.Join(from, "l")))
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(to, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer sys.Close(fd)
	k := &child{root: rootOn(t, root)}
	if err := k.copyUp(fd, "/from", nil); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(filepath.Join(to, "d", "f")); err != nil || st.Size() != 100_000 || st.Mode() != 0o640 {
		t.Errorf("the file: %v %v", st, err)
	}
	if l, err := os.Readlink(filepath.Join(to, "l")); err != nil || l != "/etc/passwd" {
		t.Errorf("the link: %q %v", l, err)
	}
	if err := k.copyUp(fd, "/not/there", nil); err != nil {
		t.Errorf("nothing to copy: %v", err)
	}
}

func TestStepErrorCrosses(t *testing.T) {
	err := located(hostnameStep{}, op("sethostname", "x", unix.EPERM))
	var e *stepError
	if !errors.As(err, &e) || e.Op != "sethostname" || e.Path != "x" || !errors.Is(err, unix.EPERM) ||
		err.Error() != "hostname: sethostname x: operation not permitted" {
		t.Errorf("%v %+v", err, e)
	}
	if (&stepError{Stage: stageExec}).SyncCode() != syncproto.CodeExec || e.SyncCode() != syncproto.CodeSetup {
		t.Error("codes")
	}
}
