// Package children has the children in other languages, testdata/child.c and testdata/child.py. It tests that they pass
// the conformance vectors, and that each can be the init of a real container.
package children

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/handfast/handfast/internal/conformance"
	"github.com/handfast/handfast/internal/testenv"
	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{}) }

// The children's source files.
const (
	cChild      = "testdata/child.c"
	pythonChild = "testdata/child.py"
)

// languages are the children's command lines.
func languages(t *testing.T) map[string][]string {
	t.Helper()
	dir, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "child")
	cc := testenv.Tool(t, "cc", "gcc")
	if out, err := exec.Command(cc, "-O2", "-Wall", "-Wextra", "-Werror", "-o", program,
		cChild).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	python, err := filepath.EvalSymlinks(testenv.Tool(t, "python3", "python3"))
	if err != nil {
		t.Fatal(err)
	}
	// In some installations that name is a shell script, but the program that is executed by descriptor must be a
	// binary.
	if out, err := exec.Command(python, "-c", "import sys; print(sys.executable)").Output(); err == nil {
		python = strings.TrimSpace(string(out))
	}
	return map[string][]string{"C": {program}, "Python": {python, "-I", "-S", filepath.Join(dir, pythonChild)}}
}

// TestChildrenAreShort: each is short enough to read in one go.
func TestChildrenAreShort(t *testing.T) {
	for _, name := range []string{cChild, pythonChild} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), "\n"); n >= 400 {
			t.Errorf("%s has %d lines, want fewer than 400", name, n)
		}
	}
}

func TestConformance(t *testing.T) {
	for name, command := range languages(t) {
		for _, socket := range []string{"seqpacket", "stream"} {
			t.Run(name+" "+socket, func(t *testing.T) {
				t.Parallel()
				var out strings.Builder
				o := conformance.Options{Command: command, Socket: socket, Out: &out, Timeout: time.Minute}
				r, err := conformance.Run(t.Context(), o)
				if err != nil || r.Failed > 0 || r.OK < 100 || name == "Python" && r.Skipped > 0 {
					t.Errorf("%+v, %v\n%s", r, err, out.String())
				}
			})
		}
	}
}

// handler records the requests of the child.
type handler struct {
	calls  []string
	master *os.File
}

func (h *handler) Started(context.Context, int) error { return nil }
func (h *handler) Hooks(context.Context, int) error   { h.calls = append(h.calls, "hooks"); return nil }
func (h *handler) Ready(context.Context, int) error   { h.calls = append(h.calls, "ready"); return nil }
func (h *handler) Console(_ context.Context, master *os.File, path string) error {
	h.calls = append(h.calls, "console")
	h.master = master
	return nil
}

// contained returns a container whose init is the command: new namespaces, a root of its own with /proc, a host name, a
// hook.
func contained(t *testing.T, command []string, args ...string) (spawn.Config, *handler) {
	t.Helper()
	h := &handler{}
	cfg := spawn.Config{Init: command, Codec: codec.JSON(), Handler: h, Container: spawn.Container{
		ID: "child", Hostname: "other", Root: container.Root{Path: testenv.Busybox(t)}, Hooks: container.Hooks{Runtime: true},
		Mounts:  []container.Mount{{Destination: "/proc", Type: "proc", Source: "proc"}},
		Process: container.Process{Args: args, Cwd: "/tmp", Env: []string{"PATH=/bin", "COLOUR=blue"}},
	}}
	for _, k := range []string{container.NSPid, container.NSMount, container.NSUTS, container.NSIPC} {
		cfg.Namespaces = append(cfg.Namespaces, spawn.Namespace{Kind: k})
	}
	return cfg, h
}

// TestInitOfAContainer: each can be the init of a real container. The program that it executes sees the new root, name,
// namespaces and environment, and nothing of the conversation.
func TestInitOfAContainer(t *testing.T) {
	testenv.Root(t)
	for name, command := range languages(t) {
		t.Run(name, func(t *testing.T) {
			cfg, h := contained(t, command, "sh", "-c", "echo $$ $(hostname) $PWD $COLOUR $HANDFAST_SOCKET; ls /proc/self/fd "+
				"| wc -l; ls /; exit 42")
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer read.Close()
			cfg.Files = [3]*os.File{nil, write, os.Stderr}
			p, err := spawn.Start(t.Context(), cfg)
			_ = write.Close()
			if err != nil {
				t.Fatal(err)
			}
			defer p.Release()
			out, err := io.ReadAll(read)
			if err != nil {
				t.Fatal(err)
			}
			status, err := p.Wait(t.Context())
			if err != nil || status.ExitStatus() != 42 {
				t.Errorf("status %d, %v", status.ExitStatus(), err)
			}
			// Descriptors: the three standard ones, and that of the directory that ls reads.
			if got := string(out); !strings.HasPrefix(got, "1 other /tmp blue\n4\n") || !strings.Contains(got, "proc") ||
				strings.Contains(got, "lost+found") {
				t.Errorf("the program saw %q", got)
			}
			if got := strings.Join(h.calls, " "); got != "hooks ready" {
				t.Errorf("it asked for %s", got)
			}
		})
	}
}

// TestErrorsOfAnInit: if the program cannot be executed, or the child cannot do a step, the child reports its own
// error.
func TestErrorsOfAnInit(t *testing.T) {
	testenv.Root(t)
	for name, command := range languages(t) {
		t.Run(name, func(t *testing.T) {
			cfg, _ := contained(t, command, "/no/such/program")
			_, err := spawn.Start(t.Context(), cfg)
			if !errors.Is(err, syscall.ENOENT) || !strings.Contains(err.Error(), "/no/such/program") {
				t.Errorf("a program that does not exist: %v", err)
			}
			cfg, _ = contained(t, command, "true")
			cfg.Container.Sysctl = []container.KeyValue{{Key: "kernel.domainname", Value: "x"}}
			if _, err = spawn.Start(t.Context(), cfg); err == nil || !strings.Contains(err.Error(),
				"sysctl: this child cannot do that") {
				t.Errorf("a configuration that it cannot carry out: %v", err)
			}
			cfg, _ = contained(t, command, "true")
			cfg.Container.Root.Path = "/no/such/root"
			if _, err = spawn.Start(t.Context(), cfg); !errors.Is(err, syscall.ENOENT) {
				t.Errorf("a root that does not exist: %v", err)
			}
		})
	}
}

// TestConsoleOfAnInit: the terminal's master arrives with its request.
func TestConsoleOfAnInit(t *testing.T) {
	for name, command := range languages(t) {
		t.Run(name, func(t *testing.T) {
			conn, end, err := transport.SocketPair(transport.Stream)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(command[0], command[1:]...)
			cmd.Env = append(os.Environ(), "HANDFAST_SOCKET=3")
			cmd.ExtraFiles = []*os.File{end}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			_ = end.Close()
			p, err := transport.NewParent(conn, container.InitProfile(), transport.Options{Codecs: []codec.Codec{codec.JSON()}})
			if err != nil {
				t.Fatal(err)
			}
			config, err := syncproto.ToValue(container.Config{ID: "tty", Process: container.Process{Args: []string{"sh", "-c",
				"tty; printf done"}, Cwd: "/", Env: []string{"PATH=/usr/bin:/bin"}, Terminal: true}})
			if err == nil {
				err = p.Open(t.Context(), config, nil)
			}
			var master *os.File
			for err == nil {
				var req *transport.Request
				if req, err = p.Next(t.Context()); err != nil {
					break
				}
				if req.Name == "console" {
					master = os.NewFile(uintptr(req.FDs[0]), "master")
				}
				err = p.Reply(t.Context(), syncproto.Value{})
			}
			if err != io.EOF || master == nil {
				t.Fatalf("%v, master %v", err, master)
			}
			out, _ := io.ReadAll(master) // ends with EIO, like every terminal
			if !strings.Contains(string(out), "/dev/pts/") || !strings.HasSuffix(string(out), "done") {
				t.Errorf("the terminal shows %q", out)
			}
			_, _, _ = master.Close(), p.Close(), cmd.Wait()
		})
	}
}
