package seccomp

import (
	"fmt"
	"slices"
)

// CheckTail holds the program against the calls that a process still makes between loading it and executing the
// container's program, by name. It is an error, such as "seccomp: the profile does not allow execve", if one of them
// fails whatever its arguments are. Where arguments decide, or an agent does, it may pass.
func (p *Program) CheckTail(names ...string) error {
	for _, name := range names {
		number, ok := p.Host.Number(name)
		if !ok {
			return fmt.Errorf("seccomp: %s has no system call %s", p.Host, name)
		}
		if !slices.ContainsFunc(p.reachable(number), Action.passes) {
			return fmt.Errorf("seccomp: the profile does not allow %s", name)
		}
	}
	return nil
}

// reachable lists the actions that a call of the host's can have, with any arguments.
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
				loaded = -loaded - offsetArgs // Nothing that is known.
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
