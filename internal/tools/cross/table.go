package main

import (
	"debug/elf"
	"fmt"
	"slices"
	"strings"
)

// machine is an architecture and its emulator of Debian's qemu-user-static.
type machine struct {
	arch     string // GOARCH
	emulator string // empty: only a kernel that runs the programs can
	class    elf.Class
	data     elf.Data
	number   elf.Machine
}

// machines are the architectures that differ most from amd64: in the order of bytes, in the system calls and the
// memory model, and in the size of a word. Go's runtime crashes under qemu-i386-static 7.2, even in a program that does
// nothing.
func machines() []machine {
	return []machine{
		{"s390x", "qemu-s390x-static", elf.ELFCLASS64, elf.ELFDATA2MSB, elf.EM_S390},
		{"arm64", "qemu-aarch64-static", elf.ELFCLASS64, elf.ELFDATA2LSB, elf.EM_AARCH64},
		{"386", "", elf.ELFCLASS32, elf.ELFDATA2LSB, elf.EM_386},
	}
}

// registration returns the line with which binfmt_misc learns that the machine's programs run under the emulator at
// path. F opens the emulator now, so that it is found in any root file system; P keeps the program's first argument.
func (m *machine) registration(path string) string {
	header := []byte{0x7f, 'E', 'L', 'F', byte(m.class), byte(m.data), byte(elf.EV_CURRENT)}
	header = append(header, make([]byte, 9)...)
	high, low := byte(m.number>>8), byte(m.number)
	// A program, or one that may be loaded anywhere: ET_EXEC is 2 and ET_DYN 3, so the lowest bit does not count.
	kind, mask := []byte{0, byte(elf.ET_EXEC), high, low}, []byte{0xff, 0xfe, 0xff, 0xff}
	if m.data == elf.ELFDATA2LSB {
		kind, mask = []byte{byte(elf.ET_EXEC), 0, low, high}, []byte{0xfe, 0xff, 0xff, 0xff}
	}
	// The byte after the version names the system: System V or Linux, which is 3.
	counts := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfc}, slices.Repeat([]byte{0xff}, 8)...)
	hex := func(data []byte) string {
		var b strings.Builder
		for _, c := range data {
			fmt.Fprintf(&b, `\x%02x`, c)
		}
		return b.String()
	}
	return fmt.Sprintf(":handfast-%s:M::%s:%s:%s:FP", m.arch, hex(append(header, kind...)),
		hex(append(counts, mask...)), path)
}

// suite is the tests of one package.
type suite struct {
	pkg string // relative to the module's root
	// executes says that its tests execute their own program again, which needs an emulator for whatever is executed.
	executes bool
}

// suites are the packages whose tests say something about another architecture: what is decided, encoded, decoded and
// compiled, and the conversation over real sockets between real processes. What makes containers is not here: in the
// emulator, clone(2) with new namespaces fails with EINVAL.
func suites() []suite {
	return []suite{
		{pkg: "syncproto"}, {pkg: "syncproto/codec"}, {pkg: "syncproto/remote"}, {pkg: "syncproto/session"},
		{pkg: "syncproto/transcript"}, {pkg: "syncproto/transport", executes: true},
		{pkg: "syncproto/vectors"}, {pkg: "syncproto/example/hello", executes: true},
		{pkg: "syncproto/example/opener", executes: true}, {pkg: "syncproto/example/upgrade", executes: true},
		{pkg: "internal/conformance", executes: true}, {pkg: "internal/jsonread"}, {pkg: "internal/oci"},
		{pkg: "internal/oci/state", executes: true}, {pkg: "internal/seccomp"}, {pkg: "internal/filtercache"},
		{pkg: "internal/rtnl"}, {pkg: "internal/rdt"}, {pkg: "internal/match"}, {pkg: "internal/bound"},
		{pkg: "internal/trace"}, {pkg: "cgroupfs"}, {pkg: "cgroupfs/systemd"}, {pkg: "nsinit"},
	}
}

// unfit is a test that cannot run here.
type unfit struct {
	pkg, test string
	native    bool // nor where the kernel runs the architecture's programs itself
	reason    string
}

const (
	noNamespaces = "in the emulator, clone(2) with new namespaces fails with EINVAL"
	inC          = "it loads the filter in a program in C, which is one of this machine's architecture"
	noFilters    = "the emulator loads no seccomp filters: seccomp(2) fails with EINVAL"
	noOpenat2    = "the emulator, of qemu 7.2, has no openat2(2)"
	noPidfd      = "in the emulator, clone(2) with CLONE_PIDFD fails with EINVAL"
	itsCalls     = "it looks at the system calls of the process, and would see the emulator's"
)

// unfits are the tests that are left out, with the reason of each. They run on this machine's own architecture, and in
// the virtual machine.
func unfits() []unfit {
	return []unfit{
		{"syncproto/transport", "TestAConversationWakesNoThread", false, itsCalls},
		{"syncproto/transport", "TestATailUnderAFilter", false, noFilters},
		{"syncproto/transport", "TestUnrequestedControlMessages", false, "the emulator has no SO_TIMESTAMPNS"},
		{"internal/seccomp", "TestClientsInKernel", true, inC},
		{"internal/seccomp", "TestRandomInKernel", true, inC},
		{"cgroupfs", "TestBudgets", false, noOpenat2},
		{"cgroupfs", "TestCheckMemory", false, noOpenat2},
		{"cgroupfs", "TestElse", false, noOpenat2},
		{"cgroupfs", "TestUpdateUndoesOnV2", false, noOpenat2},
		{"nsinit", "Example", false, noNamespaces},
		{"nsinit", "TestHookRuns", false, noPidfd},
		{"nsinit", "TestProcMustBeProcfsOnADirectory", false, noOpenat2},
	}
}

// unfitIn returns those of a package, without or with an emulator.
func unfitIn(pkg string, native bool) []unfit {
	return slices.DeleteFunc(unfits(), func(u unfit) bool { return u.pkg != pkg || native && !u.native })
}

// skip returns the pattern of go test's option -skip for tests that cannot run.
func skip(tests []unfit) string {
	names := make([]string, len(tests))
	for i, u := range tests {
		names[i] = u.test
	}
	return "^(" + strings.Join(names, "|") + ")$"
}
