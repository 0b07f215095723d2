package sys_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{}) }

func open(t *testing.T, dir string) *sys.Root {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := sys.NewRoot(fd, dir)
	t.Cleanup(r.Close)
	return r
}

// tree creates a root with links of every kind that try to leave it, and a canary beside it.
func tree(t *testing.T) (root, canary string) {
	t.Helper()
	base := t.TempDir()
	root, canary = filepath.Join(base, "root"), filepath.Join(base, "canary")
	must(t, os.Mkdir(root, 0o755), os.Mkdir(canary, 0o755), os.Mkdir(filepath.Join(root, "real"), 0o755))
	for name, target := range map[string]string{
		"absolute": canary, "up": "../../../../../../../../../.." + canary, "dotdot": "../canary",
		"self": "/proc/self/root" + canary,
		"cwd":  "/proc/self/cwd", "loop": "loop", "inside": "/real", "dangling": "/fresh/dir", "hop": "absolute",
	} {
		must(t, os.Symlink(target, filepath.Join(root, name)))
	}
	t.Cleanup(func() {
		if names, err := os.ReadDir(canary); err != nil || len(names) > 0 {
			t.Errorf("something was made beside the root: %v %v", names, err)
		}
	})
	return root, canary
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// below fails the test unless fd is inside root.
func below(t *testing.T, fd int, root, asked string) {
	t.Helper()
	got, err := os.Readlink(filepath.Join("/proc/self/fd", itoa(fd)))
	if err != nil {
		t.Fatal(err)
	}
	if rel, err := filepath.Rel(root, got); err != nil || rel == ".." || len(rel) > 2 && rel[:3] == "../" {
		t.Errorf("%s led to %s, outside %s", asked, got, root)
	}
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

func TestMkdirAllStaysInside(t *testing.T) {
	root, _ := tree(t)
	r := open(t, root)
	for _, p := range []string{
		"/a/b/c", "a/../../../b", "absolute/x", "up/x", "dotdot/x", "self/x", "hop/x/y", "inside/x", "dangling/x",
		"real/../absolute/z", "/", "..", "loop/x", "cwd/x",
	} {
		fd, err := r.MkdirAll(p, 0o755)
		if err != nil {
			continue
		}
		below(t, fd, root, p)
		sys.Close(fd)
	}
	for _, p := range []string{"/a/b/c", "inside/x", "dangling/x"} {
		fd, err := r.MkdirAll(p, 0o755)
		if err != nil {
			t.Errorf("%s: %v", p, err)
		}
		sys.Close(fd)
	}
	if _, err := os.Stat(filepath.Join(root, "fresh/dir/x")); err != nil {
		t.Errorf("the target of a dangling link was not made: %v", err)
	}
	if _, err := r.MkdirAll("loop/x", 0o755); !errors.Is(err, unix.ELOOP) {
		t.Errorf("a loop: %v", err)
	}
}

func TestCreateFileStaysInside(t *testing.T) {
	root, canary := tree(t)
	must(t, os.Symlink(filepath.Join(canary, "made"), filepath.Join(root, "out")))
	r := open(t, root)
	for _, p := range []string{"out", "absolute/f", "up/f", "dotdot/f", "self/f", "plain", "x/y/z"} {
		fd, err := r.CreateFile(p)
		if err != nil {
			continue
		}
		below(t, fd, root, p)
		sys.Close(fd)
	}
	if _, err := os.Stat(filepath.Join(root, "x/y/z")); err != nil {
		t.Error(err)
	}
}

func TestMagicLinksAreRefused(t *testing.T) {
	r := open(t, "/")
	for _, p := range []string{"/proc/self/cwd", "/proc/self/root/etc", "/proc/self/fd/0", "/proc/self/exe"} {
		if fd, err := r.Path(p); !errors.Is(err, unix.ELOOP) {
			sys.Close(fd)
			t.Errorf("%s: %v, want ELOOP", p, err)
		}
	}
}

// TestRaceWithExchange (CVE-2021-30465, CVE-2024-45310) exchanges a directory with a link out of the root while paths
// through it are resolved.
func TestRaceWithExchange(t *testing.T) {
	root, canary := tree(t)
	must(t, os.MkdirAll(filepath.Join(root, "race"), 0o755), os.Symlink(canary, filepath.Join(root, "evil")))
	r := open(t, root)
	stop := make(chan struct{})
	var flipper sync.WaitGroup
	flipper.Go(func() {
		a, b := filepath.Join(root, "race"), filepath.Join(root, "evil")
		for {
			select {
			case <-stop:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
			}
		}
	})
	for i := range 2000 {
		if fd, err := r.MkdirAll("race/d"+itoa(i%50)+"/e", 0o755); err == nil {
			below(t, fd, root, "race")
			sys.Close(fd)
		}
		if fd, err := r.CreateFile("race/f" + itoa(i%50)); err == nil {
			below(t, fd, root, "race")
			sys.Close(fd)
		}
	}
	close(stop)
	flipper.Wait()
}

func TestBeneath(t *testing.T) {
	proc, err := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	must(t, err)
	defer sys.Close(proc)
	for p, want := range map[string]error{"self/status": unix.ELOOP, "../etc": unix.EXDEV,
		"sys/kernel/nothing": unix.ENOENT, "uptime": nil} {
		fd, err := sys.Beneath(proc, p, unix.O_RDONLY)
		sys.Close(fd)
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", p, err, want)
		}
	}
}

func TestNewFSNamesTheOption(t *testing.T) {
	testenv.Root(t)
	fd, err := sys.NewFS("tmpfs", "x", []string{"ro"}, []string{"size=4k", "mode=700"}, unix.MOUNT_ATTR_NOEXEC)
	must(t, err)
	attr, err := sys.Attrs(fd)
	sys.Close(fd)
	if err != nil || attr&unix.MOUNT_ATTR_NOEXEC == 0 {
		t.Errorf("attributes %#x %v", attr, err)
	}
	for _, bad := range []struct{ kind, option, want string }{
		{"tmpfs", "frobnicate=1", `option "frobnicate=1" of tmpfs: invalid argument (tmpfs: Unknown parameter 'frobnicate')`},
		{"nothing", "", "fsopen nothing: no such device"},
	} {
		var data []string
		if bad.option != "" {
			data = []string{bad.option}
		}
		if fd, err := sys.NewFS(bad.kind, "", nil, data, 0); err == nil || err.Error() != bad.want {
			sys.Close(fd)
			t.Errorf("%v, want %s", err, bad.want)
		}
	}
}
