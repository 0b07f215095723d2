package seccomp

// A segment is a range of call numbers with one verdict: from its first number to before the next segment's.
type segment struct {
	first uint32
	to    *node
}

// segments is the whole range of call numbers of one audit architecture, in order.
type segments []segment

// set lets the numbers from first on have a verdict. Segments are set in order.
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

// calls sets the verdicts of a table's calls. Numbers that no rule names go to other.
func (s *segments) calls(b *builder, t *table, other *node) {
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

// verdictNode makes the graph of one call's verdict.
func (b *builder) verdictNode(v *verdict, other *node, big bool) *node {
	if v.chain == nil {
		return b.leaf(v.action)
	}
	return b.chainNode(v.chain.level, 0, other, big, make(map[chainKey]*node))
}

// cut replaces the verdicts of the numbers from first up to and with last.
func (s segments) cut(first, last uint32, to *node) segments {
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
	out.set(last+1, s.at(last+1))
	for _, seg := range s {
		if seg.first > last+1 {
			out.set(seg.first, seg.to)
		}
	}
	return out
}

// at is the verdict of a number.
func (s segments) at(number uint32) *node {
	to := s[0].to
	for _, seg := range s {
		if seg.first <= number {
			to = seg.to
		}
	}
	return to
}

// group joins the tables of the architectures that share an audit number: one, or x86_64 and x32.
func (b *builder) group(p *Profile, tables []*table, host Arch) segments {
	other := b.leaf(p.Default)
	var s segments
	s.set(0, other)
	for _, arch := range [2]Arch{0, X32} { // x32 has the greater numbers.
		for _, t := range tables {
			if (t.arch == X32) == (arch == X32) {
				s.calls(b, t, other)
			}
		}
	}
	above := b.above(p, tables, host)
	for i, seg := range above {
		last := ^uint32(0)
		if i+1 < len(above) {
			last = above[i+1].first - 1
		}
		if seg.to != nil {
			s = s.cut(seg.first, last, seg.to)
		}
	}
	return s
}

// above are the verdicts that stand above the rules, nil where the rules decide: calls that are newer than the profile,
// and those of the ABI that shares the audit number where the profile does not list it.
func (b *builder) above(p *Profile, tables []*table, host Arch) segments {
	s := segments{{0, nil}}
	var x64, x32 bool
	for _, t := range tables {
		x64, x32 = x64 || t.arch == X86_64, x32 || t.arch == X32
	}
	if x64 && !x32 {
		s = s.cut(x32Bit, ^uint32(0)-1, b.leaf(KillThread)) // A tracer skips a call with number -1.
	}
	if x32 && !x64 {
		s = s.cut(0, x32Bit-1, b.leaf(KillThread))
	}
	if p.stubbed() {
		enosys := b.leaf(host.enosys())
		for _, t := range tables {
			s = s.newer(t, enosys)
		}
	}
	return s
}

// stubbed says whether unknown new calls get ENOSYS: not where the default lets calls pass, or a tracer has its say.
func (p *Profile) stubbed() bool {
	switch p.Default.Kind() {
	case Allow, Log, Trace:
		return false
	}
	return true
}

// newer lets the calls that are newer than the newest one the profile names fail with ENOSYS.
func (s segments) newer(t *table, enosys *node) segments {
	if t.newest < 0 {
		return s
	}
	const all = ^uint32(0)
	first := t.arch.callNumber(int16(t.newest)) + 1
	switch t.arch {
	case X86_64:
		s = s.cut(first, x32Bit-1, enosys)
		return s.cut(2*x32Bit, 3*x32Bit-1, enosys) // Whoever has bit 30 is of x32.
	case X32:
		s = s.cut(first, 2*x32Bit-1, enosys)
		return s.cut(3*x32Bit, all, enosys)
	case S390, S390X:
		// Numbers that do not fit into the instruction come in a register, with 0 in their place for those that the kernel
		// does not know. setup(2), which was 0, is long gone.
		s = s.cut(0, 0, enosys)
	}
	return s.cut(first, all, enosys)
}

// search makes the balanced search for a number's segment. Its nodes are as good as never equal to others.
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
