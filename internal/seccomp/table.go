package seccomp

import "fmt"

// A verdict is the result of the rules for one call: an action, or comparisons of its arguments.
type verdict struct {
	rule   int32 // its index plus one; 0 if no rule names the call
	action Action
	chain  *step // nil if the number of the call decides alone
}

// A table holds the rules of one architecture: stage 2.
type table struct {
	arch     Arch
	verdicts []verdict // by table number
	newest   int32     // largest table number in the profile; negative if none
	// The calls that the architecture does not have, by the index of their names: those in a rule without conditions,
	// and those that are only in rules with conditions.
	settled [nameCount]bool
	absent  map[int]*verdict
}

// buildTable resolves the names of the rules and merges the rules of each call.
func buildTable(p *Profile, arch Arch, indexes [][]int) (*table, error) {
	info := &archs[arch]
	column := &numbers[info.column]
	t := &table{arch: arch, newest: -1}
	most := int16(0)
	for _, n := range column {
		most = max(most, n)
	}
	t.verdicts = make([]verdict, most+1)
	for i := range p.Rules {
		r := &p.Rules[i]
		alternatives := r.alternatives()
		for j, at := range indexes[i] {
			if at < 0 {
				continue
			}
			number, multiplex := column[at], multiplexCalls[at]
			if info.socketcall == 0 {
				multiplex = 0
			}
			if multiplex == 0 && number >= 0 && arch.callNumber(number) > 0 {
				t.newest = max(t.newest, int32(number))
			}
			if r.Action == p.Default {
				continue
			}
			for _, conditions := range alternatives {
				if err := t.add(at, number, multiplex, conditions, r.Action, int32(i)); err != nil {
					return nil, newError(fmt.Sprintf(".syscalls[%d]", i), "%s with %s %v another rule on %s: "+
						"want one action for the same arguments", r.Names[j], r.Action, err, arch)
				}
			}
		}
	}
	return t, nil
}

// add adds one rule for one call, and for the call that multiplexes it, if there is one.
func (t *table) add(at int, number int16, multiplex uint8, conditions []Condition, action Action, rule int32) error {
	if multiplex != 0 {
		through, call := archs[t.arch].socketcall, multiplex
		if multiplex >= ipcBase {
			through, call = archs[t.arch].ipc, multiplex-ipcBase
		}
		// The first argument is the number of the call. Conditions on the others stay, although the call passes an
		// address there.
		with := []Condition{{Index: 0, Op: Equal, Value: uint64(call), Mask: ^uint64(0)}}
		for _, c := range conditions {
			if c.Index != 0 {
				with = append(with, c)
			}
		}
		if err := t.verdicts[through].add(with, action, rule, archs[t.arch].wide); err != nil {
			return err
		}
		if number < 0 {
			return nil
		}
	}
	if number < 0 {
		return t.addAbsent(at, conditions, action, rule)
	}
	return t.verdicts[number].add(conditions, action, rule, archs[t.arch].wide)
}

// addAbsent merges the rules of a call that the architecture does not have. They have no effect, but libseccomp merges
// them too, and refuses rules that contradict each other, except on architectures that multiplex calls.
func (t *table) addAbsent(at int, conditions []Condition, action Action, rule int32) error {
	switch {
	case t.settled[at] || archs[t.arch].socketcall != 0:
		return nil
	case len(conditions) == 0:
		t.settled[at] = true
		return nil
	case t.absent == nil:
		t.absent = make(map[int]*verdict)
	}
	if t.absent[at] == nil {
		t.absent[at] = new(verdict)
	}
	return t.absent[at].add(conditions, action, rule, archs[t.arch].wide)
}

// add merges a rule with the earlier ones. A rule without conditions has priority over all rules with conditions, in
// any order; of two without conditions, the first one counts.
func (v *verdict) add(conditions []Condition, action Action, rule int32, wide bool) error {
	if v.rule != 0 && v.chain == nil {
		return nil
	}
	var chain *step
	if len(conditions) > 0 {
		chain = newChain(conditions, action, rule, wide)
	}
	if chain == nil || v.rule == 0 {
		*v = verdict{rule: rule + 1, action: action, chain: chain}
		return nil
	}
	return addRule(&v.chain, chain, action)
}
