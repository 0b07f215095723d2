package seccomp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Property is the path of a profile in a configuration, with which the paths of errors begin.
const Property = "linux.seccomp"

// Error is an error in a profile, and its place.
type Error struct {
	Path    string // such as linux.seccomp.syscalls[3].args[0].op
	Problem string // what the value is, and what is allowed
}

// Error returns one line: path: problem.
func (e *Error) Error() string { return e.Path + ": " + e.Problem }

func newError(path, format string, args ...any) error {
	return &Error{Path: Property + path, Problem: fmt.Sprintf(format, args...)}
}

// document is the profile's JSON (runtime-spec, config-linux.md, "Seccomp").
type document struct {
	DefaultAction    string         `json:"defaultAction"`
	DefaultErrnoRet  *uint64        `json:"defaultErrnoRet"`
	Architectures    []string       `json:"architectures"`
	Flags            []string       `json:"flags"`
	ListenerPath     string         `json:"listenerPath"`
	ListenerMetadata string         `json:"listenerMetadata"`
	Syscalls         []documentRule `json:"syscalls"`
}

type documentRule struct {
	Names    []string      `json:"names"`
	Action   string        `json:"action"`
	ErrnoRet *uint64       `json:"errnoRet"`
	Args     []documentArg `json:"args"`
}

type documentArg struct {
	Index    uint64 `json:"index"`
	Value    uint64 `json:"value"`
	ValueTwo uint64 `json:"valueTwo"`
	Op       string `json:"op"`
}

// Parse decodes linux.seccomp and checks it. The profile is nil, without an error, if raw is empty or null, or if it
// has neither a default action nor rules: as in runc, that means no filter. Errors are of type *[Error], one line each.
func Parse(raw []byte) (*Profile, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, nil
	}
	var d document
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, decodeError(raw, err)
	}
	if d.DefaultAction == "" && len(d.Syscalls) == 0 {
		return nil, nil
	}
	p := &Profile{ListenerPath: d.ListenerPath, ListenerMetadata: d.ListenerMetadata}
	var err error
	if p.Default, err = parseAction(d.DefaultAction, d.DefaultErrnoRet, ".defaultAction", ".defaultErrnoRet"); err != nil {
		return nil, err
	}
	if p.Default == UserNotify {
		return nil, newError(".defaultAction",
			"SCMP_ACT_NOTIFY is for rules alone: as the default it would stop the runtime itself")
	}
	if p.Architectures, err = parseArchitectures(d.Architectures); err != nil {
		return nil, err
	}
	if p.Flags, err = parseFlags(d.Flags); err != nil {
		return nil, err
	}
	p.Rules = make([]Rule, len(d.Syscalls))
	for i := range d.Syscalls {
		if p.Rules[i], err = parseRule(&d.Syscalls[i], fmt.Sprintf(".syscalls[%d]", i)); err != nil {
			return nil, err
		}
		p.Notify = p.Notify || p.Rules[i].Action == UserNotify
	}
	if err := p.checkListener(); err != nil {
		return nil, err
	}
	return p, nil
}

// parseAction returns the action with this name, with its number, which defaults to EPERM.
func parseAction(name string, errnoRet *uint64, path, errnoPath string) (Action, error) {
	for _, a := range actionNames {
		if a.name != name {
			continue
		}
		limit := uint64(maxErrno)
		switch a.action {
		case Trace:
			limit = maxTraceData
		case Errno:
		default:
			return a.action, nil // runc and Docker's tools allow errnoRet with every action.
		}
		if errnoRet == nil {
			return a.action | eperm, nil
		}
		if *errnoRet > limit {
			return 0, newError(errnoPath, "%d: want at most %d with %s", *errnoRet, limit, name)
		}
		return a.action | Action(*errnoRet), nil
	}
	if name == "" {
		return 0, newError(path, "missing: want one of %s", strings.Join(ActionNames(), ", "))
	}
	return 0, newError(path, "%q: want one of %s", name, strings.Join(ActionNames(), ", "))
}

func parseArchitectures(names []string) ([]Arch, error) {
	var list []Arch
	for i, name := range names {
		arch, ok := ParseArch(name)
		if !ok {
			return nil, newError(fmt.Sprintf(".architectures[%d]", i), "%q: want one of %s", name,
				strings.Join(ArchNames(), ", "))
		}
		if !slices.Contains(list, arch) {
			list = append(list, arch)
		}
	}
	return list, nil
}

func parseFlags(names []string) (uint32, error) {
	if names == nil {
		return FlagSpecAllow, nil
	}
	var flags uint32
	for i, name := range names {
		at := slices.IndexFunc(flagNames[:], func(f struct {
			name string
			flag uint32
		}) bool {
			return f.name == name
		})
		if at < 0 {
			return 0, newError(fmt.Sprintf(".flags[%d]", i), "%q: want one of %s", name, strings.Join(FlagNames(), ", "))
		}
		flags |= flagNames[at].flag
	}
	return flags &^ FlagTSync, nil
}

func parseRule(d *documentRule, path string) (Rule, error) {
	r := Rule{Names: d.Names}
	var err error
	if r.Action, err = parseAction(d.Action, d.ErrnoRet, path+".action", path+".errnoRet"); err != nil {
		return r, err
	}
	if len(d.Names) == 0 {
		return r, newError(path+".names", "missing: want the names of at least one system call")
	}
	for i, name := range d.Names {
		if name == "" {
			return r, newError(fmt.Sprintf("%s.names[%d]", path, i), "empty: want the name of a system call")
		}
		if r.Action == UserNotify && name == "write" {
			return r, newError(fmt.Sprintf("%s.names[%d]", path, i),
				"SCMP_ACT_NOTIFY cannot be used for the write syscall: the runtime needs it to hand the listener over; "+
					"any other call can have it")
		}
	}
	for i, a := range d.Args {
		c, err := parseCondition(a, fmt.Sprintf("%s.args[%d]", path, i))
		if err != nil {
			return r, err
		}
		r.Args = append(r.Args, c)
	}
	return r, nil
}

func parseCondition(a documentArg, path string) (Condition, error) {
	if a.Index > 5 {
		return Condition{}, newError(path+".index", "%d: want 0 to 5, a system call has six arguments", a.Index)
	}
	c := Condition{Index: int(a.Index), Value: a.Value, Mask: ^uint64(0)}
	for op := NotEqual; op <= MaskedEqual; op++ {
		if opNames[op] == a.Op {
			c.Op = op
		}
	}
	switch {
	case c.Op == 0:
		return c, newError(path+".op", "%q: want one of %s", a.Op, strings.Join(OpNames(), ", "))
	case c.Op == MaskedEqual:
		c.Mask, c.Value = a.Value, a.ValueTwo
	case a.ValueTwo != 0:
		return c, newError(path+".valueTwo", "%d: only SCMP_CMP_MASKED_EQ has a second value, %s has none", a.ValueTwo, a.Op)
	}
	return c, nil
}

// checkListener compares the agent's properties with the rules. A listenerPath that no rule uses is allowed, as with
// runc, because profiles are assembled from parts. The kernel refuses WAIT_KILLABLE_RECV without a listener.
func (p *Profile) checkListener() error {
	switch {
	case p.Notify && p.ListenerPath == "":
		return newError(".listenerPath", "missing: a rule has SCMP_ACT_NOTIFY, so want the path of the agent's socket")
	case p.ListenerPath != "" && !filepath.IsAbs(p.ListenerPath):
		return newError(".listenerPath", "%q: want an absolute path", p.ListenerPath)
	case p.ListenerMetadata != "" && p.ListenerPath == "":
		return newError(".listenerMetadata", "without a listenerPath there is nobody to give it to")
	case p.Flags&FlagWaitKillableRecv != 0 && !p.Notify:
		return newError(".flags",
			"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV is for rules with SCMP_ACT_NOTIFY, and there is none")
	}
	return nil
}
