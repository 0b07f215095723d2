// Package security runs published attacks on container runtimes against the whole program. docs/security.md maps
// attacks to tests.
package security

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{}) }

// handfast runs a command of the runtime, and returns its output, from both streams, and its exit status.
func handfast(t *testing.T, root string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(testenv.Binary(t), append([]string{"--root", root}, args...)...)
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	// A file, because a container would keep a pipe open.
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

// canary creates a directory of the host with one file in it, and checks at the end that neither has changed.
func canary(t *testing.T) string {
	t.Helper()
	dir := testenv.Dir(t)
	if err := os.WriteFile(filepath.Join(dir, "ptmx"), []byte("alive"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 1 {
			t.Errorf("the host's directory was changed: %v %v", entries, err)
		}
		if text, err := os.ReadFile(filepath.Join(dir, "ptmx")); err != nil || string(text) != "alive" {
			t.Errorf("the host's file was changed: %q %v", text, err)
		}
	})
	return dir
}

func process(c map[string]any) map[string]any { return c["process"].(map[string]any) }

// TestWorkingDirectoryThroughADescriptor (CVE-2024-21626) uses descriptors of the host through procfs.
func TestWorkingDirectoryThroughADescriptor(t *testing.T) {
	testenv.Root(t)
	root, rootfs := testenv.Dir(t), testenv.Busybox(t)
	for n := 3; n < 24; n++ {
		for _, attack := range []func(map[string]any){
			func(c map[string]any) { process(c)["cwd"] = fmt.Sprintf("/proc/self/fd/%d", n) },
			func(c map[string]any) { process(c)["cwd"] = fmt.Sprintf("/proc/self/fd/%d/.", n) },
			func(c map[string]any) { testenv.SetArgs(c, fmt.Sprintf("/proc/self/fd/%d", n)) },
			func(c map[string]any) { testenv.SetArgs(c, fmt.Sprintf("/proc/self/fd/%d/bin/sh", n), "-c", "true") },
		} {
			bundle := testenv.Bundle(t, rootfs, attack)
			if out, status := handfast(t, root, "run", "--bundle", bundle, testenv.ID(t)); status == 0 {
				t.Errorf("descriptor %d was reached: %s", n, out)
			}
		}
	}
}

func TestOnlyTheStandardStreamsAreOpen(t *testing.T) {
	testenv.Root(t)
	bundle := testenv.Bundle(t, testenv.Busybox(t), func(c map[string]any) {
		testenv.SetArgs(c, "sh", "-c",
			"ls /proc/$$/fd; true")
	})
	out, status := handfast(t, testenv.Dir(t), "run", "--bundle", bundle, testenv.ID(t))
	if got := strings.Join(strings.Fields(out), " "); status != 0 || got != "0 1 2" {
		t.Errorf("status %d, descriptors %q, want 0 1 2", status, got)
	}
}

// pidOf returns the container's first process.
func pidOf(t *testing.T, root, id string) int {
	t.Helper()
	text, _ := handfast(t, root, "state", id)
	var state struct{ Pid int }
	if err := json.Unmarshal([]byte(text), &state); err != nil || state.Pid == 0 {
		t.Fatalf("%v: %s", err, text)
	}
	return state.Pid
}

// TestWaitingChildHoldsNothing: a created container that waits has nothing of the host open but its streams and its
// gate. A caller that waits for the end of a pipe which it had left open must get it.
func TestWaitingChildHoldsNothing(t *testing.T) {
	testenv.Root(t)
	root, id := testenv.Dir(t), testenv.ID(t)
	bundle := testenv.Bundle(t, testenv.Busybox(t), nil)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	cmd := exec.Command(testenv.Binary(t), "--root", root, "create", "--bundle", bundle, id)
	cmd.ExtraFiles = []*os.File{null, w} // left open by the caller, and not to be preserved
	cmd.Stdout, cmd.Stderr = null, null
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	defer handfast(t, root, "delete", "--force", id)
	_ = w.Close()
	if err := r.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the caller's pipe is still open somewhere: %v", err)
	}
	fds := fmt.Sprintf("/proc/%d/fd/", pidOf(t, root, id))
	entries, err := os.ReadDir(fds)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		target, err := os.Readlink(fds + e.Name())
		if n, _ := strconv.Atoi(e.Name()); err == nil && n > 2 && strings.HasPrefix(target, "/") {
			t.Errorf("the waiting child has %s open, as %d", target, n)
		}
	}
}

// TestImageThatLeadsOutside (CVE-2018-15664, CVE-2019-18837, CVE-2021-30465, CVE-2026-41579 and similar ones) uses
// images in which every path that a runtime uses leads to the host.
func TestImageThatLeadsOutside(t *testing.T) {
	testenv.Root(t)
	beside := canary(t)
	for _, link := range []string{"dev", "proc", "sys", "etc", "tmp", "run", "data", "dev/shm", "dev/pts", "dev/console",
		"dev/null", "dev/ptmx", "var/volume"} {
		for _, target := range []string{beside, "../../../../../../../../../.." + beside, "/proc/self/root" + beside,
			beside + "/made"} {
			rootfs := testenv.Rootfs(t, "/bin/busybox")
			path := filepath.Join(rootfs, link)
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(target, path); err != nil {
				t.Fatal(err)
			}
			source := t.TempDir()
			bundle := testenv.Bundle(t, rootfs, func(c map[string]any) {
				testenv.SetArgs(c, "/bin/busybox", "true")
				if strings.HasPrefix(link, "dev/") {
					// Without a mount on /dev the links in it are the image's.
					c["mounts"] = []any{map[string]any{"destination": "/proc", "type": "proc", "source": "proc"}}
				}
				c["mounts"] = append(c["mounts"].([]any),
					map[string]any{"destination": "/data/deep", "type": "bind", "source": source, "options": []any{"bind"}},
					map[string]any{"destination": "/var/volume/x", "type": "tmpfs", "source": "tmpfs"},
					map[string]any{"destination": "/etc/file", "type": "bind", "source": "/etc/hostname", "options": []any{"bind"}})
				process(c)["cwd"] = "/tmp/new/cwd"
			})
			// The runtime may fail or find a place inside: only the canary counts.
			_, _ = handfast(t, testenv.Dir(t), "run", "--bundle", bundle, testenv.ID(t))
		}
	}
}

// TestProtectionsReplaced (CVE-2019-16884, CVE-2019-19921, CVE-2025-31133) replaces the files on which the protections
// depend.
func TestProtectionsReplaced(t *testing.T) {
	testenv.Root(t)
	for want, attack := range map[string]struct {
		link   [2]string // path in the image and its target
		mounts []any     // instead of the usual ones
		more   map[string]any
	}{
		"must be mounted on ordinary directory": {link: [2]string{"proc", "/tmp"}},
		"may only be a procfs": {more: map[string]any{"destination": "/proc", "type": "tmpfs",
			"source": "tmpfs"}},
		"inside /proc": {more: map[string]any{"destination": "/proc/sys", "type": "tmpfs",
			"source": "tmpfs"}},
		"is not the null device": {
			link: [2]string{"dev/null", "/proc/sys/kernel/core_pattern"},
			mounts: []any{map[string]any{"destination": "/proc", "type": "proc", "source": "proc"},
				map[string]any{"destination": "/dev", "type": "bind", "source": "BESIDE", "options": []any{"bind"}}},
		},
	} {
		rootfs, devices := testenv.Rootfs(t, "/bin/busybox"), testenv.Dir(t)
		if attack.link[0] != "" {
			path := filepath.Join(rootfs, attack.link[0])
			if attack.mounts != nil {
				path = filepath.Join(devices, filepath.Base(attack.link[0]))
			}
			_ = os.RemoveAll(path)
			if err := os.Symlink(attack.link[1], path); err != nil {
				t.Fatal(err)
			}
		}
		bundle := testenv.Bundle(t, rootfs, func(c map[string]any) {
			testenv.SetArgs(c, "/bin/busybox", "true")
			if attack.mounts != nil {
				attack.mounts[1].(map[string]any)["source"] = devices
				c["mounts"] = attack.mounts
				c["linux"].(map[string]any)["maskedPaths"] = []any{"/proc/version"}
			}
			if attack.more != nil {
				c["mounts"] = append(c["mounts"].([]any), attack.more)
			}
		})
		out, status := handfast(t, testenv.Dir(t), "run", "--bundle", bundle, testenv.ID(t))
		if status != 1 || !strings.Contains(out, want) && !(attack.mounts != nil && strings.Contains(out, "/dev/null")) {
			t.Errorf("status %d, want a refusal with %q: %s", status, want, out)
		}
	}
}

// TestSysctlBehindAMount (CVE-2025-52881): the parameter is set for the container, whatever its configuration mounts.
func TestSysctlBehindAMount(t *testing.T) {
	testenv.Root(t)
	before, err := os.ReadFile("/proc/sys/kernel/msgmax")
	if err != nil {
		t.Fatal(err)
	}
	bundle := testenv.Bundle(t, testenv.Busybox(t), func(c map[string]any) {
		testenv.SetArgs(c, "cat", "/proc/sys/kernel/msgmax")
		c["linux"].(map[string]any)["sysctl"] = map[string]any{"kernel.msgmax": "4321"}
	})
	out, status := handfast(t, testenv.Dir(t), "run", "--bundle", bundle, testenv.ID(t))
	after, _ := os.ReadFile("/proc/sys/kernel/msgmax")
	if status != 0 || strings.TrimSpace(out) != "4321" || string(before) != string(after) {
		t.Errorf("status %d, inside %q, the host's was %q and is %q", status, out, before, after)
	}
}

// TestChildIsNotDumpable (CVE-2016-9962): while the child waits, no process of its user can look into it: the files of
// a process that is not dumpable belong to root, proc(5).
func TestChildIsNotDumpable(t *testing.T) {
	testenv.Root(t)
	root, id := testenv.Dir(t), testenv.ID(t)
	bundle := testenv.Bundle(t, testenv.Busybox(t), func(c map[string]any) {
		process(c)["user"] = map[string]any{"uid": 1000, "gid": 1000}
	})
	if out, status := handfast(t, root, "create", "--bundle", bundle, id); status != 0 {
		t.Fatal(out)
	}
	defer handfast(t, root, "delete", "--force", id)
	pid := pidOf(t, root, id)
	var st syscall.Stat_t
	if err := syscall.Stat(fmt.Sprintf("/proc/%d/fd", pid), &st); err != nil {
		t.Fatal(err)
	}
	if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err != nil ||
		!strings.Contains(string(status), "Uid:\t1000\t") {
		t.Fatalf("the child is not yet its user: %v %s", err, status)
	}
	if st.Uid != 0 {
		t.Errorf("/proc/PID/fd of the waiting child belongs to %d", st.Uid)
	}
}

// TestExchangedVolume (CVE-2021-30465, CVE-2024-45310): a second container of the attacker repeatedly exchanges a
// directory of a shared volume with a link, while containers that mount below it are created.
func TestExchangedVolume(t *testing.T) {
	testenv.Root(t)
	beside := canary(t)
	rootfs := testenv.Rootfs(t, "/bin/busybox")
	volume := filepath.Join(rootfs, "volume")
	if err := os.MkdirAll(filepath.Join(volume, "a"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(beside, filepath.Join(volume, "b")); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var flipper sync.WaitGroup
	flipper.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, filepath.Join(volume, "a"), unix.AT_FDCWD, filepath.Join(volume, "b"),
					unix.RENAME_EXCHANGE)
			}
		}
	})
	defer flipper.Wait()
	defer close(stop)
	root, source := testenv.Dir(t), testenv.Dir(t)
	for range 40 {
		bundle := testenv.Bundle(t, rootfs, func(c map[string]any) {
			testenv.SetArgs(c, "/bin/busybox", "true")
			c["mounts"] = append(c["mounts"].([]any),
				map[string]any{"destination": "/volume/a/x", "type": "bind", "source": source, "options": []any{"bind"}},
				map[string]any{"destination": "/volume/a/y/z", "type": "tmpfs", "source": "tmpfs"})
		})
		_, _ = handfast(t, root, "run", "--bundle", bundle, testenv.ID(t))
	}
}
