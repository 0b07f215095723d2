package testenv

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { Main(m, Options{}) }

// TestLeaksAreSeen causes each kind of leak, and checks that it is reported and can be cleaned up.
func TestLeaksAreSeen(t *testing.T) {
	dir := t.TempDir()
	before := observe()
	if left := before.leaks(dir, 0); len(left) > 0 {
		t.Fatalf("leaks where there are none: %q", left)
	}
	expect := func(what string) {
		t.Helper()
		left := before.leaks(dir, 0)
		if !slices.ContainsFunc(left, func(l string) bool { return strings.HasPrefix(l, what) }) {
			t.Errorf("no leak that begins with %q in %q", what, left)
		}
	}

	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	expect("descriptor ")
	r.Close()

	sleeper := exec.Command("/bin/sleep", "60")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	expect("child process ")
	sleeper.Process.Kill()
	expect("child process ") // dead, but not waited for
	sleeper.Wait()

	stop := make(chan struct{})
	go func() { <-stop }()
	expect("goroutine (1 more)")
	close(stop)

	file := filepath.Join(dir, "left")
	write(t, file, "")
	expect("file: " + file)
	os.Remove(file)

	w.Close()
	if left := before.leaks(dir, time.Second); len(left) > 0 {
		t.Errorf("leaks after all was cleaned up: %q", left)
	}
}

func TestLeakedMountAndCgroupAreSeen(t *testing.T) {
	Root(t)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	if got := mountsBelow(dir); !slices.Equal(got, []string{dir}) {
		t.Errorf("mounts below %s: %q", dir, got)
	}
	if err := unix.Unmount(dir, 0); err != nil {
		t.Fatal(err)
	}

	roots := hierarchies()
	if len(roots) == 0 {
		t.Skip("no cgroup hierarchy is mounted here")
	}
	group := filepath.Join(roots[len(roots)-1], CgroupParent(), "left")
	if err := os.MkdirAll(group, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := groupsOfThisProcess(); !slices.Contains(got, group) {
		t.Errorf("%s is not among the leaks %q", group, got)
	}
	os.Remove(group)
}

func TestBusyboxRuns(t *testing.T) {
	Root(t)
	root := Busybox(t)
	out, err := exec.Command("chroot", root, "/bin/sh", "-c", "id -un; ls /").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "root\nbin\n") {
		t.Fatalf("in the busybox tree: %v\n%s", err, out)
	}
	// Any user must be able to reach the tree, because containers can have ids of their own.
	for dir := root; dir != "/"; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&1 == 0 {
			t.Errorf("%s has mode %v: another user cannot walk through it", dir, info.Mode())
		}
	}
}

func TestDebianHasItsPackages(t *testing.T) {
	root := Debian(t, "redis-server")
	out, err := exec.Command("chroot", root, "redis-server", "--version").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Redis server") {
		t.Fatalf("in the Debian tree: %v\n%s", err, out)
	}
}

func TestIDsAreLegalAndUnique(t *testing.T) {
	// the characters that every OCI runtime accepts
	legal := regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9+_.-]*$`)
	seen := map[string]bool{}
	t.Run("a/name with ümlaut "+strings.Repeat("long", 40), func(t *testing.T) {
		for range 3 {
			id := ID(t)
			if !legal.MatchString(id) || len(id) > 60 || seen[id] {
				t.Errorf("ID() = %q, seen before: %v", id, seen[id])
			}
			seen[id] = true
		}
	})
}

func TestBundleIsWhatWasAskedFor(t *testing.T) {
	dir := Bundle(t, "/some/rootfs", func(c map[string]any) {
		SetArgs(c, "/bin/echo", "hi")
		MapIDs(c, 100000, 65536)
	})
	data, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Root    struct{ Path string }
		Process struct{ Args []string }
		Linux   struct {
			CgroupsPath string
			Namespaces  []struct{ Type string }
			UIDMappings []struct{ ContainerID, HostID, Size int }
		}
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if got.Root.Path != "/some/rootfs" || !slices.Equal(got.Process.Args, []string{"/bin/echo", "hi"}) ||
		!strings.HasPrefix(got.Linux.CgroupsPath, CgroupParent()+"/"+idPrefix()) ||
		len(got.Linux.Namespaces) != 6 || len(got.Linux.UIDMappings) != 1 || got.Linux.UIDMappings[0].HostID != 100000 {
		t.Errorf("config.json is not as asked: %+v", got)
	}
}
