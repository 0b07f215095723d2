package lifecycle

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/handfast/handfast/internal/seccomp"
)

// These are the system calls that the runtime's own child makes between loading the filter and the end of its
// conversation. A profile that does not allow one of them is refused before anything is made, and the error names
// the system call.
var (
	// For a filter that is loaded at the execution: the execution itself, and the message that it failed.
	neededAtOnce = []string{"execve", "write"}
	// For a filter that is loaded earlier: the listener is handed over, or hooks run, and Go's runtime still runs.
	neededByRuntime = []string{"execve", "write", "read", "close", "futex"}
)

// neededFirst are the system calls that the child makes before the agent has the listener: it writes its request
// with write(2), and Go's runtime may call futex(2) at any time. No agent may decide about them, because the child
// and the agent would wait for each other. When the child reads the reply and closes the listener, the agent
// already has it.
var neededFirst = []string{"write", "futex"}

// allows refuses a filter that does not let the child reach its execution.
func allows(p *seccomp.Program, names []string) error {
	if err := p.CheckTail(names...); err != nil {
		return err
	}
	for _, name := range names {
		number, ok := p.Host.Number(name)
		if !ok || !slices.Contains(neededFirst, name) {
			continue
		}
		v, err := p.Run(seccomp.Data{Number: number, AuditArch: p.Host.AuditArch()})
		if err != nil {
			return err
		}
		if v.Action.Kind() == seccomp.UserNotify {
			return fmt.Errorf("seccomp: SCMP_ACT_NOTIFY cannot be used for the %s syscall: the runtime needs it before "+
				"the agent has the listener", name)
		}
	}
	return nil
}

// decodeFilter converts a compiled filter to the form that package seccomp works with.
func decodeFilter(b []byte) *seccomp.Program {
	p := &seccomp.Program{Host: seccomp.HostArch(), Filter: make([]seccomp.Instruction, len(b)/8)}
	for i := range p.Filter {
		in := b[8*i : 8*i+8]
		p.Filter[i] = seccomp.Instruction{Code: binary.NativeEndian.Uint16(in), JT: in[2], JF: in[3],
			K: binary.NativeEndian.Uint32(in[4:])}
	}
	return p
}
