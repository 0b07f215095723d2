package rawfork

import (
	"fmt"
	"math/bits"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/smallfile"
)

// signalDefaults returns the calls by which the child has no signal that is ignored or blocked, whatever this process
// was started with: the execution would keep both, signal(7). It resets handlers anyway.
func signalDefaults() *Program {
	p := &Program{}
	standard := Keep(p, new([16]uintptr)) // larger than any architecture's struct sigaction; all zero is SIG_DFL
	for word, set := range ignored() {
		for ; set != 0; set &= set - 1 {
			sig := uintptr(64*word + bits.TrailingZeros64(set) + 1)
			if sig == uintptr(unix.SIGKILL) || sig == uintptr(unix.SIGSTOP) {
				continue
			}
			p.Call(fmt.Sprintf("rt_sigaction of signal %d", sig), unix.SYS_RT_SIGACTION, sig, standard, 0, signalSetSize())
		}
	}
	p.Call("unblock all signals", unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, Keep(p, new([2]uint64)), 0, signalSetSize())
	return p
}

// signalSetSize is the size of the kernel's sigset_t in bytes.
func signalSetSize() uintptr {
	if strings.HasPrefix(runtime.GOARCH, "mips") {
		return 16
	}
	return 8
}

// ignored returns the set of the signals that this process ignores, bit 0 for signal 1. Without a procfs these are all
// signals: one too many is only a call too many.
func ignored() (set [2]uint64) {
	all := [2]uint64{^uint64(0)}
	if signalSetSize() == 16 {
		all[1] = ^uint64(0)
	}
	status, err := smallfile.Read("/proc/self/status")
	if err != nil {
		return all
	}
	_, digits, _ := strings.Cut(string(status), "\nSigIgn:\t")
	digits, _, ok := strings.Cut(digits, "\n")
	if !ok || len(digits) == 0 || len(digits) > 32 {
		return all
	}
	for _, d := range []byte(digits) {
		n := strings.IndexByte("0123456789abcdef", d)
		if n < 0 {
			return all
		}
		set[1] = set[1]<<4 | set[0]>>60
		set[0] = set[0]<<4 | uint64(n)
	}
	return set
}
