package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handfast/handfast/internal/golden"
	"github.com/handfast/handfast/internal/testenv"
)

// program marks a whole program in the README, with its path in the module.
var program = regexp.MustCompile("(?s)<!-- program:([a-z/]+\\.go) -->\n```go\n.*?```\n<!-- end -->")

// TestReadmePrograms: the programs that the README shows are those that are compiled and run.
func TestReadmePrograms(t *testing.T) {
	const readme = "../README.md"
	have, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	want := program.ReplaceAllStringFunc(string(have), func(old string) string {
		count++
		path := program.FindStringSubmatch(old)[1]
		source, err := os.ReadFile(filepath.Join("..", path))
		if err != nil {
			t.Error(err)
			return old
		}
		return "<!-- program:" + path + " -->\n```go\n" + string(source) + "```\n<!-- end -->"
	})
	if count != 2 {
		t.Errorf("the README holds %d programs, want 2", count)
	}
	if golden.Updating() && !t.Failed() {
		if err := os.WriteFile(readme, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(have), want); diff != "" {
		t.Errorf("README.md shows a program that has changed, -update writes it anew:\n%s", diff)
	}
}

// TestReadmeProgramsRun: and they print what the README says.
func TestReadmeProgramsRun(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for dir, root := range map[string]bool{"syncproto/example/hello": false, "docs/example/container": true} {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			if root {
				testenv.Root(t)
			}
			out, err := exec.Command(testenv.GoPayload(t, dir)).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			said := "    $ go run ./" + dir + "\n"
			for line := range strings.Lines(string(out)) {
				said += "    " + line
			}
			if !strings.Contains(string(readme), said) {
				t.Errorf("the README does not have:\n%s", said)
			}
		})
	}
}

// varying is what differs from run to run in a drawing: times, and sizes, which depend on the length of paths.
var varying = regexp.MustCompile(`\d+\.\d{3} ms|\d+ B\b`)

// TestPicture: the picture in the README is drawn by the trace of a real container.
func TestPicture(t *testing.T) {
	testenv.Root(t)
	const picture = "handshake.svg"
	rootfs := testenv.Rootfs(t, testenv.Tool(t, "busybox", "busybox-static"))
	bundle := testenv.Bundle(t, rootfs, func(c map[string]any) { testenv.SetArgs(c, "/bin/busybox", "true") })
	id := testenv.ID(t)
	trace, state := filepath.Join(testenv.Dir(t), "trace"), filepath.Join(testenv.Dir(t), "state")
	var drawn []byte
	for _, args := range [][]string{
		{"--root", state, "run", "--trace", trace, "--bundle", bundle, id},
		{"trace", "--format", "svg", trace},
	} {
		out, err := exec.Command(testenv.Binary(t), args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
		drawn = []byte(strings.ReplaceAll(string(out), id, "web"))
	}
	if golden.Updating() {
		if err := os.WriteFile(picture, drawn, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(picture)
	if err != nil {
		t.Fatal(err)
	}
	fixed := func(b []byte) string { return varying.ReplaceAllString(string(b), "#") }
	if diff := cmp.Diff(fixed(want), fixed(drawn)); diff != "" {
		t.Errorf("%s is not what a container's trace draws (-want +got), -update rewrites it:\n%s", picture, diff)
	}
}
