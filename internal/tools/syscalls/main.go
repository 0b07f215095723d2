// Command syscalls writes internal/seccomp's tables of system calls from the kernel's own headers. Its arguments are
// Debian's packages of those headers, or directories that such packages were unpacked into; what the first does not
// have comes from the next. Run it from the module's root:
//
//	go run ./internal/tools/syscalls linux-libc-dev_7.2.13-1_all.deb linux-libc-dev_6.12.117-1_all.deb
//
// From Debian 13 on linux-libc-dev has the headers of all architectures (apt-get download linux-libc-dev). Linux 7 has
// dropped the 31-bit calls of s390, so these come from an older package.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// outNames and outNumbers are the files written, below the module's root.
const (
	outNames   = "internal/seccomp/names_gen.go"
	outNumbers = "internal/seccomp/numbers_gen.go"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: syscalls PACKAGE.deb|DIR...")
		os.Exit(2)
	}
	temp, err := os.MkdirTemp("", "syscalls-")
	if err != nil {
		fail(err)
	}
	err = generate(os.Args[1:], temp)
	os.RemoveAll(temp)
	if err != nil {
		fail(err)
	}
}

func generate(sources []string, temp string) error {
	var trees []tree
	for i, source := range sources {
		dir := source
		if strings.HasSuffix(source, ".deb") {
			dir = filepath.Join(temp, fmt.Sprint(i))
			if out, err := exec.Command("dpkg-deb", "-x", source, dir).CombinedOutput(); err != nil {
				return fmt.Errorf("dpkg-deb -x %s: %w: %s", source, err, out)
			}
		}
		t, err := open(dir)
		if err != nil {
			return fmt.Errorf("%s: %w", source, err)
		}
		trees = append(trees, t)
	}
	tables, err := read(trees)
	if err != nil {
		return err
	}
	names, numbers, err := render(tables)
	if err != nil {
		return err
	}
	if err := os.WriteFile(outNames, names, 0o644); err != nil {
		return err
	}
	return os.WriteFile(outNumbers, numbers, 0o644)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "syscalls:", err)
	os.Exit(1)
}
