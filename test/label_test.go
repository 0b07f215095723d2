package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

// TestAppArmorProfile runs a container, and a process that joins it, under profiles of their own, and checks their
// effect.
func TestAppArmorProfile(t *testing.T) {
	r := newRuntime(t)
	if !inForce("apparmor") {
		t.Skip("AppArmor is not in force on this kernel; the boots of make test-vm have it")
	}
	parser := testenv.Tool(t, "apparmor_parser", "apparmor")
	if _, err := os.Stat("/sys/kernel/security/apparmor"); err != nil {
		if err := unix.Mount("securityfs", "/sys/kernel/security", "securityfs", 0, ""); err != nil {
			t.Fatal("securityfs:", err)
		}
	}
	file := filepath.Join(testenv.Dir(t), "profiles")
	text := ""
	for _, name := range []string{"handfast-test-one", "handfast-test-two"} {
		text += "profile " + name + " flags=(attach_disconnected,mediate_deleted) " +
			"{\n\tfile,\n\tcapability,\n\tnetwork,\n\tsignal,\n\tdeny /tmp/" + name + " w,\n}\n"
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(parser, "--replace", "--skip-cache", file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command(parser, "--remove", file).Run() })

	const script = "cat /proc/self/attr/current; for n in one two; do echo x >/tmp/handfast-test-$n || echo denied $n; " +
		"done 2>/dev/null"
	id := testenv.ID(t)
	bundle := shell(t, script, func(c map[string]any) { process(c)["apparmorProfile"] = "handfast-test-one" })
	if o := r.do("run", "-b", bundle, id); o != (outcome{"handfast-test-one (enforce)\ndenied one\n", "", 0}) {
		t.Errorf("run: %+v", o)
	}
	running, _ := r.sleeper(nil)
	if got := r.inside(running, script, "--apparmor", "handfast-test-two"); got != "handfast-test-two (enforce)\ndenied "+
		"two\n" {
		t.Errorf("exec: %q", got)
	}
	if got := r.inside(running, script); !strings.HasPrefix(got, "unconfined\n") {
		t.Errorf("exec without a profile: %q", got)
	}
	r.notStarted([]string{"/attr/apparmor/exec: apparmor label \"handfast-test-none\": no such file or directory"},
		"--apparmor", "handfast-test-none", running, "true")
}
