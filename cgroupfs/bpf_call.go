package cgroupfs

import (
	"bytes"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Constants of bpf(2), <linux/bpf.h>.
const (
	bpfCgroupDeviceProgram = 15 // BPF_PROG_TYPE_CGROUP_DEVICE
	bpfCgroupDevice        = 6  // BPF_CGROUP_DEVICE
	bpfAllowMulti          = 2  // BPF_F_ALLOW_MULTI: programs of the groups above stay in force
	bpfReplace             = 4  // BPF_F_REPLACE
	bpfMaxPrograms         = 64 // BPF_CGROUP_MAX_PROGS, include/linux/bpf-cgroup-defs.h
)

// programName is the name of the programs that this package loads, by which it recognizes them.
const programName = "handfast_dev"

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

// attachAttr is the part that BPF_PROG_ATTACH and BPF_PROG_DETACH read.
type attachAttr struct {
	target, program, kind, flags, replace uint32
}

// queryAttr is the part that BPF_PROG_QUERY reads and writes. It includes revision, which Linux 6.17 to 7.1 write
// whatever size they are given.
type queryAttr struct {
	target, kind, queryFlags, attachFlags uint32
	ids                                   uint64
	count, _                              uint32
	programFlags, linkIDs, linkFlags      uint64
	revision                              uint64
}

// byIDAttr is the part that BPF_PROG_GET_FD_BY_ID reads.
type byIDAttr struct{ id, next, flags uint32 }

// infoAttr is the part that BPF_OBJ_GET_INFO_BY_FD reads.
type infoAttr struct {
	fd, size uint32
	info     uint64
}

// programInfo is the beginning of struct bpf_prog_info.
type programInfo struct {
	kind, id    uint32
	_           [7]uint64 // tag, lengths and instructions, time, uid, maps
	name        [16]byte
	ifindex, gp uint32
}

// Sizes of the verifier's log, which is read only to explain why a program was refused.
const (
	verifierLog      = 4 << 20 // in bytes; of a longer log, kernels before 6.4 keep the beginning, later ones the end
	verifierLogWords = 40      // of its end
)

// loadProgram loads a program into the kernel and returns its descriptor, which the caller closes. If the kernel
// refuses the program, the error wraps the errno and has the last words of the verifier's log.
func loadProgram(prog []insn) (int, error) {
	license := []byte("Apache-2.0\x00")
	attr := loadAttr{
		progType: bpfCgroupDeviceProgram, count: uint32(len(prog)), insns: address(unsafe.Pointer(&prog[0])),
		license:  address(unsafe.Pointer(&license[0])),
		expected: bpfCgroupDevice,
	}
	copy(attr.name[:], programName)
	var pins runtime.Pinner
	defer pins.Unpin()
	pins.Pin(&prog[0])
	pins.Pin(&license[0])
	fd, refused := attr.load()
	if refused == nil {
		return fd, nil
	}
	// Load it again to get the verifier's log. What this returns is of no account: it is ENOSPC if the log is longer.
	log := make([]byte, verifierLog)
	pins.Pin(&log[0])
	attr.logLevel, attr.logSize, attr.logBuf = 1, uint32(len(log)), address(unsafe.Pointer(&log[0]))
	if fd, err := attr.load(); err == nil {
		return fd, nil
	}
	text, _, _ := bytes.Cut(log, []byte{0})
	return -1, &os.SyscallError{Syscall: strings.TrimSpace("bpf BPF_PROG_LOAD of the device rules " +
		lastWords(string(text), verifierLogWords)), Err: refused}
}

// load calls bpf(2), again if a signal interrupted the verifier.
func (a *loadAttr) load() (int, error) {
	for try := 0; ; try++ {
		fd, err := bpf(unix.BPF_PROG_LOAD, unsafe.Pointer(a), unsafe.Sizeof(*a))
		if err == unix.EINTR || err == unix.EAGAIN && try < 8 {
			continue
		}
		return fd, err
	}
}

// lastWords returns the last n words of a text, with single spaces between them.
func lastWords(text string, n int) string {
	words := strings.Fields(text)
	return strings.Join(words[max(0, len(words)-n):], " ")
}

// queryPrograms returns the ids of the device programs that are attached to the group itself.
func queryPrograms(group int) ([]uint32, error) {
	ids := make([]uint32, bpfMaxPrograms)
	attr := queryAttr{target: uint32(group), kind: bpfCgroupDevice, ids: address(unsafe.Pointer(&ids[0])),
		count: bpfMaxPrograms}
	var pins runtime.Pinner
	defer pins.Unpin()
	pins.Pin(&ids[0])
	if _, err := bpf(unix.BPF_PROG_QUERY, unsafe.Pointer(&attr), unsafe.Sizeof(attr)); err != nil {
		return nil, err
	}
	return ids[:min(attr.count, bpfMaxPrograms)], nil
}

// openProgram returns a descriptor, which the caller closes, and the name of a program.
func openProgram(id uint32) (fd int, name string, err error) {
	program := byIDAttr{id: id}
	if fd, err = bpf(unix.BPF_PROG_GET_FD_BY_ID, unsafe.Pointer(&program), unsafe.Sizeof(program)); err != nil {
		return -1, "", err
	}
	info := new(programInfo)
	var pins runtime.Pinner
	defer pins.Unpin()
	pins.Pin(info)
	attr := infoAttr{fd: uint32(fd), size: uint32(unsafe.Sizeof(*info)), info: address(unsafe.Pointer(info))}
	if _, err := bpf(unix.BPF_OBJ_GET_INFO_BY_FD, unsafe.Pointer(&attr), unsafe.Sizeof(attr)); err != nil {
		_ = unix.Close(fd)
		return -1, "", err
	}
	text, _, _ := bytes.Cut(info.name[:], []byte{0})
	return fd, string(text), nil
}

// bpf calls bpf(2). It returns a descriptor for the commands that create one.
func bpf(cmd uintptr, attr unsafe.Pointer, size uintptr) (int, error) {
	r, _, errno := unix.Syscall(unix.SYS_BPF, cmd, uintptr(attr), size)
	if errno != 0 {
		return -1, errno
	}
	return int(r), nil
}

// address returns a pointer in the form that the kernel takes inside a structure. The caller pins the memory.
func address(p unsafe.Pointer) uint64 { return uint64(uintptr(p)) }
