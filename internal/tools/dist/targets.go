package main

import "github.com/handfast/handfast/internal/tools/flags"

// target is one architecture of a release.
type target struct {
	arch     string // GOARCH
	debian   string // the architecture's name in Debian; empty: no package is made
	emulator string // of its user space, in Debian's qemu-user-static; empty: only a kernel that runs the program can
}

// targets are the architectures of a release, with Go's default for each: i386 needs SSE2, armhf ARMv7.
func targets() []target {
	return []target{
		{"amd64", "amd64", "qemu-x86_64-static"},
		{"arm64", "arm64", "qemu-aarch64-static"},
		{"386", "i386", ""}, // Go's runtime crashes under qemu-i386-static 7.2.
		{"arm", "armhf", "qemu-arm-static"},
		{"ppc64le", "ppc64el", "qemu-ppc64le-static"},
		{"riscv64", "riscv64", "qemu-riscv64-static"},
		{"s390x", "s390x", "qemu-s390x-static"},
		{"loong64", "", "qemu-loongarch64-static"}, // No release of Debian has it yet, and lintian does not know it.
	}
}

// choose returns the targets with these names, which have commas between them, or all.
func choose(names string) ([]target, error) {
	return flags.Choose("-arch", names, targets(), func(t target) string { return t.arch })
}
