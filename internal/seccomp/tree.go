package seccomp

// A segment is a range of call numbers with one verdict, from its first number up to the next segment's.
type segment struct {
	first uint32
	to    *node
}

// segments covers all call numbers of one audit architecture, in order.
type segments []segment

// set sets the verdict of all numbers from first on. It must be called in ascending order.
func (s *segments) set(first uint32, to *node) {
	last := len(*s) - 1
	switch {
	case last >= 0 && (*s)[last].first == first:
		(*s)[last].to = to
		if last > 0 && (*s)[last-1].to == to {
			*s = (*s)[:last]
		}
	case last >= 0 && (*s)[last].to == to:
	default:
		*s = append(*s, segment{first, to})
	}
}

// setCalls sets the verdicts of a table's calls. Numbers that no rule names lead to other.
func (s *segments) setCalls(b *builder, t *table, other *node) {
	base := t.arch.callNumber(0)
	s.set(base, other)
	next := base
	for table := range t.verdicts {
		v := &t.verdicts[table]
		if v.rule == 0 {
			continue
		}
		number := t.arch.callNumber(int16(table))
		if number != next {
			s.set(next, other)
		}
		s.set(number, b.verdictNode(v, other, archs[t.arch].big))
		next = number + 1
	}
	s.set(next, other)
}

// verdictNode creates the graph of one call's verdict.
func (b *builder) verdictNode(v *verdict, other *node, big bool) *node {
	if v.chain == nil {
		return b.leaf(v.action)
	}
	return b.chainNode(v.chain.level, 0, other, big, make(map[chainKey]*node))
}

// replace replaces the verdicts of the numbers from first to last, inclusive.
func (s segments) replace(first, last uint32, to *node) segments {
	var out segments
	for _, seg := range s {
		if seg.first < first {
			out.set(seg.first, seg.to)
		}
	}
	out.set(first, to)
	if last == ^uint32(0) {
		return out
	}
	out.set(last+1, s.find(last+1))
	for _, seg := range s {
		if seg.first > last+1 {
			out.set(seg.first, seg.to)
		}
	}
	return out
}

// find returns the verdict of a number.
func (s segments) find(number uint32) *node {
	to := s[0].to
	for _, seg := range s {
		if seg.first <= number {
			to = seg.to
		}
	}
	return to
}

// group merges the tables of the architectures that share an audit number: one, or x86_64 and x32.
func (b *builder) mergeTables(p *Profile, tables []*table, host Arch) segments {
	other := b.leaf(p.Default)
	var s segments
	s.set(0, other)
	for _, arch := range [2]Arch{0, X32} { // X32 has the greater numbers.
		for _, t := range tables {
			if (t.arch == X32) == (arch == X32) {
				s.setCalls(b, t, other)
			}
		}
	}
	above := b.overrides(p, tables, host)
	for i, seg := range above {
		last := ^uint32(0)
		if i+1 < len(above) {
			last = above[i+1].first - 1
		}
		if seg.to != nil {
			s = s.replace(seg.first, last, seg.to)
		}
	}
	return s
}

// overrides returns the verdicts that have priority over the rules, and nil for numbers that the rules decide. They are
// for calls that are newer than the profile, and for the ABI that shares the audit number if the profile does not list
// it.
func (b *builder) overrides(p *Profile, tables []*table, host Arch) segments {
	s := segments{{0, nil}}
	var x64, x32 bool
	for _, t := range tables {
		x64, x32 = x64 || t.arch == X86_64, x32 || t.arch == X32
	}
	if x64 && !x32 {
		s = s.replace(x32Bit, ^uint32(0)-1, b.leaf(KillThread)) // A tracer skips a call with number -1.
	}
	if x32 && !x64 {
		s = s.replace(0, x32Bit-1, b.leaf(KillThread))
	}
	if p.newerGetENOSYS() {
		enosys := b.leaf(host.enosys())
		for _, t := range tables {
			s = s.setNewer(t, enosys)
		}
	}
	return s
}

// newerGetENOSYS reports whether calls that are newer than the profile get ENOSYS. They do not if the default action
// allows calls, or asks a tracer.
func (p *Profile) newerGetENOSYS() bool {
	switch p.Default.Kind() {
	case Allow, Log, Trace:
		return false
	}
	return true
}

// setNewer sets ENOSYS for calls that are newer than the newest one in the profile.
func (s segments) setNewer(t *table, enosys *node) segments {
	if t.newest < 0 {
		return s
	}
	const all = ^uint32(0)
	first := t.arch.callNumber(int16(t.newest)) + 1
	switch t.arch {
	case X86_64:
		s = s.replace(first, x32Bit-1, enosys)
		return s.replace(2*x32Bit, 3*x32Bit-1, enosys) // Numbers with bit 30 are x32's.
	case X32:
		s = s.replace(first, 2*x32Bit-1, enosys)
		return s.replace(3*x32Bit, all, enosys)
	case S390, S390X:
		// A number that does not fit into the instruction is passed in a register, and seccomp sees 0 instead if the
		// kernel does not know it. setup(2), which was 0, no longer exists.
		s = s.replace(0, 0, enosys)
	}
	return s.replace(first, all, enosys)
}

// search builds the balanced search for a number's segment. Its nodes are hardly ever equal to others.
func (b *builder) search(s segments) *node {
	const all = ^uint32(0)
	switch {
	case len(s) == 1:
		return s[0].to
	case len(s) == 3 && s[0].to == s[2].to && s[1].first+1 == s[2].first:
		return b.make(test{offsetNumber, jumpEqual, all, s[1].first}, s[1].to, s[0].to)
	}
	middle := len(s) / 2
	return b.make(test{offsetNumber, jumpGreaterEqual, all, s[middle].first}, b.search(s[middle:]), b.search(s[:middle]))
}
