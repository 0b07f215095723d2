package seccomp

import (
	"fmt"
	"slices"
)

// CheckTail checks that the program allows the named calls, which a process still makes after it has loaded the filter
// and before it executes the container's program. It returns an error, such as "seccomp: the profile does not allow
// execve", if one of them fails with any arguments. A call that depends on its arguments, or on an agent, passes the
// check.
func (p *Program) CheckTail(names ...string) error {
	for _, name := range names {
		number, ok := p.Host.Number(name)
		if !ok {
			return fmt.Errorf("seccomp: %s has no system call %s", p.Host, name)
		}
		if !slices.ContainsFunc(p.reachable(number), Action.permits) {
			return fmt.Errorf("seccomp: the profile does not allow %s", name)
		}
	}
	return nil
}

// reachable returns the actions that a call of the host's architecture can have, with any arguments.
func (p *Program) reachable(number uint32) []Action {
	var actions []Action
	seen := make([]bool, len(p.Filter))
	known := func(in *Instruction, loaded int) (taken, known bool) {
		d := Data{Number: number, AuditArch: archs[p.Host].audit}
		if loaded != offsetNumber && loaded != offsetArch {
			return false, false
		}
		t := test{jump: in.Code, mask: ^uint32(0), value: in.K}
		return t.holds(d.word(uint32(loaded), false)), true
	}
	var visit func(pc, loaded int)
	visit = func(pc, loaded int) {
		for !seen[pc] || loaded == offsetNumber || loaded == offsetArch {
			in := &p.Filter[pc]
			seen[pc] = true
			switch in.Code {
			case returnConstant:
				if !slices.Contains(actions, Action(in.K)) {
					actions = append(actions, Action(in.K))
				}
				return
			case loadWord:
				loaded = int(in.K)
			case andConstant:
				loaded = -loaded - offsetArgs // no known word
			case jumpAlways:
				pc += int(in.K)
			default:
				taken, ok := known(in, loaded)
				switch {
				case !ok:
					visit(pc+1+int(in.JT), loaded)
					pc += int(in.JF)
				case taken:
					pc += int(in.JT)
				default:
					pc += int(in.JF)
				}
			}
			pc++
		}
	}
	visit(0, -1)
	return actions
}
