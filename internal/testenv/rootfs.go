package testenv

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Rootfs creates a root filesystem for this test: the usual directories, /etc/passwd and /etc/group with root and
// nobody, and the given programs at /bin/<their base name>. The directory is removed with the test.
func Rootfs(t testing.TB, programs ...string) string {
	t.Helper()
	dir := filepath.Join(Dir(t), "rootfs")
	for _, d := range []string{"bin", "sbin", "etc", "dev", "proc", "sys", "run", "root", "home", "tmp", "usr/bin",
		"usr/sbin", "var/tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{"tmp", "var/tmp"} {
		// MkdirAll applies the umask, and does not set the sticky bit.
		if err := os.Chmod(filepath.Join(dir, d), 0o777|os.ModeSticky); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
	write(t, filepath.Join(dir, "etc/group"), "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n")
	for _, p := range programs {
		copyProgram(t, p, filepath.Join(dir, "bin", filepath.Base(p)))
	}
	return dir
}

// Busybox creates a root filesystem for this test from Debian's static busybox: Rootfs with a link for every applet.
func Busybox(t testing.TB) string {
	t.Helper()
	program := Tool(t, "busybox", "busybox-static")
	if !static(program) {
		t.Fatalf("%s needs shared libraries and would not start in a tree of its own: apt-get install busybox-static",
			program)
	}
	list, err := exec.Command(program, "--list-full").Output()
	if err != nil {
		t.Fatalf("%s --list-full: %v", program, err)
	}
	dir := Rootfs(t, program)
	for applet := range strings.FieldsSeq(string(list)) {
		path := filepath.Join(dir, applet)
		if filepath.Base(applet) == "busybox" {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("/bin/busybox", path); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
	return dir
}

// static reports whether the ELF file names no dynamic linker.
func static(program string) bool {
	file, err := elf.Open(program)
	if err != nil {
		return false
	}
	defer file.Close()
	return !slices.ContainsFunc(file.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
}

// Dir returns a new directory that a container of any user can search, and that is removed with the test.
func Dir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	// The umask applies to the parent of t.TempDir too.
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// copyProgram copies an executable. It is not a link, because a container may write to its root filesystem.
func copyProgram(t testing.TB, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o755)
	}
	if err == nil {
		err = os.Chmod(to, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}
