package nsinit

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/container"
)

// maxFilter is BPF_MAXINSNS of <linux/bpf_common.h>, the most instructions that seccomp(2) takes.
const maxFilter = 4096

// filterFlags are the flags of seccomp(2) that a configuration may set. TSYNC is not among them: the execution ends
// all threads except the one that loaded the filter, and until then the filter would stop the threads of the Go
// runtime.
const filterFlags = unix.SECCOMP_FILTER_FLAG_LOG | unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW | filterWaitKillable

// filterWaitKillable is SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV of <linux/seccomp.h>, Linux 5.19.
const filterWaitKillable = 1 << 5

// checkFilter refuses a value that cannot be a filter.
func checkFilter(f *container.Seccomp) error {
	switch {
	case f == nil:
	case len(f.Filter) == 0 || len(f.Filter)%unix.SizeofSockFilter != 0 ||
		len(f.Filter) > maxFilter*unix.SizeofSockFilter:
		return fmt.Errorf("process.seccomp.filter: %d bytes; want %d an instruction, and 1 to %d of them",
			len(f.Filter), unix.SizeofSockFilter, maxFilter)
	case f.Flags&^filterFlags != 0:
		return fmt.Errorf("process.seccomp.flags: %#x; want a combination of %#x", f.Flags, filterFlags)
	case f.Flags&filterWaitKillable != 0 && !f.Listener:
		return fmt.Errorf("process.seccomp.flags: %#x, which means nothing without a listener", filterWaitKillable)
	}
	return nil
}

// early reports whether the filter is loaded before the last step. A listener must be handed over first, and a hook
// inside the container is a program of the image, which must not run without the filter.
func early(cfg *container.Config) bool {
	return cfg.Process.Listens() || len(cfg.Hooks.StartContainer) > 0
}

// filtered adds the last steps of a process with a filter. As little as possible comes after the filter, because
// the profile may allow almost nothing.
func (p *planner) filtered() {
	p.files()
	p.add(seccompStep{filter: p.cfg.Process.Seccomp, early: early(p.cfg)})
	p.startHooks()
	p.execute()
}
