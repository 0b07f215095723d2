//go:build (amd64 || arm64) && !handfast_ossignal

package signals

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// one is what the handler writes to an eventfd.
//
//lint:ignore U1000 catch_*.s use it.
var one uint64 = 1

// handlers returns the handler, and what it returns to, or zero if that is the kernel's own code.
func handlers() (handler, restorer uintptr)

// sigaction is the kernel's struct sigaction: arch/x86/include/uapi/asm/signal.h, and include/linux/signal_types.h with
// the restorer of arch/arm64/include/uapi/asm/signal.h.
type sigaction struct {
	handler, flags, restorer uintptr
	mask                     uint64
}

const (
	saSiginfo  = 0x4
	saRestorer = 0x04000000
	saOnStack  = 0x08000000
	saRestart  = 0x10000000

	sigIgn = 1
)

func setAction(sig unix.Signal, to, old *sigaction) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(to)),
		uintptr(unsafe.Pointer(old)), 8, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("rt_sigaction "+sig.String(), errno)
	}
	return nil
}

func catch(s Set) error {
	handler, restorer := handlers()
	a := sigaction{handler, saSiginfo | saOnStack | saRestart, restorer, ^uint64(0)}
	if restorer != 0 {
		a.flags |= saRestorer
	}
	for rest := s; rest != 0; {
		var sig unix.Signal
		sig, rest = rest.Next()
		if err := setAction(sig, &a, nil); err != nil {
			return err
		}
	}
	set := uint64(s)
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_UNBLOCK, uintptr(unsafe.Pointer(&set)), 0, 8, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("rt_sigprocmask", errno)
	}
	return nil
}

// Ignored reports whether the caller of this process had it ignore a signal, as nohup(1) does with SIGHUP.
func Ignored(sig unix.Signal) bool {
	var old sigaction
	return setAction(sig, nil, &old) == nil && old.handler == sigIgn
}

// Default gives signals their standard action back.
func Default(s Set) {
	for rest := s; rest != 0; {
		var sig unix.Signal
		sig, rest = rest.Next()
		_ = setAction(sig, &sigaction{}, nil)
	}
}
