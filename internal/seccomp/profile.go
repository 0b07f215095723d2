package seccomp

import "fmt"

// Profile is linux.seccomp, checked: every name in it is known but those of system calls. A nil Profile is no filter.
type Profile struct {
	Default       Action
	Architectures []Arch // as listed, each once; the host's own is always added by Compile
	Rules         []Rule // in the profile's order
	// Flags are SECCOMP_FILTER_FLAG_LOG, _SPEC_ALLOW and _WAIT_KILLABLE_RECV as the profile lists them; _SPEC_ALLOW alone
	// where it lists none, as in runc. _TSYNC is accepted, and not among them: the filter is for the thread that executes.
	Flags            uint32
	Notify           bool   // some rule's action is SCMP_ACT_NOTIFY: a listener is needed
	ListenerPath     string // absolute; the socket of the agent. Set if and only if Notify is
	ListenerMetadata string // for the agent, as it stands
}

// Rule is one entry of linux.seccomp.syscalls.
type Rule struct {
	Names  []string
	Action Action
	Args   []Condition // all must hold, unless two are about the same argument: then one is enough (see conditions)
}

// Condition compares one argument of a call with a number. Mask is all ones but for [MaskedEqual], where the argument
// is masked first.
type Condition struct {
	Index int // 0 to 5
	Op    Op
	Value uint64
	Mask  uint64
}

// holds says whether the condition is true for an argument of 64 bits.
func (c Condition) holds(arg uint64) bool {
	switch c.Op {
	case NotEqual:
		return arg != c.Value
	case Less:
		return arg < c.Value
	case LessEqual:
		return arg <= c.Value
	case Equal:
		return arg == c.Value
	case GreaterEqual:
		return arg >= c.Value
	case Greater:
		return arg > c.Value
	}
	return arg&c.Mask == c.Value&c.Mask
}

// sameArgument says whether two conditions are about one argument.
func sameArgument(conditions []Condition) bool {
	seen := 0
	for _, c := range conditions {
		if seen&(1<<c.Index) != 0 {
			return true
		}
		seen |= 1 << c.Index
	}
	return false
}

// alternatives are the lists of conditions that a rule stands for: one, or, where two conditions are about the same
// argument, one for each condition. That is what runc has always done with them, and profiles count on it: libseccomp
// itself takes one comparison per argument.
func (r *Rule) alternatives() [][]Condition {
	if !sameArgument(r.Args) {
		return [][]Condition{r.Args}
	}
	each := make([][]Condition, len(r.Args))
	for i := range r.Args {
		each[i] = r.Args[i : i+1]
	}
	return each
}

// Shadowed lists the places where a rule without conditions names a call again with another action, such as
// "syscalls[10].names[7]: setns is decided by syscalls[1]". The first rule wins, as with libseccomp, and Podman's own
// profile has some, so it is no error; but it is seldom what was meant.
func (p *Profile) Shadowed() []string {
	var list []string
	first := make(map[string]int)
	for i := range p.Rules {
		r := &p.Rules[i]
		if len(r.Args) != 0 || r.Action == p.Default {
			continue
		}
		for j, name := range r.Names {
			if at, again := first[name]; !again {
				first[name] = i
			} else if p.Rules[at].Action != r.Action {
				list = append(list, fmt.Sprintf("syscalls[%d].names[%d]: %s is decided by syscalls[%d]", i, j, name, at))
			}
		}
	}
	return list
}
