package seccomp

import (
	"runtime"
	"slices"
	"strings"
)

// Arch is an architecture in the sense of seccomp: one way to enter the kernel. The zero value is no architecture.
type Arch uint8

// The architectures that runtime-spec names.
const (
	X86 Arch = iota + 1
	X86_64
	X32
	ARM
	AARCH64
	MIPS
	MIPS64
	MIPS64N32
	MIPSEL
	MIPSEL64
	MIPSEL64N32
	PPC
	PPC64
	PPC64LE
	S390
	S390X
	PARISC
	PARISC64
	RISCV64
	LOONGARCH64
	M68K
	SH
	SHEB
	archEnd
)

// x32Bit distinguishes a call of x32 from one of x86_64: __X32_SYSCALL_BIT. Both have the same audit number.
const x32Bit = 0x40000000

// The numbers of arm's private calls (__ARM_NR_BASE), in the kernel and in the table.
const (
	armPrivate      = 0xf0000
	armPrivateTable = 1000
)

// archInfo describes an architecture to the compiler.
type archInfo struct {
	name   string // without SCMP_ARCH_
	audit  uint32 // AUDIT_ARCH_ of linux/audit.h, as in seccomp_data.arch
	column uint8  // of numbers
	wide   bool   // arguments are compared with 64 bits; libseccomp treats n32 and x32 as narrow
	big    bool   // big-endian
	base   uint32 // added to its numbers
	// socketcall and ipc are the table numbers of the calls that multiplex others; 0 if there are none, or if
	// libseccomp does not handle them.
	socketcall, ipc int16
}

// The parts of AUDIT_ARCH_ constants: ELF machine numbers of linux/elf-em.h and the two flags of linux/audit.h.
const (
	audit64 = 0x80000000
	auditLE = 0x40000000
	auditN3 = 0x20000000
)

// archs is indexed by Arch.
var archs = [archEnd]archInfo{
	X86:         {name: "X86", audit: 3 | auditLE, column: columnX86, socketcall: 102, ipc: 117},
	X86_64:      {name: "X86_64", audit: 62 | audit64 | auditLE, column: columnX8664, wide: true},
	X32:         {name: "X32", audit: 62 | audit64 | auditLE, column: columnX32, base: x32Bit},
	ARM:         {name: "ARM", audit: 40 | auditLE, column: columnARM},
	AARCH64:     {name: "AARCH64", audit: 183 | audit64 | auditLE, column: columnAARCH64, wide: true},
	MIPS:        {name: "MIPS", audit: 8, column: columnMIPS, big: true, base: 4000, socketcall: 102, ipc: 117},
	MIPS64:      {name: "MIPS64", audit: 8 | audit64, column: columnMIPS64, wide: true, big: true, base: 5000},
	MIPS64N32:   {name: "MIPS64N32", audit: 8 | audit64 | auditN3, column: columnMIPS64N32, big: true, base: 6000},
	MIPSEL:      {name: "MIPSEL", audit: 8 | auditLE, column: columnMIPS, base: 4000, socketcall: 102, ipc: 117},
	MIPSEL64:    {name: "MIPSEL64", audit: 8 | audit64 | auditLE, column: columnMIPS64, wide: true, base: 5000},
	MIPSEL64N32: {name: "MIPSEL64N32", audit: 8 | audit64 | auditN3 | auditLE, column: columnMIPS64N32, base: 6000},
	PPC:         {name: "PPC", audit: 20, column: columnPPC, big: true, socketcall: 102, ipc: 117},
	PPC64: {name: "PPC64", audit: 21 | audit64, column: columnPPC64, wide: true, big: true, socketcall: 102,
		ipc: 117},
	PPC64LE: {name: "PPC64LE", audit: 21 | audit64 | auditLE, column: columnPPC64, wide: true, socketcall: 102,
		ipc: 117},
	S390: {name: "S390", audit: 22, column: columnS390, big: true, socketcall: 102, ipc: 117},
	S390X: {name: "S390X", audit: 22 | audit64, column: columnS390X, wide: true, big: true, socketcall: 102,
		ipc: 117},
	PARISC:      {name: "PARISC", audit: 15, column: columnPARISC, big: true},
	PARISC64:    {name: "PARISC64", audit: 15 | audit64, column: columnPARISC64, wide: true, big: true},
	RISCV64:     {name: "RISCV64", audit: 243 | audit64 | auditLE, column: columnRISCV64, wide: true},
	LOONGARCH64: {name: "LOONGARCH64", audit: 258 | audit64 | auditLE, column: columnLOONGARCH64, wide: true},
	M68K:        {name: "M68K", audit: 4, column: columnM68K, big: true},
	SH:          {name: "SH", audit: 42 | auditLE, column: columnSH},
	SHEB:        {name: "SHEB", audit: 42, column: columnSH, big: true},
}

const archPrefix = "SCMP_ARCH_"

// ArchNames returns the names of the architectures that a profile may use, as in runtime-spec.
func ArchNames() []string {
	var names []string
	for a := X86; a < archEnd; a++ {
		names = append(names, a.String())
	}
	slices.Sort(names)
	return names
}

// ParseArch returns the architecture with the name that profiles use, such as SCMP_ARCH_X86_64.
func ParseArch(name string) (Arch, bool) {
	short, ok := strings.CutPrefix(name, archPrefix)
	if !ok {
		return 0, false
	}
	for a := X86; a < archEnd; a++ {
		if archs[a].name == short {
			return a, true
		}
	}
	return 0, false
}

// String returns the name that profiles use.
func (a Arch) String() string {
	if !a.valid() {
		return archPrefix + "UNKNOWN"
	}
	return archPrefix + archs[a].name
}

// AuditArch returns the kernel's number of the architecture: AUDIT_ARCH_ of linux/audit.h. X86_64 and X32 share one.
func (a Arch) AuditArch() uint32 { return archs[a].audit }

func (a Arch) valid() bool { return a > 0 && a < archEnd }

// HostArch returns the architecture that this program was built for, or 0 if seccomp profiles have no name for it.
func HostArch() Arch {
	switch runtime.GOARCH {
	case "386":
		return X86
	case "amd64":
		return X86_64
	case "arm":
		return ARM
	case "arm64":
		return AARCH64
	case "loong64":
		return LOONGARCH64
	case "mips":
		return MIPS
	case "mipsle":
		return MIPSEL
	case "mips64":
		return MIPS64
	case "mips64le":
		return MIPSEL64
	case "ppc64":
		return PPC64
	case "ppc64le":
		return PPC64LE
	case "riscv64":
		return RISCV64
	case "s390x":
		return S390X
	}
	return 0
}

// enosys returns ENOSYS as in the architecture's C library: mips and parisc have their own error numbers.
func (a Arch) enosys() Action {
	switch a {
	case MIPS, MIPS64, MIPS64N32, MIPSEL, MIPSEL64, MIPSEL64N32:
		return Errno | 89
	case PARISC, PARISC64:
		return Errno | 251
	}
	return Errno | enosysGeneric
}
