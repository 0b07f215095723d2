package test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// TestWithoutNamespaces: the container shares the runtime's namespaces that linux.namespaces does not list, as long as
// nothing in the configuration would change them for the host (runtime-spec config-linux.md, "Namespaces").
func TestWithoutNamespaces(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	bundle := shell(t, "exec sleep 1000", func(c map[string]any) {
		delete(c, "mounts")
		delete(c, "hostname")
		for _, property := range []string{"namespaces", "maskedPaths", "readonlyPaths"} {
			delete(linux(c), property)
		}
	})
	r.ok("create", "--bundle", bundle, id)
	pid := int(r.stateOf(id)["pid"].(float64))
	for _, kind := range []string{"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"} {
		theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
		must(t, err)
		// Of this thread, because the process's first thread may belong to a test that has left it in another
		// namespace.
		if ours, err := os.Readlink("/proc/thread-self/ns/" + kind); err != nil || ours != theirs {
			t.Errorf("%s: %s, and ours is %s (%v)", kind, theirs, ours, err)
		}
	}
	r.ok("delete", "--force", id)
}

// TestMountsOnTheHost: without a mount namespace the container's mounts are made on the host, below its root file
// system. They are removed with the container, and after a create that fails.
func TestMountsOnTheHost(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	volume := testenv.Dir(t)
	config := func(c map[string]any) {
		var kept []any
		for _, n := range linux(c)["namespaces"].([]any) {
			if n.(map[string]any)["type"] != "mount" {
				kept = append(kept, n)
			}
		}
		linux(c)["namespaces"] = kept
		linux(c)["maskedPaths"], linux(c)["readonlyPaths"] = []string{"/proc/timer_list"}, []string{"/proc/bus"}
		c["root"].(map[string]any)["readonly"] = true
		c["mounts"] = append(c["mounts"].([]any), map[string]any{
			"destination": "/volume", "source": volume, "options": []string{"rbind", "rw"},
		})
	}
	bundle := shell(t, "echo here >/volume/file; touch /no 2>&1; cat /proc/timer_list; ls -d /dev/null; exec sleep 1000",
		config)
	rootfs := bundleRootfs(t, bundle)
	before := hostMounts(t, rootfs)
	if len(before) > 0 {
		t.Fatal(before)
	}
	out, err := os.Create(filepath.Join(testenv.Dir(t), "out"))
	must(t, err)
	defer out.Close()
	cmd := r.command("run", "--detach", "-b", bundle, id)
	cmd.Stdout, cmd.Stderr = out, out
	must(t, cmd.Run())
	eventually(t, "the program has written", func() bool {
		_, err := os.Stat(filepath.Join(volume, "file"))
		data, _ := os.ReadFile(out.Name())
		return err == nil && strings.Contains(string(data), "/dev/null\n")
	})
	text, err := os.ReadFile(out.Name())
	must(t, err)
	contains(t, string(text), "no mount namespace", "touch: /no: Read-only file system")
	if during := hostMounts(t, rootfs); len(during) < 5 {
		t.Errorf("mounts of the container on the host: %q", during)
	}
	r.ok("delete", "--force", id)
	if left := hostMounts(t, rootfs); len(left) > 0 {
		t.Errorf("left on the host: %q", left)
	}

	bundle = shell(t, "true", func(c map[string]any) {
		config(c)
		c["process"].(map[string]any)["args"] = []string{"/no/such/program"}
	})
	if o := r.do("create", "-b", bundle, id); o.status != 1 || !strings.Contains(o.stderr, "/no/such/program") {
		t.Errorf("%+v", o)
	}
	if left := hostMounts(t, bundleRootfs(t, bundle)); len(left) > 0 {
		t.Errorf("left on the host after a failed create: %q", left)
	}
}

// bundleRootfs returns the root file system of a bundle.
func bundleRootfs(t *testing.T, bundle string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(bundle, "config.json"))
	must(t, err)
	var config struct{ Root struct{ Path string } }
	must(t, json.Unmarshal(data, &config))
	if filepath.IsAbs(config.Root.Path) {
		return config.Root.Path
	}
	return filepath.Join(bundle, config.Root.Path)
}

// hostMounts returns the mounts of the host on a directory and below it.
func hostMounts(t *testing.T, dir string) (found []string) {
	t.Helper()
	data, err := os.ReadFile("/proc/thread-self/mountinfo")
	must(t, err)
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); strings.HasPrefix(f[4]+"/", dir+"/") {
			found = append(found, f[4])
		}
	}
	return found
}
