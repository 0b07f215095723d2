package security

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// TestEnteringProcessShowsNothingOfTheHost (CVE-2016-9962): while processes enter a container, a program in it opens
// everything that it can of every process that it sees: root, working directory, descriptors, memory. It must never
// read a canary of the host, whatever the container's rights are: as root of the machine with a few capabilities, or
// with CAP_SYS_PTRACE over a user namespace of its own.
func TestEnteringProcessShowsNothingOfTheHost(t *testing.T) {
	testenv.Root(t)
	for name, change := range map[string]func(c map[string]any){
		"root": func(map[string]any) {},
		"ptrace in a user namespace": func(c map[string]any) {
			testenv.MapIDs(c, 300000, 65536)
			caps := c["process"].(map[string]any)["capabilities"].(map[string]any)
			for _, set := range []string{"bounding", "effective", "permitted"} {
				caps[set] = []any{"CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_SYS_ADMIN", "CAP_SYS_CHROOT"}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := testenv.Dir(t)
			secret := filepath.Join(dir, "secret")
			if err := os.WriteFile(secret, []byte("CANARY\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			// A descriptor of the caller on the directory, which must not offer a path to it either.
			held, err := os.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer held.Close()
			script := `while :; do for p in /proc/[0-9]*; do case $p in /proc/1|/proc/$$) continue;; esac
				cat $p/root` + secret + ` $p/cwd` + secret + ` 2>/dev/null
				for f in $p/fd/*; do cat $f/secret $f` + secret + ` $f/root` + secret + ` 2>/dev/null; done
				echo tried $p >>/tried; done; done >/found 2>/errors`
			bundle := testenv.Bundle(t, testenv.Busybox(t), func(c map[string]any) {
				change(c)
				testenv.SetArgs(c, "/bin/sh", "-c", script)
			})
			root, id := filepath.Join(testenv.Dir(t), "root"), testenv.ID(t)
			rootfs := rootfsOf(t, bundle)
			if err := os.Chmod(rootfs, 0o777); err != nil {
				t.Fatal(err)
			}
			if out, status := handfast(t, root, "run", "--detach", "-b", bundle, id); status != 0 {
				t.Fatal(out)
			}
			defer handfast(t, root, "delete", "--force", id)
			rounds := 75
			if testenv.Virtual() {
				rounds = 8
			}
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					for range rounds {
						if out, status := handfast(t, root, "exec", id, "/bin/true"); status != 0 {
							t.Errorf("exec: %d %s", status, out)
							return
						}
					}
				})
			}
			wg.Wait()
			found, err := os.ReadFile(filepath.Join(rootfs, "found"))
			if err != nil || strings.Contains(string(found), "CANARY") {
				t.Errorf("the host's file was read through an entering process: %q %v", found, err)
			}
			if tried, _ := os.ReadFile(filepath.Join(rootfs, "tried")); len(tried) == 0 {
				errors, _ := os.ReadFile(filepath.Join(rootfs, "errors"))
				t.Errorf("the attack never saw another process: it proves nothing (%s)", errors)
			}
		})
	}
}

func rootfsOf(t *testing.T, bundle string) string {
	t.Helper()
	var c struct{ Root struct{ Path string } }
	data, err := os.ReadFile(filepath.Join(bundle, "config.json"))
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c.Root.Path
}

// TestNumericUserName (CVE-2016-3697): a user of the image whose name is a number is never mistaken for the user with
// that id.
func TestNumericUserName(t *testing.T) {
	testenv.Root(t)
	rootfs := testenv.Busybox(t)
	if err := os.WriteFile(filepath.Join(rootfs, "etc/passwd"),
		[]byte("1000:x:0:0::/evil:/bin/sh\nroot:x:0:0::/root:/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	bundle := testenv.Bundle(t, rootfs, func(c map[string]any) { testenv.SetArgs(c, "/bin/sleep", "1000") })
	root, id := filepath.Join(testenv.Dir(t), "root"), testenv.ID(t)
	if out, status := handfast(t, root, "run", "--detach", "-b", bundle, id); status != 0 {
		t.Fatal(out)
	}
	defer handfast(t, root, "delete", "--force", id)
	if out, status := handfast(t, root, "exec", "--user", "1000", id, "/bin/sh", "-c",
		"grep ^Uid /proc/self/status; echo $HOME"); status != 0 || out != "Uid:\t1000\t1000\t1000\t1000\n/\n" {
		t.Errorf("%d %q", status, out)
	}
}
