package test

import (
	goruntime "runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

// TestSessionKeyring (LS01): a container has a session keyring of its own, shared with processes that join it, without
// the caller's keys; with --no-new-keyring it has the caller's keyring.
func TestSessionKeyring(t *testing.T) {
	r := newRuntime(t)
	// a session keyring belongs to a thread and to the processes that it creates; this thread ends with the test
	goruntime.LockOSThread()
	ring, err := unix.KeyctlJoinSessionKeyring("handfast-test-caller")
	if err == unix.ENOSYS || err == unix.EPERM {
		t.Skip("this kernel has no keys, or a filter forbids them: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	key, err := unix.AddKey("user", "handfast-test-secret", []byte("secret"), ring)
	if err == nil {
		err = unix.KeyctlSetperm(key, 0x3f000000) // only for a possessor, not even for other processes of root
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range []bool{false, true} {
		edit := func(c map[string]any) {
			delete(linux(c), "maskedPaths") // they hide /proc/keys
			if user {
				testenv.MapIDs(c, hostIDs, 65536)
			}
		}
		id, _ := r.sleeper(edit)
		keys := r.inside(id, "cat /proc/keys")
		if strings.Contains(keys, "handfast-test-secret") {
			t.Errorf("user namespace %t: the caller's key is in the container:\n%s", user, keys)
		}
		if n := strings.Count(keys, "_ses."+id+":"); n != 1 {
			t.Errorf("user namespace %t: %d session keyrings of the container, want one that all share:\n%s", user, n, keys)
		}
		own := shell(t, "cat /proc/keys", edit)
		if o := r.do("run", "-b", own, testenv.ID(t)); o.status != 0 || strings.Contains(o.stdout, "handfast-test-secret") {
			t.Errorf("user namespace %t: %+v", user, o)
		}
	}
	o := r.do("run", "--no-new-keyring", "-b", shell(t, "cat /proc/keys", func(c map[string]any) {
		delete(linux(c), "maskedPaths")
	}), testenv.ID(t))
	if o.status != 0 || !strings.Contains(o.stdout, "handfast-test-secret") {
		t.Errorf("with --no-new-keyring: %+v", o)
	}
}
