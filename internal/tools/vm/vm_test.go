package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/handfast/handfast/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{}) }

// Every boot has a unique name, and names packages that exist and have tests.
func TestBoots(t *testing.T) {
	seen := map[string]bool{}
	for _, b := range boots() {
		if seen[b.name] || b.limit <= 0 || len(b.suites) == 0 || b.arch == nil {
			t.Errorf("boot %q: %+v", b.name, b)
		}
		seen[b.name] = true
		for _, s := range b.suites {
			if tests, err := filepath.Glob(filepath.Join("../../..", s.pkg, "*_test.go")); err != nil || len(tests) == 0 {
				t.Errorf("boot %s: package %s has no tests", b.name, s.pkg)
			}
		}
		for _, j := range b.jobs("TestX") {
			if !slices.Contains(j.Args, "-test.run=TestX") {
				t.Errorf("boot %s: the choice of tests is lost: %q", b.name, j.Args)
			}
		}
	}
	always, err := choose("")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"386", "arm64"} {
		if one, err := choose(name); err != nil || len(one) != 1 {
			t.Errorf("%s: %+v, %v", name, one, err)
		}
		if slices.ContainsFunc(always, func(b boot) bool { return b.name == name }) {
			t.Errorf("%s is among those that always run", name)
		}
	}
	if some, err := choose("v1,v2"); err != nil || len(some) != 2 || some[0].name != "v1" {
		t.Errorf("v1,v2: %v %v", some, err)
	}
	if _, err := choose("v3"); err == nil || !strings.Contains(err.Error(), `-boot: there is no "v3"`) {
		t.Errorf("v3: %v", err)
	}
}

func TestQEMUArguments(t *testing.T) {
	all := boots()
	g := guest{machine{"kernel", "initramfs", "system", "service"}, "payload"}
	args := qemuArgs(g, "log", &all[0], false)
	text := strings.Join(args, " ")
	for _, want := range []string{"-kernel kernel", "-initrd initramfs", "handfast.boot=v2", "handfast.cgroups=v2",
		"snapshot=on,file=system", "-serial file:log"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
	// The initramfs identifies the disks by their order.
	if s, p, r := strings.Index(text, "file=system"), strings.Index(text, "file=payload"),
		strings.Index(text, "file=service"); s > p || p > r {
		t.Errorf("the disks are out of order: %s", text)
	}
	if strings.Contains(text, "handfast.shell") || !slices.Contains(qemuArgs(guest{}, "", &all[0], true),
		"chardev:jobs") {
		t.Error("the shell is there without being asked for, or not there")
	}
}

// The guest says on which line it speaks, and a guest of another architecture has no third disk.
func TestQEMUArgumentsOfAnotherArchitecture(t *testing.T) {
	one, err := choose("arm64")
	if err != nil {
		t.Fatal(err)
	}
	g := guest{machine{"kernel", "initramfs", "system", ""}, "payload"}
	text := strings.Join(qemuArgs(g, "log", &one[0], false), " ")
	for _, want := range []string{"-machine virt", "console=ttyAMA0", "handfast.console=/dev/ttyS0",
		"pci-serial,chardev=jobs"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
	if n := strings.Count(text, "-drive"); n != 2 {
		t.Errorf("%d disks in %s", n, text)
	}
}

// Busybox can list and unpack the archive that the kernel is to unpack.
func TestCpio(t *testing.T) {
	busybox := testenv.Tool(t, "busybox", "busybox-static")
	archive := cpio([]entry{{"dir", directory, nil}, {"dir/one", executable, []byte("text\n")},
		{"dir/three", regular, []byte("abc")}})
	dir := t.TempDir()
	cmd := exec.Command(busybox, "cpio", "-i", "-d")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(string(archive))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(dir, "dir/one"))
	st, err2 := os.Stat(filepath.Join(dir, "dir/one"))
	if err := errors.Join(err, err2); err != nil || string(data) != "text\n" || st.Mode().Perm() != 0o755 {
		t.Errorf("%q %v %v", data, st, err)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "dir/three")); err != nil || string(data) != "abc" {
		t.Errorf("%q %v", data, err)
	}
}

// A machine that does not end is killed, and so is one whose run is interrupted. testenv.Main notices what is left.
func TestMachineThatHangs(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "qemu-test"), []byte("#!/bin/sh\necho said\nexec sleep 1000\n"),
		0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	heard := make(chan string, 1)
	out := &lineWriter{line: func(line string) { heard <- line }}
	if err := emulate(context.Background(), "qemu-test", nil, 500*time.Millisecond, out); !errors.Is(err, errHung) {
		t.Errorf("a hang: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	out.line = func(string) { cancel() }
	if err := emulate(ctx, "qemu-test", nil, time.Hour, out); !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted run: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "qemu-test"), []byte("#!/bin/sh\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := emulate(context.Background(), "qemu-test", nil, time.Hour, out); err == nil ||
		!strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("an emulator that fails: %v", err)
	}
}

func TestTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("one\r\ntwo\r\nthree\r\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := tail(path, 2); got != "two\nthree" {
		t.Errorf("%q", got)
	}
	if got := tail(path, 9); got != "one\ntwo\nthree" {
		t.Errorf("%q", got)
	}
}
