package seccomp

import "fmt"

// Profile is linux.seccomp after checking: all its names are known, except perhaps those of system calls. A nil Profile
// means no filter.
type Profile struct {
	Default       Action
	Architectures []Arch // as listed, each once; Compile always adds the host's own
	Rules         []Rule // in the order of the profile
	// Flags are SECCOMP_FILTER_FLAG_LOG, _SPEC_ALLOW and _WAIT_KILLABLE_RECV as listed in the profile, or _SPEC_ALLOW
	// if it lists none, as in runc. _TSYNC is accepted but left out, because only the thread that executes needs the
	// filter.
	Flags            uint32
	Notify           bool   // a rule has the action SCMP_ACT_NOTIFY, which needs a listener
	ListenerPath     string // absolute; the agent's socket. Set if and only if Notify is
	ListenerMetadata string // for the agent, unchanged
}

// Rule is one entry of linux.seccomp.syscalls.
type Rule struct {
	Names  []string
	Action Action
	Args   []Condition // all must hold, unless two have the same argument: then one is enough (see alternatives)
}

// Condition compares one argument of a call with a number. With [MaskedEqual] the argument is masked first; otherwise
// Mask is all ones.
type Condition struct {
	Index int // 0 to 5
	Op    Op
	Value uint64
	Mask  uint64
}

// holds reports whether the condition is true for a 64-bit argument.
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

// sameArgument reports whether two conditions have the same argument.
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

// alternatives returns the lists of conditions that a rule stands for: one list, or, if two conditions have the same
// argument, one list for each condition. runc has always done this, and profiles rely on it: libseccomp itself takes
// one comparison per argument.
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

// Shadowed returns the places where a rule without conditions names a call again with another action, such as
// "syscalls[10].names[7]: setns is decided by syscalls[1]". The first rule counts, as with libseccomp. It is not an
// error, because Podman's own profile has such rules, but it is rarely intended.
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
