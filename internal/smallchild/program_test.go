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
	} {
		p := New()
		bad(p)
		p.GiveUp()
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
