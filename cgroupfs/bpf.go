package cgroupfs

import (
	"os"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Rule puts device rules in force for a v2 group, as a BPF program that the kernel asks at every opening and making of a node (cgroup-v2.rst, "Device controller"). On v1 and hybrid hosts
// the rules are writes of the plan, and Rule does nothing. Without rules it does nothing either.
func (g *Group) Rule(rules []DeviceRule) error {
	if g.layout.Mode() != V2 || len(rules) == 0 {
		return nil
	}
	if len(g.members) == 0 {
		return g.why(&g.layout.Hierarchies[0])
	}
	prog, err := compile(rules)
	if err != nil {
		return err
	}
	fd, err := loadProgram(prog)
	if err != nil {
		return err
	}
	defer unix.Close(fd) // the group keeps the program
	d := g.members[0].dir
	group, err := d.openat(".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(group)
	return attach(group, fd, d.name)
}

// Constants of bpf(2), <linux/bpf.h>.
const (
	bpfCgroupDeviceProgram = 15 // BPF_PROG_TYPE_CGROUP_DEVICE
	bpfCgroupDevice        = 6  // BPF_CGROUP_DEVICE
	bpfAllowMulti          = 2  // BPF_F_ALLOW_MULTI: programs of the groups above go on being asked
)

// loadAttr is the part of union bpf_attr that BPF_PROG_LOAD reads.
type loadAttr struct {
	progType, count    uint32
	insns, license     uint64
	logLevel, logSize  uint32
	logBuf             uint64
	kernVersion, flags uint32
	name               [16]byte
	ifindex, expected  uint32
}

func loadProgram(prog []insn) (int, error) {
	license := []byte("Apache-2.0\x00")
	log := make([]byte, 4096)
	attr := loadAttr{
		progType: bpfCgroupDeviceProgram, count: uint32(len(prog)), insns: address(unsafe.Pointer(&prog[0])), license: address(unsafe.Pointer(&license[0])),
		expected: bpfCgroupDevice,
	}
	copy(attr.name[:], "handfast_dev")
	var pins runtime.Pinner
	defer pins.Unpin()
	pins.Pin(&prog[0])
	pins.Pin(&license[0])
	pins.Pin(&log[0])
	for try := 0; ; try++ {
		fd, errno := bpf(unix.BPF_PROG_LOAD, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
		switch {
		case errno == 0:
			return int(fd), nil
		case errno == unix.EAGAIN && try < 8, errno == unix.EINTR: // the verifier was interrupted by a signal
			continue
		case attr.logLevel == 0:
			// Once more, for the verifier's words.
			attr.logLevel, attr.logSize, attr.logBuf = 1, uint32(len(log)), address(unsafe.Pointer(&log[0]))
			continue
		}
		text, _, _ := strings.Cut(string(log), "\x00")
		return -1, &os.SyscallError{Syscall: strings.TrimSpace("bpf BPF_PROG_LOAD of the device rules " + strings.Join(strings.Fields(text), " ")), Err: errno}
	}
}

// attachAttr is the part of union bpf_attr that BPF_PROG_ATTACH reads.
type attachAttr struct {
	target, program, kind, flags, replace uint32
}

func attach(group, program int, name string) error {
	attr := attachAttr{target: uint32(group), program: uint32(program), kind: bpfCgroupDevice, flags: bpfAllowMulti}
	if _, errno := bpf(unix.BPF_PROG_ATTACH, unsafe.Pointer(&attr), unsafe.Sizeof(attr)); errno != 0 {
		return &os.PathError{Op: "bpf BPF_PROG_ATTACH", Path: name, Err: errno}
	}
	return nil
}

func bpf(cmd uintptr, attr unsafe.Pointer, size uintptr) (uintptr, unix.Errno) {
	r, _, errno := unix.Syscall(unix.SYS_BPF, cmd, uintptr(attr), size)
	return r, errno
}

func address(p unsafe.Pointer) uint64 { return uint64(uintptr(p)) }
