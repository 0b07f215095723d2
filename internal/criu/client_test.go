package criu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{First: peer}) }

// peerVariable says which way the test binary behaves when it is executed as criu.
const peerVariable = "HANDFAST_TEST_CRIU"

// peer is the other side, if the test binary was executed as criu.
func peer() {
	how := os.Getenv(peerVariable)
	if how == "" || len(os.Args) != 3 || os.Args[1] != "swrk" {
		return
	}
	send := func(r Response, files ...int) {
		_ = unix.Sendmsg(3, r.Encode(), unix.UnixRights(files...), nil, 0)
	}
	for {
		buf := make([]byte, largest)
		n, _, err := unix.Recvfrom(3, buf, 0)
		if n <= 0 || err != nil {
			os.Exit(0)
		}
		r, err := DecodeRequest(buf[:n])
		if err != nil {
			os.Exit(2)
		}
		switch {
		case how == "dies":
			os.Exit(33)
		case how == "garbage":
			_, _ = unix.Write(3, []byte{0xff})
		case how == "mute": // nor does it end with the socket
			for {
				_ = unix.Pause()
			}
		case how == "empty":
			_ = unix.Send(3, nil, 0)
		case how == "two descriptors":
			send(Response{Type: Version, Success: true, Version: &VersionNumber{Major: 4}}, 1, 2)
		case how == "large":
			_, _ = unix.Write(3, make([]byte, largest+1))
		case r.Type == Version && how == "old":
			send(Response{Type: Version, Success: true, Version: &VersionNumber{Major: 3, Minor: 15}})
		case r.Type == Version:
			send(Response{Type: Version, Success: true, Version: &VersionNumber{Major: 4, Minor: 1}})
		case r.Type == FeatureCheck:
			send(Response{Type: FeatureCheck, Success: true, Features: &Features{MemTrack: true}})
		case r.Type == Dump && how == "fails":
			send(Response{Type: Dump, Errno: int32(unix.ENOENT), Message: "no such thing\n"})
		case r.Type == Dump && how == "no errno":
			send(Response{Type: Dump, Errno: -7})
		case r.Type == Dump && how == "another type":
			send(Response{Type: Restore, Success: true})
		case r.Type == Dump && how == "silent":
		case r.Type == Dump:
			send(Response{Type: Notify, Success: true, Notification: &Notification{Script: "first", PID: 7}})
		case r.Type == Notify && !r.NotifySuccess:
			send(Response{Type: Dump})
		case r.Type == Notify && how == "notifies":
			how = "notified"
			send(Response{Type: Notify, Success: true, Notification: &Notification{Script: "second"}}, 4)
		case r.Type == Notify:
			send(Response{Type: Dump, Success: true})
			os.Exit(0)
		}
	}
}

// startPeer starts the test binary as criu.
func startPeer(t *testing.T, how string, o StartOptions) *Client {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "criu")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	t.Setenv(peerVariable, how)
	c, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestNotifications: each notification reaches the caller, with its descriptor, and the response comes after them.
func TestNotifications(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c := startPeer(t, "notifies", StartOptions{Extra: []*os.File{w}})
	w.Close()
	if v, err := c.Check(t.Context(), Features{MemTrack: true}); err != nil || v.String() != "4.1" {
		t.Fatalf("version %v, %v", v, err)
	}
	var got []string
	resp, err := c.Do(t.Context(), &Request{Type: Dump}, func(n *Notification, f *os.File) error {
		got = append(got, fmt.Sprintf("%s %d %t", n.Script, n.PID, f != nil))
		if f != nil {
			_, err := f.WriteString("through the descriptor")
			return errors.Join(err, f.Close())
		}
		return nil
	})
	if err != nil || resp.Type != Dump || strings.Join(got, ", ") != "first 7 false, second 0 true" {
		t.Errorf("%+v, %v, after %q", resp, err, got)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	text := make([]byte, 100)
	if n, err := r.Read(text); string(text[:n]) != "through the descriptor" {
		t.Errorf("read %q, %v", text[:n], err)
	}
}

// TestFailures: whatever CRIU does, the error says it.
func TestFailures(t *testing.T) {
	for how, want := range map[string]string{
		"dies":         "criu ended without a response: exit status 33",
		"garbage":      "malformed message of CRIU",
		"large":        "malformed message of CRIU: more than",
		"empty":        "criu ended without a response: exit status 0",
		"no errno":     "criu failed: dump",
		"old":          "this version of CRIU is too old: it is 3.15; want 3.16 or later",
		"fails":        "criu failed: dump: no such file or directory: no such thing",
		"another type": "a response of type restore to a request of type dump",
	} {
		t.Run(how, func(t *testing.T) {
			c := startPeer(t, how, StartOptions{})
			_, err := c.Check(t.Context(), Features{})
			if err == nil {
				_, err = c.Do(t.Context(), &Request{Type: Dump}, nil)
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %s", err, want)
			}
			if (how == "old") != errors.Is(err, ErrOld) || (how == "fails") != errors.Is(err, unix.ENOENT) {
				t.Errorf("errors.Is is wrong about %v", err)
			}
			if (how == "dies" || how == "empty") != errors.Is(err, ErrEnded) {
				t.Errorf("errors.Is is wrong about %v and ErrEnded", err)
			}
		})
	}
}

func TestMissingFeature(t *testing.T) {
	c := startPeer(t, "capable", StartOptions{})
	_, err := c.Check(t.Context(), Features{MemTrack: true, LazyPages: true})
	if !errors.Is(err, unix.EOPNOTSUPP) || !strings.Contains(err.Error(), "criu 4.1 lacks the feature lazy_pages") {
		t.Error(err)
	}
}

// TestRefusedNotification: the error of a notification ends the request, and is its error.
func TestRefusedNotification(t *testing.T) {
	c := startPeer(t, "notifies", StartOptions{})
	mine := errors.New("not today")
	refuse := func(*Notification, *os.File) error { return mine }
	if _, err := c.Do(t.Context(), &Request{Type: Dump}, refuse); err != mine {
		t.Errorf("%v, want %v", err, mine)
	}
}

// TestCancelled: a request that is given up ends with the next notification, whose descriptor is closed.
func TestCancelled(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c := startPeer(t, "notifies", StartOptions{Extra: []*os.File{w}})
	w.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	mine := errors.New("enough")
	var got []string
	_, err = c.Do(ctx, &Request{Type: Dump}, func(n *Notification, _ *os.File) error {
		got = append(got, n.Script)
		cancel(mine)
		return nil
	})
	if err != mine || len(got) != 1 {
		t.Errorf("%v after %q, want %v after the first", err, got, mine)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("the descriptor that nobody was told of is still open: %v", err)
	}
	if _, err := c.Do(ctx, &Request{Type: Dump}, nil); err != mine {
		t.Errorf("after the end of the context: %v, want %v", err, mine)
	}
}

// TestKilled: Kill ends a request about which CRIU says nothing.
func TestKilled(t *testing.T) {
	c := startPeer(t, "mute", StartOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	defer context.AfterFunc(ctx, c.Kill)()
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := c.Do(ctx, &Request{Type: Restore}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want %v", err, context.Canceled)
	}
}

// TestCheckEnds: a CRIU that does not tell its version is not waited for, neither when the check ends nor afterwards.
func TestCheckEnds(t *testing.T) {
	c := startPeer(t, "mute", StartOptions{})
	ctx, cancel := context.WithCancelCause(t.Context())
	mine := errors.New("enough")
	time.AfterFunc(10*time.Millisecond, func() { cancel(mine) })
	if _, err := c.Check(ctx, Features{}); err != mine {
		t.Errorf("%v, want %v", err, mine)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// TestTwoDescriptors: what comes with a message that may have one descriptor is closed if there are two.
func TestTwoDescriptors(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c := startPeer(t, "two descriptors", StartOptions{Files: [3]*os.File{nil, w, w}})
	w.Close()
	if _, err := c.Check(t.Context(), Features{}); !errors.Is(err, ErrMessage) ||
		!strings.Contains(err.Error(), "2 descriptors; want one at most") {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("the descriptors are still open: %v", err)
	}
}

// TestApart: CRIU has a process group of its own if it is to have one.
func TestApart(t *testing.T) {
	for _, apart := range []bool{false, true} {
		c := startPeer(t, "capable", StartOptions{Apart: apart})
		group, err := unix.Getpgid(c.PID())
		if err != nil || (group == c.PID()) != apart {
			t.Errorf("apart %t: group %d of process %d, %v", apart, group, c.PID(), err)
		}
	}
}

func TestNoCRIU(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := Start(StartOptions{})
	if !errors.Is(err, exec.ErrNotFound) || !strings.HasPrefix(err.Error(), "criu: executable file not found in $PATH") {
		t.Error(err)
	}
}

// TestRealCRIU asks the installed CRIU for its version, which it knows on every kernel.
func TestRealCRIU(t *testing.T) {
	testenv.Tool(t, "criu", "criu")
	c, err := Start(StartOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	v, err := c.Check(t.Context(), Features{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("criu", "--version").Output()
	if want := "Version: " + v.String() + "\n"; err != nil || !strings.HasPrefix(string(out), want) {
		t.Errorf("criu --version prints %q, %v; want %q", out, err, want)
	}
}
