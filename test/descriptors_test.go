package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// listDescriptors prints the shell's own descriptors. The shell itself expands the glob, and the descriptor of the
// directory that it reads for that is closed when the name is tested.
const listDescriptors = `for f in /proc/$$/fd/*; do test ! -e $f || echo ${f##*/}; done; `

// withDescriptors makes a command inherit n files, from descriptor 3 on.
func withDescriptors(t testing.TB, cmd *exec.Cmd, n int) *exec.Cmd {
	t.Helper()
	for range n {
		f, err := os.Open("/dev/null")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	return cmd
}

// TestOnlyAskedForDescriptors: of all the caller's open descriptors, the program only gets the standard streams and
// those of the options.
func TestOnlyAskedForDescriptors(t *testing.T) {
	r := newRuntime(t)
	ways := map[string]func(flags []string, bundle, id string) *exec.Cmd{
		"run": func(flags []string, bundle, id string) *exec.Cmd {
			return r.command(append(append([]string{"run"}, flags...), "-b", bundle, id)...)
		},
		"create": func(flags []string, bundle, id string) *exec.Cmd {
			return r.command(append(append([]string{"create"}, flags...), "-b", bundle, id)...)
		},
	}
	running := testenv.ID(t)
	r.ok("run", "--detach", "-b", shell(t, "exec sleep 1000", nil), running)
	defer r.ok("delete", "--force", running)
	ways["exec"] = func(flags []string, _, _ string) *exec.Cmd {
		return r.command(append(append([]string{"exec"}, flags...), running, "/bin/sh", "-c", listDescriptors)...)
	}
	for name, way := range ways {
		for _, c := range []struct {
			flags []string
			want  string
		}{
			{nil, "0 1 2"},
			{[]string{"--preserve-fds", "2"}, "0 1 2 3 4"},
		} {
			out, id := filepath.Join(testenv.Dir(t), "out"), testenv.ID(t)
			bundle := shell(t, listDescriptors, nil)
			f, err := os.Create(out)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			cmd := withDescriptors(t, way(c.flags, bundle, id), 5)
			cmd.Stdout, cmd.Stderr = f, f
			if err := cmd.Run(); err != nil {
				t.Error(name, err)
			}
			if name == "create" {
				r.ok("start", id)
				r.awaitStatus(id, "stopped")
				r.ok("delete", id)
			}
			if data, _ := os.ReadFile(out); strings.Join(strings.Fields(string(data)), " ") != c.want {
				t.Errorf("%s %v: descriptors %q, want %s", name, c.flags, data, c.want)
			}
		}
	}
}

// TestSocketsOfAServiceManager: sockets that a manager has opened for the command reach the container, with a
// LISTEN_PID that is correct there; see GL10.
func TestSocketsOfAServiceManager(t *testing.T) {
	r := newRuntime(t)
	bundle := shell(t, listDescriptors+"echo $LISTEN_FDS $LISTEN_PID $LISTEN_FDNAMES", nil)
	run := func(env, flags string, want outcome) {
		t.Helper()
		line := env + ` exec "$0" --root "$1" run ` + flags + ` -b "$2" "$3"`
		cmd := withDescriptors(t, exec.Command("sh", "-c", line, r.binary, r.root, bundle, testenv.ID(t)), 3)
		if o := finish(t, cmd); o != want {
			t.Errorf("%s %s: %+v", env, flags, o)
		}
	}
	run("LISTEN_FDS=2 LISTEN_PID=$$ LISTEN_FDNAMES=a:b", "", outcome{stdout: "0\n1\n2\n3\n4\n2 1 a:b\n"})
	run("LISTEN_FDS=1 LISTEN_PID=$$", "--preserve-fds 2", outcome{stdout: "0\n1\n2\n3\n4\n5\n1 1\n"})
	run("LISTEN_FDS=2 LISTEN_PID=1", "", outcome{stdout: "0\n1\n2\n\n"})
}

// TestDescriptorsThatAreNotThere: descriptors that are not open are errors with their number, and nothing is left of
// the container.
func TestDescriptorsThatAreNotThere(t *testing.T) {
	r := newRuntime(t)
	bundle := shell(t, "exit 0", nil)
	for _, command := range []string{"run", "create"} {
		cmd := withDescriptors(t, r.command(command, "--preserve-fds", "200", "-b", bundle, testenv.ID(t)), 2)
		o := finish(t, cmd)
		r.oneLine(o, []string{"preserve descriptor 5", "bad file descriptor"})
	}
}

// TestFewDescriptorsAllowed: a program can have a limit that allows only its streams, although the limit applies to the
// child before its conversation is over.
func TestFewDescriptorsAllowed(t *testing.T) {
	r := newRuntime(t)
	few := func(c map[string]any) {
		process(c)["rlimits"] = []any{map[string]any{"type": "RLIMIT_NOFILE", "soft": 3, "hard": 3}}
	}
	if o := r.do("run", "-b", shell(t, "ulimit -n; ulimit -H -n", few), testenv.ID(t)); o != (outcome{stdout: "3\n3\n"}) {
		t.Errorf("%+v", o)
	}
}
