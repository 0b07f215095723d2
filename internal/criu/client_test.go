package criu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

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

// TestCancelled: a request ends with its context even if CRIU says nothing.
func TestCancelled(t *testing.T) {
	c := startPeer(t, "silent", StartOptions{})
	ctx, cancel := context.WithCancelCause(t.Context())
	mine := errors.New("enough")
	cancel(mine)
	if _, err := c.Do(ctx, &Request{Type: Dump}, nil); !errors.Is(err, mine) {
		t.Errorf("%v, want %v", err, mine)
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
