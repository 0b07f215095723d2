package seccomp

import "fmt"

// Cause is what decided about a call.
type Cause uint8

const (
	// ByRule is a rule of the profile, with the index Reason.Rule.
	ByRule Cause = iota
	// ByDefault is the default action: no rule names the call, or the conditions of those that do are not met.
	ByDefault
	// ByNewer is ENOSYS for calls that are newer than the newest one in the profile.
	ByNewer
	// ByArchitecture ends calls of an architecture that the profile does not list.
	ByArchitecture
)

// Reason is what happens to a call, and why.
type Reason struct {
	Action Action
	Cause  Cause
	Rule   int  // index in linux.seccomp.syscalls, with ByRule
	Named  bool // with ByDefault: rules name the call, but their conditions do not hold
	Arch   Arch // of the call; 0 with ByArchitecture if profiles have no name for it
}

// String returns one line.
func (r Reason) String() string {
	switch r.Cause {
	case ByRule:
		return fmt.Sprintf("%s, by %s.syscalls[%d]", r.Action, Property, r.Rule)
	case ByNewer:
		return fmt.Sprintf("%s, for it is newer than every call that the profile names", r.Action)
	case ByArchitecture:
		return fmt.Sprintf("%s, for the profile does not list the architecture", r.Action)
	}
	if r.Named {
		return fmt.Sprintf("%s, by %s.defaultAction: the conditions of the rules for it do not hold", r.Action, Property)
	}
	return fmt.Sprintf("%s, by %s.defaultAction: no rule names it", r.Action, Property)
}

// Explain returns what the profile's program does with a call on a host, and which part of the profile decides it. It
// evaluates the rules, not the program, with the same result.
func (p *Profile) Explain(host Arch, d Data) (Reason, error) {
	list, err := p.architectures(host)
	if err != nil {
		return Reason{}, err
	}
	indexes := p.indexes()
	var group []*table
	for _, arch := range list {
		if arch.AuditArch() != d.AuditArch {
			continue
		}
		t, err := buildTable(p, arch, indexes)
		if err != nil {
			return Reason{}, err
		}
		group = append(group, t)
	}
	if len(group) == 0 {
		return Reason{Action: KillThread, Cause: ByArchitecture, Arch: archOf(d)}, nil
	}
	if above := new(builder).overrides(p, group, host).find(d.Number); above != nil {
		reason := Reason{Action: above.action, Cause: ByNewer, Arch: archOf(d)}
		if reason.Action == KillThread {
			reason.Cause = ByArchitecture
		}
		return reason, nil
	}
	for _, t := range group {
		if i := t.index(d.Number); i >= 0 && t.verdicts[i].rule != 0 {
			return t.explain(p, &t.verdicts[i], &d), nil
		}
	}
	return Reason{Action: p.Default, Cause: ByDefault, Arch: archOf(d)}, nil
}

// archOf returns the architecture of a call.
func archOf(d Data) Arch {
	for a := X86; a < archEnd; a++ {
		if a.AuditArch() == d.AuditArch && (a != X86_64 || d.Number&x32Bit == 0) {
			return a
		}
	}
	return 0
}

// index returns the index of a call number in the table, or -1.
func (t *table) index(number uint32) int {
	for i := range t.verdicts {
		if t.arch.callNumber(int16(i)) == number {
			return i
		}
	}
	return -1
}

func (t *table) explain(p *Profile, v *verdict, d *Data) Reason {
	if v.chain == nil {
		return Reason{Action: v.action, Cause: ByRule, Rule: int(v.rule) - 1, Arch: t.arch}
	}
	if w := v.chain.level.follow(d); w != nil {
		return Reason{Action: w.action, Cause: ByRule, Rule: int(w.rule), Arch: t.arch}
	}
	return Reason{Action: p.Default, Cause: ByDefault, Named: true, Arch: t.arch}
}

// follow evaluates a level. It returns the way that ends in an action, or nil if none does.
func (l *level) follow(d *Data) *way {
	for _, s := range l.steps {
		w := &s.no
		if s.holds(d) {
			w = &s.yes
		}
		switch {
		case w.next != nil:
			if end := w.next.level.follow(d); end != nil {
				return end
			}
		case w.acts:
			return w
		}
	}
	return nil
}

// holds evaluates a step.
func (s *step) holds(d *Data) bool {
	word := uint32(d.Args[s.arg])
	if s.high {
		word = uint32(d.Args[s.arg] >> 32)
	}
	switch s.op {
	case Greater:
		return word > s.datum
	case GreaterEqual:
		return word >= s.datum
	}
	return word&s.mask == s.datum
}
