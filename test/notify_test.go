package test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

// manager is a service manager that reads notifications, and closes the descriptors of barriers.
type manager struct {
	t    *testing.T
	path string
	conn *net.UnixConn
}

func newManager(t *testing.T) *manager {
	t.Helper()
	path := filepath.Join(testenv.Dir(t), "manager")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &manager{t, path, conn}
}

// nextNotification returns the next datagram that the manager gets.
func (m *manager) nextNotification() string {
	m.t.Helper()
	_ = m.conn.SetReadDeadline(time.Now().Add(patience))
	b, oob := make([]byte, 4096), make([]byte, 256)
	n, noob, _, _, err := m.conn.ReadMsgUnix(b, oob)
	must(m.t, err)
	if messages, err := unix.ParseSocketControlMessage(oob[:noob]); err == nil {
		for i := range messages {
			fds, err := unix.ParseUnixRights(&messages[i])
			must(m.t, err)
			for _, fd := range fds {
				_ = unix.Close(fd)
			}
		}
	}
	return string(b[:n])
}

// readyBundle returns a bundle whose program reports that it is ready once /tmp/go exists.
func readyBundle(t *testing.T, mutate func(map[string]any)) (bundle string, release func()) {
	t.Helper()
	worker := testenv.GoPayload(t, "test/children/notify")
	bundle = shell(t, "while ! [ -e /tmp/go ]; do sleep 0.02; done; "+
		"/bin/notify 'STATUS=nearly' && /bin/notify 'STATUS=up\nREADY=1'; exec sleep 1000",
		func(c map[string]any) {
			copyInto(t, c, worker, "/bin/notify")
			if mutate != nil {
				mutate(c)
			}
		})
	go1 := filepath.Join(rootOf(t, bundle), "tmp/go")
	return bundle, func() { must(t, os.WriteFile(go1, nil, 0o644)) }
}

func copyInto(t *testing.T, c map[string]any, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(c["root"].(map[string]any)["path"].(string), to), data, 0o755))
}

// TestNotifyDetached: run --detach, and start, return when the container is ready, and the manager then knows the main
// process; as root of a user namespace too.
func TestNotifyDetached(t *testing.T) {
	for name, mutate := range map[string]func(map[string]any){
		"plain": nil, "in a user namespace": func(c map[string]any) {
			testenv.MapIDs(c, hostIDs, 65536)
			// Root of that namespace cannot create anything in a tree of another user.
			must(t, os.MkdirAll(filepath.Join(c["root"].(map[string]any)["path"].(string), "run/notify"), 0o755))
			must(t, os.Chmod(filepath.Join(c["root"].(map[string]any)["path"].(string), "tmp"), 0o1777))
		},
		"as another user": func(c map[string]any) { process(c)["user"] = map[string]any{"uid": 1234, "gid": 5} },
	} {
		for _, how := range []string{"run", "start"} {
			t.Run(name+" by "+how, func(t *testing.T) {
				r, m, id := newRuntime(t), newManager(t), testenv.ID(t)
				bundle, release := readyBundle(t, mutate)
				cmd := r.command("run", "--detach", "--bundle", bundle, id)
				if how == "start" {
					create := r.command("create", "--bundle", bundle, id)
					create.Env = append(os.Environ(), "NOTIFY_SOCKET="+m.path)
					if o := finish(t, create); o != (outcome{}) {
						t.Fatalf("create: %+v", o)
					}
					cmd = r.command("start", id)
				}
				cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+m.path)
				ended := runInBackground(t, cmd)
				eventually(t, "it runs", func() bool { o := r.do("state", id); return strings.Contains(o.stdout, `"running"`) })
				select {
				case err := <-ended:
					t.Fatalf("it ended before the container was ready: %v", err)
				default:
				}
				release()
				want := "READY=1\nMAINPID=" + strconv.Itoa(int(r.stateOf(id)["pid"].(float64)))
				if got := m.nextNotification(); got != want {
					t.Errorf("told %q, want %q", got, want)
				}
				if got := m.nextNotification(); got != "BARRIER=1" {
					t.Errorf("told %q", got)
				}
				must(t, <-ended)
				r.ok("delete", "--force", id)
			})
		}
	}
}

func runInBackground(t *testing.T, cmd *exec.Cmd) <-chan error {
	t.Helper()
	var log strings.Builder
	f, err := os.Create(filepath.Join(testenv.Dir(t), "log"))
	must(t, err)
	cmd.Stdout, cmd.Stderr = f, f
	must(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = f.Close()
		if data, _ := os.ReadFile(f.Name()); t.Failed() {
			t.Logf("%s%s", log.String(), data)
		}
	})
	return ended
}

// TestNotifyInTheForeground: the manager continues to supervise the command itself.
func TestNotifyInTheForeground(t *testing.T) {
	r, m, id := newRuntime(t), newManager(t), testenv.ID(t)
	bundle, release := readyBundle(t, nil)
	cmd := r.command("run", "--bundle", bundle, id)
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+m.path)
	start(t, cmd)
	release()
	if got := m.nextNotification(); got != "READY=1" {
		t.Errorf("told %q", got)
	}
	_ = m.nextNotification()
	r.ok("kill", id, "KILL")
	_ = cmd.Wait()
	if s := cmd.ProcessState.ExitCode(); s != 137 {
		t.Errorf("status %d", s)
	}
}

// TestNotifyNever: a container that ends without a notification is a warning, a missing manager an error.
func TestNotifyNever(t *testing.T) {
	r, m, id := newRuntime(t), newManager(t), testenv.ID(t)
	cmd := r.command("run", "--detach", "--bundle", shell(t, "exit 3", nil), id)
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+m.path)
	o := finish(t, cmd)
	if o.status != 0 {
		t.Errorf("%+v", o)
	}
	contains(t, o.stderr, "level=warning", "never said to NOTIFY_SOCKET that it is ready")
	r.ok("delete", id)

	bundle, release := readyBundle(t, nil)
	release()
	for address, words := range map[string]string{"/nonexistent/manager": "no such file or directory",
		"vsock:2:9": "neither an absolute path"} {
		cmd = r.command("run", "--detach", "--bundle", bundle, id)
		cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+address)
		o := finish(t, cmd)
		if o.status != 1 {
			t.Errorf("%s: %+v", address, o)
		}
		contains(t, o.stderr, address, words)
		r.ok("delete", "--force", id)
	}
}
