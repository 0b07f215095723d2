package smallchild

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// String returns the program as text: each step, and below it one instruction per line.
func (p *Program) String() string {
	var b strings.Builder
	steps := p.steps
	for n := range p.instrs {
		for ; len(steps) > 0 && steps[0].at == n; steps = steps[1:] {
			b.WriteString(steps[0].text() + "\n")
		}
		fmt.Fprintf(&b, "%5d  %s\n", n, p.describe(&p.instrs[n]))
	}
	return b.String()
}

// Describe returns one instruction, as the program prints it, with the step to which it belongs.
func (p *Program) Describe(n int) string {
	if n < 0 || n >= len(p.instrs) {
		return "no instruction"
	}
	text := ""
	for _, s := range p.steps {
		if s.at <= n {
			text = s.text() + ": "
		}
	}
	return text + p.describe(&p.instrs[n])
}

var opcodes = [...]string{opTest: "if", opJump: "go on", opCombine: "combine", opOctal: "octal", opRequest: "request",
	opWord: "send EXEC", opGate: "wait at the gate", opHome: "find home in passwd", opReport: "report",
	opGiveUp: "give up", opParent: "check the parent",
	opNames: "find interpreter or loader", opEntry: "next name in", opCut: "end text"}

func (p *Program) describe(i *Instr) string {
	args := make([]string, i.count)
	for n, a := range i.args[:i.count] {
		args[n] = p.argument(a)
	}
	var s string
	switch i.op {
	case opCall:
		s = i.name + "(" + strings.Join(args, ", ") + ")"
	case opTest:
		s = p.describeTest(i)
	case opCombine:
		s = fmt.Sprintf("%s = %s %s %s", args[0], args[1], [...]string{"and", "or"}[i.nr&1], args[2])
	default:
		s = opcodes[i.op]
		if len(args) > 0 {
			s += " " + strings.Join(args, ", ")
		}
	}
	if i.into != noReg {
		s = fmt.Sprintf("r%d = %s", i.into, s)
	}
	for _, e := range i.errnos {
		switch {
		case e == anyErrno:
			s += ", on any error"
		case e != 0:
			s += ", on " + errnoName(unix.Errno(e))
		}
	}
	if i.to != noLabel {
		s += " -> " + strconv.Itoa(int(p.labels[i.to]))
	}
	if i.ignore {
		s += ", errors ignored"
	}
	return s
}

func (p *Program) describeTest(i *Instr) string {
	mask := uint64(i.args[2].value)<<32 | uint64(i.args[1].value)
	value := fmt.Sprintf("%#x", uint64(i.args[4].value)<<32|uint64(i.args[3].value))
	if i.args[3].kind != argNumber {
		value = p.argument(i.args[3])
	}
	if mask == ^uint64(0) {
		return fmt.Sprintf("if %s == %s", p.argument(i.args[0]), value)
	}
	return fmt.Sprintf("if %s & %#x == %s", p.argument(i.args[0]), mask, value)
}

func errnoName(e unix.Errno) string {
	if n := unix.ErrnoName(e); n != "" {
		return n
	}
	return strconv.Itoa(int(e))
}

// argument returns an argument as it is printed: data by its description and its first words, or as a text.
func (p *Program) argument(a Arg) string {
	switch a.kind {
	case argReg, argSlot:
		if Reg(a.value) == Errno {
			return "errno"
		}
		return fmt.Sprintf("r%d", a.value)
	case argReply:
		return "the reply's descriptor"
	case argData:
		return p.datum(a.value)
	case argMemory:
		return fmt.Sprintf("m%d", a.value)
	}
	if n := int32(a.value); n < 0 {
		return strconv.Itoa(int(n))
	}
	return fmt.Sprintf("%#x", a.value)
}

func (p *Program) datum(at uint32) string {
	const most = 32 // the most bytes of data that are printed
	for _, n := range p.names {
		if at < n.at || at >= n.at+n.size {
			continue
		}
		s := "<" + n.text
		if n.size <= most && n.size%4 == 0 && !p.points(n) {
			for w := range n.size / 8 {
				s += fmt.Sprintf(" %#x", binary.LittleEndian.Uint64(p.data[n.at+8*w:]))
			}
		}
		return s + ">"
	}
	text, _, _ := strings.Cut(string(p.data[at:]), "\x00")
	return quote(text)
}

// points reports whether data holds addresses.
func (p *Program) points(n name) bool {
	for _, f := range p.pointers {
		if f.at >= n.at && f.at < n.at+n.size {
			return true
		}
	}
	return false
}

// quote returns a text as it is printed.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteString("\\" + string(rune(c)))
		case c < ' ' || c >= 0x7f:
			const hex = "0123456789abcdef"
			b.WriteString(`\x` + string(hex[c>>4]) + string(hex[c&15]))
		default:
			b.WriteByte(c)
		}
	}
	return b.String() + `"`
}
