package seccomp

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"testing"
)

func TestNames(t *testing.T) {
	for i := range nameCount {
		if i > 0 && nameAt(i-1) >= nameAt(i) {
			t.Fatalf("%s before %s", nameAt(i-1), nameAt(i))
		}
		if findName(nameAt(i)) != i {
			t.Errorf("%s: found at %d, not %d", nameAt(i), findName(nameAt(i)), i)
		}
		for a := X86; a < archEnd; a++ {
			if number, ok := a.Number(nameAt(i)); ok && a.Name(number) == "" {
				t.Errorf("%s: %d (%s) has no name", a, number, nameAt(i))
			}
		}
	}
	for _, name := range []string{"", "!", "zzz", "reads", "READ"} {
		if findName(name) >= 0 {
			t.Errorf("%q is found", name)
		}
	}
	for _, c := range []struct {
		arch   Arch
		name   string
		number uint32
	}{
		{X86_64, "execve", 59}, {X32, "execve", x32Bit + 520}, {X86, "execve", 11}, {ARM, "set_tls", 0xf0005},
		{AARCH64, "execve", 221}, {MIPS, "execve", 4011}, {MIPSEL64, "execve", 5057}, {MIPS64N32, "execve", 6057},
		{LOONGARCH64, "execve", 221}, {M68K, "execve", 11}, {SH, "execve", 11}, {S390X, "execve", 11},
	} {
		if got, ok := c.arch.Number(c.name); !ok || got != c.number {
			t.Errorf("%s %s: %d %v, want %d", c.arch, c.name, got, ok, c.number)
		}
	}
}

// TestTablesAreNotOld compares the tables with the kernel's headers on this machine.
func TestTablesAreNotOld(t *testing.T) {
	headers := map[Arch]string{}
	switch runtime.GOARCH {
	case "amd64":
		for arch, name := range map[Arch]string{X86: "32", X86_64: "64", X32: "x32"} {
			headers[arch] = "/usr/include/x86_64-linux-gnu/asm/unistd_" + name + ".h"
		}
	default:
		t.Skip("the test does not know where this architecture's headers are")
	}
	define := regexp.MustCompile(`^#define __NR_(\w+)\s+\(?(?:__X32_SYSCALL_BIT \+ )?(\d+)\)?$`)
	for arch, path := range headers {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%v: the test needs Debian's linux-libc-dev", err)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		read := 0
		for lines := bufio.NewScanner(f); lines.Scan(); {
			m := define.FindStringSubmatch(lines.Text())
			if m == nil {
				continue
			}
			read++
			want, _ := strconv.ParseUint(m[2], 10, 32)
			if arch == X32 {
				want |= x32Bit
			}
			if got, ok := arch.Number(m[1]); !ok || uint64(got) != want {
				t.Errorf("%s %s: got %d %v, %s has %d: the tables, of Linux %s, are old: run internal/tools/syscalls",
					arch, m[1], got, ok, path, want, TablesVersion)
			}
		}
		if read < 300 {
			t.Errorf("%s: %d calls read", path, read)
		}
	}
}
