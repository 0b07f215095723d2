package seccomp

import (
	"fmt"
	"strings"
)

// printWidth is the width of printed rules.
const printWidth = 120

// String prints the profile as Parse reads it: stage 1.
func (p *Profile) String() string {
	if p == nil {
		return "no filter\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "default: %s\n", p.Default)
	b.WriteString("architectures: the host's")
	for _, a := range p.Architectures {
		b.WriteString(" " + a.String())
	}
	b.WriteString("\n")
	if p.Flags != 0 {
		fmt.Fprintf(&b, "flags: %s\n", flagString(p.Flags))
	}
	if p.ListenerPath != "" {
		fmt.Fprintf(&b, "listener: %s\n", p.ListenerPath)
	}
	for i := range p.Rules {
		fmt.Fprintf(&b, "syscalls[%d]: %s\n%s", i, p.Rules[i].header(p.Default), wrapNames(p.Rules[i].Names))
	}
	if skipped := p.skipped(); len(skipped) > 0 {
		b.WriteString("skipped, for no architecture has them:\n" + wrapNames(skipped))
	}
	for _, line := range p.Shadowed() {
		b.WriteString("without effect: " + line + "\n")
	}
	return b.String()
}

// RuleLine prints the rule with the given index on one line. It leaves out the names if there are many.
func (p *Profile) RuleLine(i int) string {
	r := &p.Rules[i]
	names := strings.Join(r.Names, " ")
	if len(r.Names) > 8 {
		names = fmt.Sprintf("%d names", len(r.Names))
	}
	return fmt.Sprintf("syscalls[%d] (%s): %s\n", i, names, r.header(p.Default))
}

// header prints a rule without its names.
func (r *Rule) header(without Action) string {
	text := r.Action.String()
	join := " and "
	if sameArgument(r.Args) {
		join = " or "
	}
	for i, c := range r.Args {
		if i == 0 {
			text += " if "
		} else {
			text += join
		}
		text += c.String()
	}
	if r.Action == without {
		text += ", which is the default: left out"
	}
	return text
}

// String prints the condition, such as "arg1 & 0x7e020000 == 0x0".
func (c Condition) String() string {
	if c.Op == MaskedEqual {
		return fmt.Sprintf("arg%d & %#x == %#x", c.Index, c.Mask, c.Value)
	}
	return fmt.Sprintf("arg%d %s %#x", c.Index, c.Op.symbol(), c.Value)
}

func wrapNames(names []string) string {
	var b strings.Builder
	line := "   "
	for _, name := range names {
		if len(line)+1+len(name) > printWidth {
			b.WriteString(line + "\n")
			line = "   "
		}
		line += " " + name
	}
	return b.String() + line + "\n"
}

// Tree prints the decision tree of the profile on a host: stage 3. Parts that several ways lead to are printed once,
// with a number, and are referred to by it after that.
func (p *Profile) Tree(host Arch) (string, error) {
	if p == nil {
		return "", nil
	}
	root, tables, err := p.tree(host)
	if err != nil {
		return "", err
	}
	t := treePrinter{tables: tables, seen: make(map[*node]int), labels: make(map[*node]int)}
	t.count(root)
	t.print(root, 0, nil)
	return t.b.String(), nil
}

type treePrinter struct {
	b      strings.Builder
	tables []*table
	seen   map[*node]int // the number of ways to a node
	labels map[*node]int
}

func (t *treePrinter) count(n *node) {
	if t.seen[n]++; t.seen[n] == 1 && !n.leaf {
		t.count(n.yes)
		t.count(n.no)
	}
}

func (t *treePrinter) print(n *node, depth int, on []Arch) {
	indent := strings.Repeat("  ", depth)
	if n.leaf {
		fmt.Fprintf(&t.b, "%s%s\n", indent, n.action)
		return
	}
	if label := t.labels[n]; label != 0 {
		fmt.Fprintf(&t.b, "%sas at #%d\n", indent, label)
		return
	}
	mark := ""
	if t.seen[n] > 1 {
		t.labels[n] = len(t.labels) + 1
		mark = fmt.Sprintf("#%d: ", t.labels[n])
	}
	fmt.Fprintf(&t.b, "%s%sif %s\n", indent, mark, n.test.text(on))
	below := on
	if n.test.offset == offsetArch {
		below = nil
		for _, table := range t.tables {
			if table.arch.AuditArch() == n.test.value {
				below = append(below, table.arch)
			}
		}
	}
	t.print(n.yes, depth+1, below)
	fmt.Fprintf(&t.b, "%selse\n", indent)
	t.print(n.no, depth+1, on)
}

// text prints a test. on are the architectures of the numbers in it.
func (t test) text(on []Arch) string {
	symbol := map[uint16]string{jumpEqual: "==", jumpGreater: ">", jumpGreaterEqual: ">="}[t.jump]
	value := fmt.Sprintf("%#x", t.value)
	word := "number"
	switch {
	case t.offset == offsetArch:
		for a := X86; a < archEnd; a++ {
			if a.AuditArch() == t.value && a != X32 {
				value = a.String()
			}
		}
		word = "architecture"
	case t.offset == offsetNumber:
		for _, a := range on {
			if name := a.Name(t.value); name != "" && (a != X86_64 || t.value < x32Bit) {
				value += " (" + name + ")"
			}
		}
	default:
		word = argWord(uint32(t.offset))
	}
	if t.jump == jumpSet {
		return fmt.Sprintf("%s & %s != 0", word, value)
	}
	if t.mask != ^uint32(0) {
		word += fmt.Sprintf(" & %#x", t.mask)
	}
	return fmt.Sprintf("%s %s %s", word, symbol, value)
}

// argWord names half an argument by its offset. The word with the lower address is [0].
func argWord(offset uint32) string {
	return fmt.Sprintf("arg%d[%d]", (offset-offsetArgs)/8, offset%8/4)
}

// String prints the program, one instruction per line, with the lines that jumps lead to: stage 4.
func (p *Program) String() string {
	var b strings.Builder
	for pc, in := range p.Filter {
		fmt.Fprintf(&b, "%4d: %s\n", pc, in.text(pc))
	}
	return b.String()
}

func (in Instruction) text(pc int) string {
	name := map[uint16]string{jumpEqual: "jeq", jumpGreater: "jgt", jumpGreaterEqual: "jge", jumpSet: "jset"}[in.Code]
	switch in.Code {
	case returnConstant:
		return "ret " + Action(in.K).String()
	case loadWord:
		switch {
		case in.K == offsetNumber:
			return "ld number"
		case in.K == offsetArch:
			return "ld architecture"
		case in.K < offsetArgs:
			return fmt.Sprintf("ld [%d]", in.K)
		}
		return "ld " + argWord(in.K)
	case andConstant:
		return fmt.Sprintf("and %#x", in.K)
	case jumpAlways:
		return fmt.Sprintf("ja %d", pc+1+int(in.K))
	}
	return fmt.Sprintf("%s %#x, %d, %d", name, in.K, pc+1+int(in.JT), pc+1+int(in.JF))
}
