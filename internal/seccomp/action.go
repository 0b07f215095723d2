package seccomp

import (
	"fmt"
	"strings"
)

// Action is what a filter returns for a call: one of the SECCOMP_RET values of linux/seccomp.h in the upper half, and
// its data in the lower half.
type Action uint32

// The actions, without data. Errno and Trace carry the number that [Action.Data] returns.
const (
	KillThread  Action = 0x00000000
	KillProcess Action = 0x80000000
	Trap        Action = 0x00030000
	Errno       Action = 0x00050000
	UserNotify  Action = 0x7fc00000
	Trace       Action = 0x7ff00000
	Log         Action = 0x7ffc0000
	Allow       Action = 0x7fff0000
)

// actionMask selects the action without its data.
const actionMask Action = 0xffff0000

// The largest values of errnoRet: MAX_ERRNO of the kernel, which clamps larger ones, and 16 bits of data.
const (
	maxErrno     = 4095
	maxTraceData = 0xffff
)

// The errors that filters return, from linux/errno. They are the same for all architectures here, except for ENOSYS
// (see enosys).
const (
	eperm         = 1
	enosysGeneric = 38
)

// actionNames are the names of runtime-spec, in the order in which errors list them.
var actionNames = [...]struct {
	name   string
	action Action
}{
	{"SCMP_ACT_KILL", KillThread},
	{"SCMP_ACT_KILL_PROCESS", KillProcess},
	{"SCMP_ACT_KILL_THREAD", KillThread},
	{"SCMP_ACT_TRAP", Trap},
	{"SCMP_ACT_ERRNO", Errno},
	{"SCMP_ACT_TRACE", Trace},
	{"SCMP_ACT_ALLOW", Allow},
	{"SCMP_ACT_LOG", Log},
	{"SCMP_ACT_NOTIFY", UserNotify},
}

// ActionNames returns the names of the actions that a profile may use, as in runtime-spec.
func ActionNames() []string {
	names := make([]string, len(actionNames))
	for i, a := range actionNames {
		names[i] = a.name
	}
	return names
}

// Kind returns the action without its data.
func (a Action) Kind() Action { return a & actionMask }

// Data returns the number that Errno returns to the caller, or that a tracer gets.
func (a Action) Data() uint16 { return uint16(a) }

// String returns the name of the action as in profiles, with its data if it has any: SCMP_ACT_ERRNO(1).
func (a Action) String() string {
	for i := len(actionNames) - 1; i >= 0; i-- { // From the end, to find KILL_THREAD before KILL.
		if actionNames[i].action == a.Kind() {
			if a.Kind() == Errno || a.Kind() == Trace {
				return fmt.Sprintf("%s(%d)", actionNames[i].name, a.Data())
			}
			return actionNames[i].name
		}
	}
	return fmt.Sprintf("SECCOMP_RET(%#08x)", uint32(a))
}

// permits reports whether a call with this action may be carried out, by the kernel or because an agent allows it.
func (a Action) permits() bool {
	switch a.Kind() {
	case Allow, Log, UserNotify:
		return true
	}
	return false
}

// Op is the comparison of a condition.
type Op uint8

// The comparisons, in libseccomp's order.
const (
	NotEqual Op = iota + 1
	Less
	LessEqual
	Equal
	GreaterEqual
	Greater
	MaskedEqual
)

var opNames = [...]string{
	NotEqual: "SCMP_CMP_NE", Less: "SCMP_CMP_LT", LessEqual: "SCMP_CMP_LE", Equal: "SCMP_CMP_EQ",
	GreaterEqual: "SCMP_CMP_GE", Greater: "SCMP_CMP_GT", MaskedEqual: "SCMP_CMP_MASKED_EQ",
}

// OpNames returns the names of the comparisons that a profile may use, as in runtime-spec.
func OpNames() []string { return append([]string(nil), opNames[NotEqual:]...) }

// String returns the name of the comparison as in profiles.
func (o Op) String() string {
	if o < NotEqual || o > MaskedEqual {
		return fmt.Sprintf("Op(%d)", uint8(o))
	}
	return opNames[o]
}

// symbol returns the operator with which a printed rule shows the comparison.
func (o Op) symbol() string {
	return [...]string{NotEqual: "!=", Less: "<", LessEqual: "<=", Equal: "==", GreaterEqual: ">=", Greater: ">",
		MaskedEqual: "&"}[o]
}

// The flags of seccomp(2) that a profile can name.
const (
	FlagTSync            uint32 = 1 << 0
	FlagLog              uint32 = 1 << 1
	FlagSpecAllow        uint32 = 1 << 2
	FlagWaitKillableRecv uint32 = 1 << 5
)

var flagNames = [...]struct {
	name string
	flag uint32
}{
	{"SECCOMP_FILTER_FLAG_TSYNC", FlagTSync},
	{"SECCOMP_FILTER_FLAG_LOG", FlagLog},
	{"SECCOMP_FILTER_FLAG_SPEC_ALLOW", FlagSpecAllow},
	{"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", FlagWaitKillableRecv},
}

// FlagNames returns the names of the flags that a profile may use.
func FlagNames() []string {
	names := make([]string, len(flagNames))
	for i, f := range flagNames {
		names[i] = f.name
	}
	return names
}

// FlagByName returns the flag of seccomp(2) with the name that profiles use, or 0 for an unknown name.
func FlagByName(name string) uint32 {
	for _, f := range flagNames {
		if f.name == name {
			return f.flag
		}
	}
	return 0
}

// flagString returns the names of the flags that are set.
func flagString(flags uint32) string {
	var set []string
	for _, f := range flagNames {
		if flags&f.flag != 0 {
			set = append(set, f.name)
		}
	}
	return strings.Join(set, " ")
}
