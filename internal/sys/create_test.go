package sys_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
)

// TestDanglingLinks has links with a missing target in every place of a path: the file is created where the link points
// to, seen from the root.
func TestDanglingLinks(t *testing.T) {
	for _, c := range []struct{ links, asked, made string }{
		{"etc/resolv.conf ../run/systemd/resolve/stub-resolv.conf", "/etc/resolv.conf",
			"run/systemd/resolve/stub-resolv.conf"},
		{"etc/hosts /run/hosts", "/etc/hosts", "run/hosts"},
		{"etc /other", "/etc/hosts", "other/hosts"},
		{"etc other/./deep//er", "/etc/x/hosts", "other/deep/er/x/hosts"},
		{"a b/c|b/c/l ../x", "/a/l", "b/x"},              // ".." is relative to the link, not to the path to it
		{"a b/c|b/c/l ../x/../y/z", "/a/l/f", "b/y/z/f"}, // a missing directory is created on the way, and left again
		{"l ../../../../..", "/l/f", "f"},                // above the root is the root
		{"l ../../../../../tmp/f", "/l", "tmp/f"},        // the same, with a path after it
		{"l /m|m n|n /o/p", "/l/q", "o/p/q"},             // links that lead to links
		{"l m/", "/l", "m"},                              // a directory, or nothing
		{"d/l ../e|e f", "/d/l/../l/g", "l/g"},           // not simplified by text
		{"x .|hosts x/x/x/y", "/hosts/z", "y/z"},         // "." stays
		{"var/run /run|run /var/volatile", "/var/run/lock/f", "var/volatile/lock/f"},
	} {
		for _, directory := range []bool{false, true} {
			root := t.TempDir()
			for link := range strings.SplitSeq(c.links, "|") {
				name, target, _ := strings.Cut(link, " ")
				must(t, os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o755), os.Symlink(target, filepath.Join(root, name)))
			}
			r := open(t, root)
			make := r.CreateFile
			if directory {
				make = func(p string) (int, error) { return r.MkdirAll(p, 0o755) }
			}
			fd, err := make(c.asked)
			if err != nil {
				t.Errorf("%s, %s: %v", c.links, c.asked, err)
				continue
			}
			got, err := os.Readlink(filepath.Join("/proc/self/fd", itoa(fd)))
			sys.Close(fd)
			if want := filepath.Join(root, c.made); err != nil || got != want {
				t.Errorf("%s, %s: made %s %v, want %s", c.links, c.asked, got, err, want)
			}
			if st, err := os.Stat(got); err != nil || st.IsDir() != directory {
				t.Errorf("%s, %s: %v %v", c.links, c.asked, st, err)
			}
		}
	}
}

func TestLinksThatLeadToNothing(t *testing.T) {
	root := t.TempDir()
	must(t, os.WriteFile(filepath.Join(root, "file"), nil, 0o644))
	for name, target := range map[string]string{
		"loop": "loop", "ping": "pong/x", "pong": "ping/x", "through": "file/x/y",
		"long": strings.Repeat("d/", 2000) + "../loop", "grow": "new/../grow/x",
	} {
		must(t, os.Symlink(target, filepath.Join(root, name)))
	}
	r := open(t, root)
	for p, want := range map[string]error{
		"/loop": unix.ELOOP, "/ping": unix.ELOOP, "/through": unix.ENOTDIR, "/file/x": unix.ENOTDIR, "/grow": unix.ELOOP,
		"/a/../loop/x":                 unix.ELOOP,
		"/" + strings.Repeat("n", 300): unix.ENAMETOOLONG,
	} {
		for _, make := range []func(string) (int, error){r.CreateFile, func(p string) (int,
			error) {
			return r.MkdirAll(p, 0o755)
		}} {
			if fd, err := make(p); !errors.Is(err, want) {
				t.Errorf("%.40s: %v, want %v", p, err, want)
				sys.Close(fd)
			}
		}
	}
	// a procfs below the root, whose links are not followed, whatever their text is
	proc := open(t, "/")
	for _, p := range []string{"/proc/self/cwd/not/there", "/proc/self/root/not/there", "/proc/self/fd/0/not/there",
		"/proc/self/exe/x"} {
		if fd, err := proc.MkdirAll(p, 0o755); err == nil {
			t.Errorf("%s was made", p)
			sys.Close(fd)
		}
	}
}

// TestRaceWithDanglingLinks exchanges a directory on the way of a dangling link with a link out of the root, and the
// link's target with the canary's name, during the creation. Nothing may be created outside.
func TestRaceWithDanglingLinks(t *testing.T) {
	root, canary := tree(t)
	must(t, os.MkdirAll(filepath.Join(root, "race"), 0o755), os.MkdirAll(filepath.Join(root, "deep/er"), 0o755),
		os.Symlink(canary, filepath.Join(root, "evil")), os.Symlink("../race/made/x", filepath.Join(root, "deep/in")),
		os.Symlink("../.."+canary+"/out", filepath.Join(root, "deep/out")), os.Symlink("er/../../race/f",
			filepath.Join(root, "deep/up")))
	r := open(t, root)
	stop := make(chan struct{})
	var flippers sync.WaitGroup
	for _, pair := range [][2]string{{"race", "evil"}, {"deep/in", "deep/out"}, {"deep/er", "hop"}} {
		flippers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = unix.Renameat2(unix.AT_FDCWD, filepath.Join(root, pair[0]), unix.AT_FDCWD, filepath.Join(root, pair[1]),
						unix.RENAME_EXCHANGE)
				}
			}
		})
	}
	made := 0
	for i := range 3000 {
		for _, p := range []string{"/deep/in", "/deep/up", "/deep/in/d" + itoa(i%50)} {
			fd, err := r.MkdirAll(p, 0o755)
			if p == "/deep/up" {
				sys.Close(fd)
				fd, err = r.CreateFile(p)
			}
			if err != nil {
				continue
			}
			made++
			below(t, fd, root, p)
			sys.Close(fd)
		}
		_ = os.RemoveAll(filepath.Join(root, "race/made"))
		_ = os.Remove(filepath.Join(root, "race/f"))
	}
	close(stop)
	flippers.Wait()
	if made == 0 {
		t.Error("nothing was ever made: this proves nothing")
	}
}
