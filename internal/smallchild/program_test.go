package smallchild

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// exits returns a program that ends at once.
func exits() *Program {
	p := New()
	p.Call("exit_group", unix.SYS_EXIT_GROUP, Int(7))
	p.GiveUp()
	return p
}

// long is a text that is longer than the child has room for.
var long = strings.Repeat("x", 5000)

// length returns a register that holds a number.
func (p *Program) length(n int) Reg {
	r := p.Reg()
	p.Set(r, Int(n))
	return r
}

// ahead returns a label that will be placed before the last instruction of TestVerify.
func (p *Program) ahead() Label {
	l := p.Label()
	p.labels[l] = int16(len(p.instrs) + 1)
	return l
}

// texts returns a table for Report with one text for EPERM.
func (p *Program) texts(text string) Arg {
	return p.ErrorTexts(func(unix.Errno) string { return text }, []unix.Errno{unix.EPERM}, "other")
}

func TestVerify(t *testing.T) {
	if err := exits().Verify(); err != nil {
		t.Fatal(err)
	}
	for want, bad := range map[string]func(p *Program){
		"uses r60, in which nothing may be yet": func(p *Program) { p.Call("close", unix.SYS_CLOSE, Val(60)) },
		"uses r48, in which nothing may be yet": func(p *Program) {
			r, l := p.Reg(), p.Label()
			p.Call("dup", unix.SYS_DUP, Int(0)).Into(r).On(l, unix.EBADF) // a jump to l leaves r empty
			p.Place(l)
			p.Call("close", unix.SYS_CLOSE, Val(r))
		},
		"uses r49, in which nothing may be yet": func(p *Program) {
			p.Reg()
			r := p.Reg()
			p.Call("dup", unix.SYS_DUP, Int(0)).Into(r).Ignore()
			p.Call("close", unix.SYS_CLOSE, Val(r))
		},
		"jumps to label 0, which is not ahead": func(p *Program) {
			l := p.Label()
			p.Place(l)
			p.IfReg(Socket, 0, l)
		},
		"jumps to label 1, which is not ahead": func(p *Program) { p.Label(); p.IfReg(Socket, 0, p.Label()) },
		"puts its result into r3":              func(p *Program) { p.Call("dup", unix.SYS_DUP, Int(0)).Into(3) },
		"does not fit in 32 bits":              func(p *Program) { p.Call("dup", unix.SYS_DUP, Int(uint64(1)<<40)) },
		"uses memory 8 of 8":                   func(p *Program) { p.Call("pipe", unix.SYS_PIPE2, p.Scratch(8).At(8)) },
		"uses data 2 of 2":                     func(p *Program) { p.Call("chdir", unix.SYS_CHDIR, p.Str("a").At(2)) },
		"instruction 1: nothing leads here": func(p *Program) {
			l := p.Label()
			p.Jump(l)
			p.GiveUp()
			p.Place(l)
		},
		"instruction 0: jumps nowhere":  func(p *Program) { p.IfReg(Socket, 0, noLabel) },
		"instruction 0: jumps nowhere ": func(p *Program) { p.Call("dup", unix.SYS_DUP, Int(0)).On(noLabel, unix.EPERM) },
		"jumps to label -2":             func(p *Program) { p.IfReg(Socket, 0, -2) },
		"has 2 arguments, want 3":       func(p *Program) { p.add(opCombine, p.Scratch(8).At(0), slot(Socket)) },
		"argument 1 is no number": func(p *Program) {
			p.add(opRequest, p.Str(long), Val(Socket), p.Str(""), Int(0), Int(0))
		},
		"a number or a register as an": func(p *Program) { p.IfMem(Int(5), 1, 1, p.ahead()) },
		"8 bytes where there are 4":    func(p *Program) { p.IfMem(p.Scratch(8).At(4), 1, 1, p.ahead()) },
		"4 bytes where there are 2":    func(p *Program) { p.Or(p.Scratch(8).At(6), slot(Socket), slot(Socket)) },
		"writes to data 0":             func(p *Program) { p.Or(p.Str("long"), slot(Socket), slot(Socket)) },
		"5 bytes where there are 4":    func(p *Program) { p.Octal(p.Scratch(8).At(4), slot(Socket)) },
		"17 bytes where there are 10": func(p *Program) {
			p.add(opRequest, p.place(make([]byte, 10), messageName), Int(1), p.Str(""), Int(0), Int(0))
		},
		"9 bytes where there are 2": func(p *Program) {
			p.add(opRequest, p.Message(long).frame, Int(1), p.Str("x"), Int(9), Int(0))
		},
		"4001 bytes where there are 8": func(p *Program) {
			p.Home(p.Str("x"), p.length(2), "0", p.Scratch(8).At(0))
		},
		"3 bytes where there are 2": func(p *Program) { // the texts "x" and "0" have no room in between
			r := p.length(3)
			p.add(opHome, p.Str("x"), Val(r), p.Str("x"), Int(1), p.Scratch(5000).At(0))
		},
		"whose length has no bound": func(p *Program) {
			r := p.Reg()
			p.Call("dup", unix.SYS_DUP, Int(0)).Into(r)
			p.Home(p.Str("x"), r, "0", p.Scratch(5000).At(0))
		},
		"whose length has no bound ": func(p *Program) { // it may still be the result of dup
			r, l, m := p.Reg(), p.Label(), p.Scratch(5000)
			p.Call("dup", unix.SYS_DUP, Int(0)).Into(r)
			p.Call("read", unix.SYS_READ, Int(0), m.At(0), Int(8)).Into(r).On(l)
			p.Place(l)
			p.Home(m.At(0), r, "0", m.At(0))
		},
		"65 bytes where there are 64": func(p *Program) {
			r, m := p.Reg(), p.Scratch(64)
			p.Call("pread64", unix.SYS_PREAD64, Int(0), m.At(0), Int(64)).Into(r)
			p.Names(m.At(0), r, m.At(0), p.Reg())
		},
		"no register for its result":   func(p *Program) { p.Names(p.Str("x"), p.length(2), p.Scratch(8).At(0), noReg) },
		"puts into r48 what is no":     func(p *Program) { p.add(opWord).Into(p.Reg()) },
		"144 bytes where there are 88": func(p *Program) { p.Call("fstat", unix.SYS_FSTAT, Int(0), p.Scratch(88).At(0)) },
		"9 bytes where there are 8": func(p *Program) {
			p.Call("read", unix.SYS_READ, Int(0), p.Scratch(8).At(0), Int(9))
		},
		"24 bytes where there are 16": func(p *Program) {
			p.Call("openat2", unix.SYS_OPENAT2, Int(0), p.Str("x"), p.Bytes(Words(0, 0), "open_how"), Int(24))
		},
		"a table, at data 0: uses r0":        func(p *Program) { p.Call("close", 3, p.Table("t", Val(Socket))) },
		"a table, at data 0: the number is":  func(p *Program) { p.Call("close", 3, p.Table("t", Int(-1))) },
		"a table, at data 0: the number is ": func(p *Program) { p.Call("close", 3, p.Table("t", Int(uint64(1)<<40))) },
		"a table, at data 8: uses data 90":   func(p *Program) { p.Call("close", 3, p.Table("t", p.Str("x").At(90))) },
		"reports more than 4080 bytes":       func(p *Program) { p.Report(long[:4000], long[:81], p.texts("")) },
		"reports more than 4080 bytes ":      func(p *Program) { p.Report("", "", p.texts(long[:4081])) },
		"as a table of errors what is none": func(p *Program) {
			p.Report("", "", p.Bytes(Words(0, 0), "a table"))
		},
		"as a table of errors what is none ": func(p *Program) { p.Report("", "", p.Scratch(64).At(0)) },
		"as a greeting what is none": func(p *Program) {
			p.add(opGate, Int(3), p.Bytes(Words(1, 2, 3, 4, 5, 6), "t"), Int(-1))
		},
		"which is not ahead": func(p *Program) { // back to what is no Entry
			l := p.Label()
			p.Place(l)
			p.Word()
			p.Jump(l)
		},
		"which is not ahead ": func(p *Program) { // back to an Entry, but not by a Jump
			again, done := p.Label(), p.Label()
			p.Place(again)
			p.Entry(Socket, 0, p.Reg(), done)
			p.IfReg(Socket, 3, again)
			p.Place(done)
		},
		"without a register that is set there": func(p *Program) {
			again, done, over, r := p.Label(), p.Label(), p.Label(), p.Reg()
			p.IfReg(Socket, 3, over)
			p.Set(r, Int(1))
			p.Place(again)
			p.Entry(Socket, 0, p.Reg(), done)
			p.Place(over)
			p.Jump(again)
			p.Place(done)
		},
		"at depth 8 of 8":             func(p *Program) { p.Entry(Socket, maxDepth, p.Reg(), p.ahead()) },
		"no register for its result ": func(p *Program) { p.Entry(Socket, 0, noReg, p.ahead()) },
		"jumps nowhere":               func(p *Program) { p.Entry(Socket, 0, p.Reg(), noLabel) },
		"9 bytes where there are 8 ": func(p *Program) {
			r, m := p.Reg(), p.Scratch(8)
			p.Call("readlinkat", unix.SYS_READLINKAT, Int(0), p.Str("x"), m.At(0), Int(8)).Into(r)
			p.Cut(m.At(0), r)
		},
		"whose length has no bound  ": func(p *Program) { // in the second round it is what dup returns
			again, done, r, m := p.Label(), p.Label(), p.Reg(), p.Scratch(64)
			p.Call("read", unix.SYS_READ, Int(0), m.At(0), Int(8)).Into(r)
			p.Place(again)
			p.Entry(Socket, 0, p.Reg(), done)
			p.Cut(m.At(0), r)
			p.Call("dup", unix.SYS_DUP, Int(0)).Into(r)
			p.Jump(again)
			p.Place(done)
		},
		"writes to a register": func(p *Program) {
			p.Call("fstat", unix.SYS_FSTAT, Int(0), slot(Socket))
		},
		"16 bytes where there are 9": func(p *Program) { p.Report("", "", p.Bytes(Words(1), "a table")) },
		"48 bytes where there are 40": func(p *Program) {
			p.add(opGate, Int(3), p.Bytes(Words(1, 2, 3, 4, 5), "t"), Int(-1))
		},
	} {
		want = strings.TrimRight(want, " ") // two cases may have the same error
		p := New()
		bad(p)
		if last := len(p.instrs) - 1; last < 0 || p.instrs[last].op != opReport {
			p.GiveUp()
		}
		if err := p.Verify(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q\n%s", err, want, p)
		}
		if _, err := p.Encode(); err == nil {
			t.Errorf("%s: was encoded", want)
		}
	}
	p := New()
	p.Word()
	if err := p.Verify(); err == nil || !strings.Contains(err.Error(), "ends without") {
		t.Errorf("no end: %v", err)
	}
}

func TestTooLong(t *testing.T) {
	p := exits()
	p.Str(strings.Repeat("x", MaxProgram))
	if _, err := p.Encode(); !errors.Is(err, ErrTooLong) {
		t.Errorf("%v", err)
	}
}

func TestPrint(t *testing.T) {
	p := New()
	r, l := p.Reg(), p.Label()
	p.Step(func() string { return "a step" }, nil)
	p.Call("openat", unix.SYS_OPENAT, Int(unix.AT_FDCWD), p.Str("/a\n"), Int(0)).Into(r).On(l, unix.ENOENT)
	p.Call("read", unix.SYS_READ, Val(r), p.Scratch(8).At(4), p.Bytes(Words(5), "number")).Ignore()
	p.Place(l)
	p.IfMem(p.Scratch(8).At(0), 0xff, 1, l+0)
	p.GiveUp()
	const want = `a step
    0  r48 = openat(-100, "/a\x0a", 0x0), on ENOENT -> 2
    1  read(r48, m4, <number 0x5>), errors ignored
    2  if m8 & 0xff == 0x1 -> 2
    3  give up
`
	if got := p.String(); got != want {
		t.Errorf("%s", got)
	}
	if got := p.Describe(1); got != "a step: read(r48, m4, <number 0x5>), errors ignored" {
		t.Errorf("%s", got)
	}
}
