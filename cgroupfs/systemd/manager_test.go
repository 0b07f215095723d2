package systemd

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/testenv"
)

// brief is the bound of calls that shall run into it.
const brief = 50 * time.Millisecond

var scope = Unit{Slice: "system.slice", Name: "handfast-t.scope"}

// calls is every call about a unit, by its method.
var calls = map[string]func(context.Context, *Manager) error{
	"StartTransientUnit": func(ctx context.Context, m *Manager) error {
		return m.Start(ctx, scope, Host{Version: 252, V2: true}.Base(scope, "d", 5))
	},
	"SetUnitProperties": func(ctx context.Context, m *Manager) error {
		return m.Set(ctx, scope, []Property{{"TasksMax", uint64v(5)}})
	},
	"StopUnit":              func(ctx context.Context, m *Manager) error { return m.Stop(ctx, scope) },
	"ResetFailedUnit":       func(ctx context.Context, m *Manager) error { return m.ResetFailed(ctx, scope) },
	"AttachProcessesToUnit": func(ctx context.Context, m *Manager) error { return m.Attach(ctx, scope, "sub", 5) },
}

func TestCalls(t *testing.T) {
	f := newFake(t, nil)
	m := f.open(t, patience)
	if m.Version() != 252 || m.Base() != "" {
		t.Errorf("version %d, base %q", m.Version(), m.Base())
	}
	for name, call := range calls {
		if err := call(t.Context(), m); err != nil {
			t.Error(err)
		}
		if got := f.last(); got.member != name || got.body[0].text != scope.Name || got.destination != systemdName ||
			got.iface != managerName {
			t.Errorf("%s was %+v", name, got)
		}
	}
	if err := m.Set(t.Context(), scope, nil); err != nil {
		t.Error(err)
	}
	if n := len(f.called()); n != len(calls) {
		t.Errorf("%d calls; a call without properties is none", n)
	}
}

// TestHangs: whatever is not answered, the answer and the end of a job, ends with the Manager's bound or the context's,
// in an error that names the call and the unit.
func TestHangs(t *testing.T) {
	for name, call := range calls {
		for what, do := range map[string]func(*peer, *message){
			"no answer": func(*peer, *message) {},
			"no end of the job": func(p *peer, m *message) {
				if m.member == "StartTransientUnit" || m.member == "StopUnit" {
					p.answer(m, object("/j/1"))
					p.removed("/j/2", "done") // another one's
				}
			},
			"half an answer": func(p *peer, m *message) {
				b := (&message{kind: methodReturn, serial: 9, replyTo: m.serial, body: []Value{text("long")}}).encode()
				p.conn.Write(b[:len(b)-2])
			},
			"another answer": func(p *peer, m *message) {
				p.send(&message{kind: methodReturn, replyTo: m.serial + 100})
			},
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				m := newFake(t, do).open(t, brief)
				err := call(t.Context(), m)
				if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), name) ||
					!strings.Contains(err.Error(), scope.Name) || !strings.Contains(err.Error(), "no reply within "+brief.String()) {
					t.Errorf("got %v", err)
				}
				m.o.Timeout = patience
				gone := errors.New("the caller was told to end")
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(brief, func() { cancel(gone) })
				if err := call(ctx, m); !errors.Is(err, gone) || !strings.Contains(err.Error(), name) {
					t.Errorf("cancelled: %v", err)
				}
			})
		}
	}
}

// TestSlowToGreet: connecting and authentication are bounded like the rest.
func TestSlowToGreet(t *testing.T) {
	for what, say := range map[string]string{"silence": "", "half a line": "DAT", "endless lines": "x"} {
		path := filepath.Join(t.TempDir(), "bus")
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			io.WriteString(c, say)
			io.Copy(io.Discard, c)
		}()
		_, err = Open(t.Context(), Options{Socket: path, Timeout: brief, Layout: &cgroupfs.Layout{}})
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "Get") ||
			!strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", what, err)
		}
		l.Close()
		<-ended
	}
}

// TestFullQueue: a listener that accepts nobody keeps nobody for longer than the bound.
func TestFullQueue(t *testing.T) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	path := filepath.Join(t.TempDir(), "bus")
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	for range 3 { // the first ones find room
		if _, err := Open(t.Context(), Options{Socket: path, Timeout: brief, Layout: &cgroupfs.Layout{}}); !errors.Is(err,
			context.DeadlineExceeded) {
			t.Fatal(err)
		}
	}
}

func TestResults(t *testing.T) {
	words := []string{"canceled", "timeout", "failed", "dependency", "skipped", "invalid", "assert", "unsupported",
		"collected", "once", "frozen", "concurrency", "something-new"}
	for _, word := range words {
		m := newFake(t, func(p *peer, m *message) { p.well(m, word) }).open(t, patience)
		for _, name := range []string{"StartTransientUnit", "StopUnit"} {
			err := calls[name](t.Context(), m)
			var e *JobError
			if word == "collected" && name == "StopUnit" {
				if err != nil {
					t.Errorf("%s: %v", word, err)
				}
				continue
			}
			if !errors.As(err, &e) || e.Result != word || !strings.Contains(err.Error(), name) ||
				!strings.Contains(err.Error(), scope.Name) || errors.Unwrap(err) == nil {
				t.Errorf("%s: %v", word, err)
			}
		}
	}
}

// TestEarlySignal: a job that has ended before the call is answered is not waited for again; nor does a signal count
// that systemd has not sent.
func TestEarlySignal(t *testing.T) {
	m := newFake(t, func(p *peer, m *message) {
		p.removed("/j/other", "failed")
		p.send(&message{kind: signalKind, path: managerPath, iface: managerName, member: "JobRemoved", sender: ":1.66",
			body: []Value{uint32v(1), object("/j/1"), text("any.scope"), text("failed")}})
		p.send(&message{kind: signalKind, path: managerPath, iface: managerName, member: "JobRemoved", sender: ":1.0",
			body: []Value{text("/j/1")}})
		p.removed("/j/1", "done")
		p.answer(m, object("/j/1"))
	}).open(t, patience)
	for range 3 {
		if err := calls["StartTransientUnit"](t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLate(t *testing.T) {
	m := newFake(t, func(p *peer, m *message) {
		time.Sleep(brief)
		p.well(m, "done")
	}).open(t, patience)
	for _, call := range calls {
		if err := call(t.Context(), m); err != nil {
			t.Error(err)
		}
	}
}

// TestDisconnects: a connection that ends in the middle is an error at once, and the next call makes a new one.
func TestDisconnects(t *testing.T) {
	for name, call := range calls {
		first := true
		f := newFake(t, func(p *peer, m *message) {
			if first {
				first = false
				p.conn.Write([]byte("l\x02\x00\x01\x00"))
				p.conn.Close()
				return
			}
			p.well(m, "done")
		})
		m := f.open(t, patience)
		if err := call(t.Context(), m); !errors.Is(err, unix.ECONNRESET) || !strings.Contains(err.Error(), name) ||
			!strings.Contains(err.Error(), scope.Name) {
			t.Errorf("%s: %v", name, err)
		}
		if err := call(t.Context(), m); err != nil {
			t.Errorf("%s, again: %v", name, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	for name, errno := range map[string]unix.Errno{
		"org.freedesktop.DBus.Error.AccessDenied": unix.EACCES, "org.freedesktop.systemd1.NoSuchUnit": unix.ENOENT,
		"org.freedesktop.DBus.Error.PropertyReadOnly": unix.EINVAL, "org.example.Own": 0,
	} {
		m := newFake(t, func(p *peer, m *message) { p.refuse(m, name, "its own words") }).open(t, patience)
		for method, call := range calls {
			err := call(t.Context(), m)
			if errno == unix.ENOENT && (method == "StopUnit" || method == "ResetFailedUnit") {
				if err != nil {
					t.Errorf("%s of what is not there: %v", method, err)
				}
				continue
			}
			if err == nil || !strings.Contains(err.Error(), "its own words ("+name+")") ||
				!strings.Contains(err.Error(), method+" of "+scope.Name) || errno != 0 && !errors.Is(err, errno) {
				t.Errorf("%s %s: %v", method, name, err)
			}
		}
	}
}

// TestFailedUnitGivesWay: what is left of an earlier unit of that name does not keep a new one away; one that is alive
// does.
func TestFailedUnitGivesWay(t *testing.T) {
	left := true
	f := newFake(t, nil)
	f.do = func(p *peer, m *message) {
		switch {
		case m.member == "StartTransientUnit" && left:
			p.refuse(m, "org.freedesktop.systemd1.UnitExists", "Unit handfast-t.scope already exists.")
		case m.member == "ResetFailedUnit":
			left = false
			p.answer(m)
		default:
			p.well(m, "done")
		}
	}
	m := f.open(t, patience)
	if err := calls["StartTransientUnit"](t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if want := []string{"StartTransientUnit", "ResetFailedUnit", "StartTransientUnit"}; !slices.Equal(f.called(), want) {
		t.Errorf("called %v", f.called())
	}
	m = newFake(t, func(p *peer, m *message) {
		if m.member == "StartTransientUnit" {
			p.refuse(m, "org.freedesktop.systemd1.UnitExists", "already exists")
			return
		}
		p.answer(m)
	}).open(t, patience)
	if err := calls["StartTransientUnit"](t.Context(), m); !errors.Is(err, unix.EEXIST) {
		t.Errorf("got %v", err)
	}
}

func TestGarbage(t *testing.T) {
	for what, b := range map[string][]byte{
		"text": []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), "huge": {'l', 2, 0, 1, 0xff, 0xff, 0xff, 0x7f, 1, 0, 0, 0, 0, 0,
			0, 0}, "version": {'l', 2, 0, 9, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0},
		"fields": append([]byte{'l', 2, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0}, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
			0xff),
	} {
		m := newFake(t, func(p *peer, _ *message) { p.conn.Write(b) }).open(t, patience)
		if err := calls["StopUnit"](t.Context(), m); !errors.Is(err, unix.EBADMSG) ||
			!strings.Contains(err.Error(), scope.Name) {
			t.Errorf("%s: %v", what, err)
		}
	}
	m := newFake(t, func(p *peer, m *message) { p.answer(m, text("not a job")) }).open(t, patience)
	if err := calls["StopUnit"](t.Context(), m); !errors.Is(err, unix.EBADMSG) {
		t.Error(err)
	}
}

func TestUnreachable(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+dir+"/bus,guid=1;unix:abstract=handfast%2dnobody")
	t.Setenv("XDG_RUNTIME_DIR", dir)
	_, err := Open(t.Context(), Options{User: true})
	if !errors.Is(err, unix.ENOENT) {
		t.Errorf("got %v", err)
	}
	for _, want := range []string{dir + "/bus", "@handfast-nobody", dir + "/systemd/private"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}

func TestPlaces(t *testing.T) {
	for _, c := range []struct {
		user bool
		env  map[string]string
		want []place
		err  string
	}{
		{want: []place{{systemBus, true}, {systemPrivate, false}}},
		{env: map[string]string{"DBUS_SYSTEM_BUS_ADDRESS": "tcp:host=x;unix:path=/a%20b"},
			want: []place{{"/a b", true}, {systemPrivate, false}}},
		{user: true, want: []place{{"/run/user/1000/bus", true}, {"/run/user/1000/systemd/private", false}}},
		{user: true, env: map[string]string{"XDG_RUNTIME_DIR": "/x"}, want: []place{{"/x/bus", true},
			{"/x/systemd/private", false}}},
		{user: true, env: map[string]string{"DBUS_SESSION_BUS_ADDRESS": "unix:abstract=a,guid=b", "XDG_RUNTIME_DIR": "/x"},
			want: []place{{"@a", true}, {"/x/systemd/private", false}}},
		{user: true, env: map[string]string{"DBUS_SESSION_BUS_ADDRESS": "autolaunch:"}, err: "no unix:path="},
		{user: true, env: map[string]string{"DBUS_SESSION_BUS_ADDRESS": "unix:path=/%zz"}, err: "is not an escape"},
		{user: true, env: map[string]string{"DBUS_SESSION_BUS_ADDRESS": "unix:path=/%2"}, err: "middle of an escape"},
	} {
		got, err := places(c.user, 1000, func(name string) string { return c.env[name] })
		if c.err != "" {
			if !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%v: %v; want %q", c.env, err, c.err)
			}
			continue
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, %v; want %v", c.env, got, err, c.want)
		}
	}
}

func TestVersion(t *testing.T) {
	for in, want := range map[string]int{"252": 252, "252.38-1~deb12u1": 252, "v256.1": 256, "systemd 219": 219} {
		if n, err := parseVersion(in); err != nil || n != want {
			t.Errorf("%q is %d, %v", in, n, err)
		}
	}
	if _, err := parseVersion("new"); err == nil {
		t.Error("no error for a version without a number")
	}
	m := newFake(t, nil).open(t, patience)
	m.version = minAttach - 1
	if err := calls["AttachProcessesToUnit"](t.Context(), m); !errors.Is(err, unix.ENOSYS) {
		t.Error(err)
	}
}

// TestFrozen: while the unit's group is frozen nothing is asked for.
func TestFrozen(t *testing.T) {
	testenv.Root(t)
	layout, err := cgroupfs.Host()
	if err != nil {
		t.Fatal(err)
	}
	f := newFake(t, nil)
	m := f.open(t, patience)
	m.o.Layout, m.base = layout, "/handfast-systemd-test"
	p, err := scope.Path(m.base)
	if err != nil {
		t.Fatal(err)
	}
	group, err := cgroupfs.Create(layout, p)
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	defer group.Delete(context.Background())
	if err := group.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, call := range calls {
		if err := call(t.Context(), m); !errors.Is(err, unix.EBUSY) || !strings.Contains(err.Error(), name) ||
			!strings.Contains(err.Error(), scope.Name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(f.called()); n != 0 {
		t.Errorf("%d calls reached systemd", n)
	}
	if err := group.Thaw(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := calls["SetUnitProperties"](t.Context(), m); err != nil {
		t.Error(err)
	}
}
