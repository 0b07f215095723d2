package security

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// TestSourceThroughTheCoveredRoot: a root file system in a directory that its own root may not search is mounted on "/"
// until it becomes the root. A source whose path leads up to "/" through a link would continue in the image, which
// could redirect it to any place of the host that the container's root can read.
func TestSourceThroughTheCoveredRoot(t *testing.T) {
	testenv.Root(t)
	dir, rootfs := testenv.Dir(t), testenv.Busybox(t)
	for name, text := range map[string]string{"real": "asked for\n", "secret": "CANARY\n"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "file"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(strings.Repeat("../", 20), filepath.Join(dir, "up")); err != nil {
		t.Fatal(err)
	}
	inImage := filepath.Join(rootfs, dir)
	if err := os.MkdirAll(inImage, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "secret"), filepath.Join(inImage, "real")); err != nil {
		t.Fatal(err)
	}
	closed := filepath.Join(testenv.Dir(t), "closed")
	if err := os.MkdirAll(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(rootfs, filepath.Join(closed, "rootfs")); err != nil {
		t.Fatal(err)
	}
	bundle := testenv.Bundle(t, filepath.Join(closed, "rootfs"), func(c map[string]any) {
		testenv.MapIDs(c, 300000, 65536)
		testenv.SetArgs(c, "cat", "/home/file")
		c["mounts"] = append(c["mounts"].([]any), map[string]any{
			"destination": "/home", "type": "bind", "source": dir + "/up" + dir + "/real", "options": []any{"bind"},
		})
	})
	out, status := handfast(t, testenv.Dir(t), "run", "--bundle", bundle, testenv.ID(t))
	if status != 0 || out != "asked for\n" {
		t.Errorf("status %d: %s", status, out)
	}
}
