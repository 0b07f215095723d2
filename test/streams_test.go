package test

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

// TestStreamsCanBeOpenedAnew: /dev/stdout and /dev/stderr of a container in a user namespace are the caller's pipes and
// files, and the program's user becomes their owner, as without a user namespace.
func TestStreamsCanBeOpenedAnew(t *testing.T) {
	r := newRuntime(t)
	const script = "echo out >/dev/stdout && echo err >/dev/stderr"
	for _, uid := range []int{0, 7} {
		for _, user := range []bool{false, true} {
			name := "user " + strconv.Itoa(uid) + ", namespace " + strconv.FormatBool(user)
			bundle := shell(t, script, func(c map[string]any) {
				process(c)["user"] = map[string]any{"uid": uid, "gid": uid}
				if user {
					testenv.MapIDs(c, hostIDs, 65536)
				}
			})
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			file, err := os.OpenFile(filepath.Join(testenv.Dir(t), "err"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			id := testenv.ID(t)
			cmd := r.command("run", "--detach", "-b", bundle, id)
			cmd.Stdout, cmd.Stderr = write, file
			err = cmd.Run()
			write.Close()
			out, _ := io.ReadAll(read) // until the container's end
			read.Close()
			text, _ := os.ReadFile(file.Name())
			file.Close()
			if err != nil || string(out) != "out\n" || string(text) != "err\n" {
				t.Errorf("%s: %v, %q, %q", name, err, out, text)
			}
			r.awaitStatus(id, "stopped")
			r.ok("delete", id)
		}
	}
	id, _ := r.sleeper(func(c map[string]any) { testenv.MapIDs(c, hostIDs, 65536) })
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	cmd := r.command("exec", "--user", "5", id, "/bin/sh", "-c", script)
	cmd.Stdout, cmd.Stderr = write, write
	err = cmd.Run()
	write.Close()
	if out, _ := io.ReadAll(read); err != nil || string(out) != "out\nerr\n" {
		t.Errorf("exec: %v, %q", err, out)
	}
}

// TestConsoleOfTheHost: a container that denies devices cannot open the console of the host, by a node of its own.
func TestConsoleOfTheHost(t *testing.T) {
	r := newRuntime(t)
	bundle := shell(t, ": </dev/null && echo null; : </dev/console-of-host", func(c map[string]any) {
		linux(c)["devices"] = []any{map[string]any{"path": "/dev/console-of-host", "type": "c", "major": 5, "minor": 1}}
		linux(c)["resources"] = map[string]any{"devices": []any{map[string]any{"allow": false, "access": "rwm"}}}
	})
	o := r.do("run", "-b", bundle, testenv.ID(t))
	if o.status == 0 || o.stdout != "null\n" {
		t.Errorf("%+v", o)
	}
	contains(t, o.stderr, "/dev/console-of-host: Operation not permitted")
}

// TestDevicesOfTheHostKeepTheirOwner: a standard stream such as /dev/zero is shared by the whole host.
func TestDevicesOfTheHostKeepTheirOwner(t *testing.T) {
	r := newRuntime(t)
	node := filepath.Join(testenv.Dir(t), "zero")
	if err := unix.Mknod(node, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))); err != nil {
		t.Fatal(err)
	}
	for _, user := range []bool{false, true} {
		zero, err := os.Open(node)
		if err != nil {
			t.Fatal(err)
		}
		cmd := r.command("run", "-b", shell(t, "head -c 1 | wc -c", func(c map[string]any) {
			process(c)["user"] = map[string]any{"uid": 7, "gid": 7}
			if user {
				testenv.MapIDs(c, hostIDs, 65536)
			}
		}), testenv.ID(t))
		cmd.Stdin = zero
		o := finish(t, cmd)
		zero.Close()
		var st syscall.Stat_t
		if err := syscall.Stat(node, &st); err != nil || st.Uid != 0 || st.Gid != 0 || o.stdout != "1\n" {
			t.Errorf("user namespace %t: owner %d:%d, %v, %+v", user, st.Uid, st.Gid, err, o)
		}
	}
}
