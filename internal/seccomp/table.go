package seccomp

import "fmt"

// A verdict is what the rules say of one call: an action, or the comparisons of its arguments.
type verdict struct {
	rule   int32 // plus one; 0 where no rule names the call
	action Action
	chain  *step // nil where the call's number alone decides
}

// A table is the rules as one architecture sees them: stage 2.
type table struct {
	arch     Arch
	verdicts []verdict // by table number
	newest   int32     // largest table number that the profile names; negative if none
	// Of the calls that the architecture does not have, by the name's index: those that a rule without conditions names,
	// and those that only rules with conditions name.
	settled [nameCount]bool
	absent  map[int]*verdict
}

// buildTable resolves the names of the rules and combines the rules of each call.
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
					return nil, wrong(fmt.Sprintf(".syscalls[%d]", i), "%s with %s %v another rule on %s: "+
						"want one action for the same arguments", r.Names[j], r.Action, err, arch)
				}
			}
		}
	}
	return t, nil
}

// add adds one rule for one call, and for the call that multiplexes it, where there is one.
func (t *table) add(at int, number int16, multiplex uint8, conditions []Condition, action Action, rule int32) error {
	if multiplex != 0 {
		through, call := archs[t.arch].socketcall, multiplex
		if multiplex >= ipcBase {
			through, call = archs[t.arch].ipc, multiplex-ipcBase
		}
		// The first argument is the number of the call. The others stay what they are, though they are an address there.
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

// addAbsent combines the rules of a call that the architecture does not have. Nothing comes of it, but libseccomp does
// so too, and refuses rules that contradict; not so for the architectures that have calls to multiplex others.
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

// add combines a rule with those before it. A rule without conditions wins over all with some, wherever it stands; of
// two without, the first.
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
