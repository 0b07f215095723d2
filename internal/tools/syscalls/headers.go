package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// A column is one table of system calls, and says where a tree of headers has it.
type column struct {
	name  string   // the constant's name in internal/seccomp
	files []string // below the tree; only one is read, as a tree has headers of all architectures or of one
	extra map[string]int
}

// privateBase is the number from which internal/seccomp's table of arm has the calls that lie from 0xf0000 on.
const privateBase = 1000

// columns lists the tables in the order of internal/seccomp. The extra calls are no longer in any header, or in
// none of these headers, but profiles name them and libseccomp knows them.
func columns() []column {
	return []column{
		{name: "X86", files: uapi("x86", "unistd_32.h")},
		{name: "X86_64", files: uapi("x86", "unistd_64.h")},
		{name: "X32", files: uapi("x86", "unistd_x32.h")},
		{name: "ARM", files: uapi("arm", "unistd-eabi.h"), extra: map[string]int{
			"breakpoint": privateBase + 1, "cacheflush": privateBase + 2, "usr26": privateBase + 3,
			"usr32": privateBase + 4, "set_tls": privateBase + 5, "get_tls": privateBase + 6}},
		{name: "AARCH64", files: uapi("arm64", "unistd_64.h")},
		{name: "MIPS", files: uapi("mips", "unistd_o32.h")},
		{name: "MIPS64", files: uapi("mips", "unistd_n64.h")},
		{name: "MIPS64N32", files: uapi("mips", "unistd_n32.h")},
		{name: "PARISC", files: uapi("parisc", "unistd_32.h")},
		{name: "PARISC64", files: uapi("parisc", "unistd_64.h")},
		{name: "PPC", files: uapi("powerpc", "unistd_32.h")},
		{name: "PPC64", files: uapi("powerpc", "unistd_64.h")},
		{name: "RISCV64", files: uapi("riscv", "unistd_64.h")},
		{name: "S390", files: append(uapi("s390", "unistd_32.h"), "usr/s390x-linux-gnu/include/asm/unistd_32.h")},
		{name: "S390X", files: uapi("s390", "unistd_64.h")},
		{name: "LOONGARCH64", files: uapi("loongarch", "unistd_64.h")},
		{name: "M68K", files: uapi("m68k", "unistd_32.h")},
		{name: "SH", files: uapi("sh", "unistd_32.h")},
	}
}

func uapi(arch, file string) []string {
	return []string{"usr/lib/linux/uapi/" + arch + "/asm/" + file}
}

// tree is a directory with headers, and the version of the kernel that they come from.
type tree struct{ dir, version string }

func open(dir string) (tree, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "usr/*/linux/version.h"))
	if err != nil {
		return tree{}, err
	}
	more, err := filepath.Glob(filepath.Join(dir, "usr/*/include/linux/version.h"))
	if err != nil {
		return tree{}, err
	}
	if paths = append(paths, more...); len(paths) == 0 {
		return tree{}, errors.New("no linux/version.h: want an unpacked linux-libc-dev")
	}
	text, err := os.ReadFile(paths[0])
	if err != nil {
		return tree{}, err
	}
	var part [3]string
	for i, name := range []string{"MAJOR", "PATCHLEVEL", "SUBLEVEL"} {
		m := regexp.MustCompile(`LINUX_VERSION_` + name + `\s+(\d+)`).FindSubmatch(text)
		if m == nil {
			return tree{}, fmt.Errorf("%s: no LINUX_VERSION_%s", paths[0], name)
		}
		part[i] = string(m[1])
	}
	return tree{dir, strings.Join(part[:], ".")}, nil
}

// table is a column that has been read.
type table struct {
	column
	version string
	numbers map[string]int
}

func read(trees []tree) ([]table, error) {
	var tables []table
	for _, c := range columns() {
		t, err := c.find(trees)
		if err != nil {
			return nil, err
		}
		for name, number := range c.extra {
			if _, ok := t.numbers[name]; ok {
				return nil, fmt.Errorf("%s: %s is in the headers by now: take it out of the extras", c.name, name)
			}
			t.numbers[name] = number
		}
		tables = append(tables, t)
	}
	return tables, nil
}

func (c column) find(trees []tree) (table, error) {
	for _, t := range trees {
		for _, file := range c.files {
			numbers, err := parse(filepath.Join(t.dir, file))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			return table{c, t.version, numbers}, err
		}
	}
	return table{}, fmt.Errorf("none of the packages has %s (%s)", c.files[0], c.name)
}

// define matches the two forms of a definition: a number, and a number above a base.
var define = regexp.MustCompile(`^#define __NR_(\w+)\s+` +
	`(?:(\d+)|\(__(?:NR_Linux|NR_SYSCALL_BASE|X32_SYSCALL_BIT) ?\+ ?(\d+)\))\s*$`)

func parse(path string) (map[string]int, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	numbers := make(map[string]int)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		m := define.FindStringSubmatch(lines.Text())
		if m == nil {
			if strings.HasPrefix(lines.Text(), "#define __NR_") {
				return nil, fmt.Errorf("%s: cannot read %q", path, lines.Text())
			}
			continue
		}
		number, err := strconv.Atoi(m[2] + m[3])
		if err != nil || number >= privateBase {
			return nil, fmt.Errorf("%s: cannot use the number of %q", path, lines.Text())
		}
		if m[1] != "syscalls" {
			numbers[m[1]] = number
		}
	}
	if len(numbers) == 0 && lines.Err() == nil {
		return nil, fmt.Errorf("%s: no system calls in it", path)
	}
	return numbers, lines.Err()
}
