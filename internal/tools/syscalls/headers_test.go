package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseHeaders(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	got, err := parse(write("good.h", "#ifndef X\n#define __NR_read 0\n#define __NR_open (__X32_SYSCALL_BIT + 2)\n"+
		"#define __NR_close (__NR_Linux + 3)\n#define __NR_exit (__NR_SYSCALL_BASE+ 4)\n#define __NR_syscalls 5\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"read": 0, "open": 2, "close": 3, "exit": 4}, got); diff != "" {
		t.Error(diff)
	}
	for text, want := range map[string]string{
		"#define __NR_read __NR3264_read\n": "cannot read",
		"#define __NR_read 1000\n":          "cannot use the number",
		"/* nothing */\n":                   "no system calls in it",
	} {
		if _, err := parse(write("bad.h", text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	if _, err := open(dir); err == nil || !strings.Contains(err.Error(), "no linux/version.h") {
		t.Error(err)
	}
}

// TestRender checks that the names are in order, that each has a number or -1, and that nothing is initialized when
// a program starts.
func TestRender(t *testing.T) {
	names, numbers, err := render([]table{
		{column{name: "X86"}, "7.0.1", map[string]int{"read": 3, "accept4": 364}},
		{column{name: "X86_64"}, "6.1.0", map[string]int{"read": 0, "pread64": 17}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`TablesVersion = "7.0.1"`, "The calls of X86_64 are from the headers of Linux 6.1.0.",
		"nameCount = 3",
		`"accept4pread64read"`, "0: 18, // accept4"} {
		if !strings.Contains(string(names), want) {
			t.Errorf("no %s in\n%s", want, names)
		}
	}
	for _, want := range []string{"columnX86: {\n\t\t364, -1, 3,", "columnX8664: {\n\t\t-1, 17, 0,"} {
		if !strings.Contains(string(numbers), want) {
			t.Errorf("no %s in\n%s", want, numbers)
		}
	}
}
