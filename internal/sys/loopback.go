package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// LoopbackUp brings up lo in the network namespace of the calling thread, netdevice(7).
func LoopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fail("socket", "", err)
	}
	defer Close(s)
	var req struct {
		name  [unix.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}
	copy(req.name[:], "lo")
	req.flags = unix.IFF_UP
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(s), unix.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&req)))
	if errno != 0 {
		return fail("ioctl SIOCSIFFLAGS", "lo", errno)
	}
	return nil
}
