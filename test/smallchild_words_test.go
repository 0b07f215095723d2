package test

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// TestSmallChildFailsLikeAWhole: the words of an error, and the status, do not tell which child it was, whether it
// could not go on before the parent let it or after.
func TestSmallChildFailsLikeAWhole(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, root string, c map[string]any){
		"no program":   func(_ *testing.T, _ string, c map[string]any) { process(c)["args"] = []string{"/no/such"} },
		"none in PATH": func(_ *testing.T, _ string, c map[string]any) { process(c)["args"] = []string{"nosuch"} },
		"a directory":  func(_ *testing.T, _ string, c map[string]any) { process(c)["args"] = []string{"/tmp"} },
		"no directory": func(_ *testing.T, _ string, c map[string]any) { process(c)["cwd"] = "/bin/sh" },
		"unknown parameter": func(_ *testing.T, _ string, c map[string]any) {
			linux(c)["sysctl"] = map[string]any{"net.no": "1"}
		},
		"no source": func(_ *testing.T, _ string, c map[string]any) {
			c["mounts"] = append(c["mounts"].([]any), map[string]any{"destination": "/x", "source": "/no/such", "type": "bind",
				"options": []string{"bind"}})
		},
		"bad option": func(_ *testing.T, _ string, c map[string]any) {
			c["mounts"] = append(c["mounts"].([]any), map[string]any{"destination": "/x", "source": "x", "type": "tmpfs",
				"options": []string{"nosuch=1"}})
		},
		"a file over a directory": func(_ *testing.T, _ string, c map[string]any) {
			c["mounts"] = append(c["mounts"].([]any), map[string]any{"destination": "/tmp",
				"source": "/etc/passwd", "type": "bind", "options": []string{"bind"}})
		},
		"no limit": func(_ *testing.T, _ string, c map[string]any) {
			process(c)["rlimits"] = []map[string]any{{"type": "RLIMIT_NOFILE", "soft": int64(1) << 40, "hard": int64(1) << 40}}
		},
		"no interpreter": func(t *testing.T, root string, c map[string]any) {
			putScript(t, root, "#!/no/such\n")
			process(c)["args"] = []string{"/script"}
		},
		"no format": func(t *testing.T, root string, c map[string]any) {
			putScript(t, root, "\x7fELF but no program")
			process(c)["args"] = []string{"/script"}
		},
		"no format, under a filter, from PATH": func(t *testing.T, root string, c map[string]any) {
			putScript(t, root, "\x7fELF but no program")
			process(c)["args"], process(c)["env"] = []string{"script"}, []string{"PATH=/no:/"}
			linux(c)["seccomp"] = map[string]any{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []map[string]any{
				{"names": []string{"kexec_load"}, "action": "SCMP_ACT_ERRNO"}}}
		},
		"unmapped user": func(_ *testing.T, _ string, c map[string]any) {
			mapIDs(c)
			process(c)["user"] = map[string]any{"uid": 2000, "gid": 0}
		},
		"unmapped groups": func(_ *testing.T, _ string, c map[string]any) {
			mapIDs(c)
			process(c)["user"] = map[string]any{"uid": 0, "gid": 0, "additionalGids": []int{3, 2000}}
		},
		"no source, in a user namespace": func(t *testing.T, _ string, c map[string]any) {
			mapIDs(c)
			closeRoot(t, c)
			c["mounts"] = append(c["mounts"].([]any), map[string]any{"destination": "/x", "source": "/no/such", "type": "bind",
				"options": []string{"bind"}})
		},
		"a directory that cannot be made, in a user namespace": func(_ *testing.T, _ string, c map[string]any) {
			mapIDs(c)
			c["mounts"] = append(c["mounts"].([]any), map[string]any{"destination": "/new/x", "source": "x", "type": "tmpfs"})
		},
		"no program, in a user namespace": func(_ *testing.T, _ string, c map[string]any) {
			mapIDs(c)
			process(c)["args"] = []string{"/no/such"}
		},
		"no program, on a terminal": func(_ *testing.T, _ string, c map[string]any) {
			process(c)["terminal"], process(c)["args"] = true, []string{"nosuch"}
		},
		"no directory, on a terminal": func(_ *testing.T, _ string, c map[string]any) {
			process(c)["terminal"], process(c)["cwd"] = true, "/bin/sh"
		},
		"no interpreter, on a terminal": func(t *testing.T, root string, c map[string]any) {
			putScript(t, root, "#!/no/such\n")
			process(c)["terminal"], process(c)["args"] = true, []string{"script"}
			process(c)["env"] = []string{"PATH=/no:/"}
		},
		"no limit, on a terminal": func(_ *testing.T, _ string, c map[string]any) {
			process(c)["terminal"] = true
			process(c)["rlimits"] = []map[string]any{{"type": "RLIMIT_NOFILE", "soft": int64(1) << 40, "hard": int64(1) << 40}}
		},
		"unmapped user, on a terminal": func(_ *testing.T, _ string, c map[string]any) {
			mapIDs(c)
			process(c)["terminal"], process(c)["user"] = true, map[string]any{"uid": 2000, "gid": 0}
		},
		"no terminals": func(_ *testing.T, _ string, c map[string]any) {
			process(c)["terminal"] = true
			c["mounts"] = slices.DeleteFunc(c["mounts"].([]any), func(m any) bool {
				return m.(map[string]any)["destination"] == "/dev/pts"
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRuntime(t)
			for _, gated := range []bool{false, true} {
				hooks := false
				try := func(flags ...string) string {
					id := testenv.ID(t)
					bundle := shell(t, "exit 0", nil)
					edit(t, bundle, func(c map[string]any) {
						change(t, rootOf(t, bundle), c)
						if process(c)["terminal"] == true {
							flags = append(flags, "--console-socket", takesTerminals(t))
							if !gated {
								flags = append(flags, "--detach")
							}
						}
						if hooks {
							setHook(c, "createRuntime", 0, "/bin/true")
						}
					})
					command := "run"
					if gated {
						command = "create"
					}
					o := r.do(append(append([]string{command}, flags...), "-b", bundle, id)...)
					if gated && o.status == 0 {
						o = r.do("start", id)
						r.do("delete", "--force", id)
					}
					if o.status == 0 {
						t.Errorf("it did not fail: %+v", o)
					}
					_, words, _ := strings.Cut(o.stderr, "msg=")
					return changing.ReplaceAllString(words, "*")
				}
				small, whole := try(), try("--trace", filepath.Join(testenv.Dir(t), "trace"))
				if small != whole || small == "" {
					t.Errorf("with a small child %swith a whole one %s", small, whole)
				}
				// After a hook has run no whole child can take over, which alone would name a missing interpreter.
				hooks = true
				if small := try(); small == "" || !strings.HasPrefix(unquoted(t, whole), unquoted(t, small)) {
					t.Errorf("with a small child and a hook %swith a whole one %s", small, whole)
				}
			}
		})
	}
}

// unquoted returns the text of the quoted string with which line begins.
func unquoted(t testing.TB, line string) string {
	t.Helper()
	quoted, err := strconv.QuotedPrefix(line)
	if err != nil {
		t.Fatalf("%v: %q", err, line)
	}
	text, err := strconv.Unquote(quoted)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// takesTerminals returns the path of a socket at which a terminal is taken, and kept until the test ends.
func takesTerminals(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s") // a socket's address has no room for the name of a test
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	taken := make(chan *os.File, 1)
	go func() {
		defer close(taken)
		if c, err := l.Accept(); err == nil {
			taken <- receiveFrom(t, c)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		if master := <-taken; master != nil {
			_ = master.Close()
		}
		_ = os.RemoveAll(dir)
	})
	return l.Addr().String()
}
