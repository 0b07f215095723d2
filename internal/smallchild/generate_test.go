package smallchild

import (
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// anyProgram returns a program that may be anything, though not far from one that the small child can get: its
// instructions have operands of the right number, mostly, of any kind and length.
func anyProgram(t *rapid.T) *Program {
	p := New()
	p.Str("text")
	table := p.Table("table", p.Str("abc"), Int(3), p.Str("de"), Int(2), p.Str(""), Int(0))
	errnos := p.ErrorTexts(func(e unix.Errno) string { return e.Error() }, []unix.Errno{unix.EPERM, unix.ENOENT}, "other")
	data := []Arg{p.Bytes(make([]byte, 200), "zeros"), table, errnos, p.Str(question), p.Str("1000")}
	memory := p.Scratch(rapid.SampledFrom([]int{8, 64, 5000}).Draw(t, "memory"))
	regs := []Reg{p.Reg(), p.Reg(), p.Reg()}
	labels := make([]Label, rapid.IntRange(0, 4).Draw(t, "labels"))
	for n := range labels {
		labels[n] = p.Label()
	}
	number := rapid.SampledFrom([]uint32{0, 1, 2, 3, 4, 8, 16, 64, 200, 4001, 1 << 31, 1<<32 - 1})
	offset := rapid.SampledFrom([]int{0, 0, 0, 1, 4, 8, 60, 196, 4999})
	anyReg := rapid.SampledFrom(append(regs, Socket, 17, regErrno, 121))
	arg := rapid.Custom(func(t *rapid.T) Arg {
		switch rapid.IntRange(0, 8).Draw(t, "kind") {
		case 0, 1:
			return Int(number.Draw(t, "number"))
		case 2:
			return Val(anyReg.Draw(t, "register"))
		case 3:
			return slot(anyReg.Draw(t, "slot"))
		case 4, 5, 6:
			return memory.At(offset.Draw(t, "offset"))
		}
		return rapid.SampledFrom(data).Draw(t, "data").At(offset.Draw(t, "offset"))
	})
	for range rapid.IntRange(1, 12).Draw(t, "instructions") {
		op := rapid.SampledFrom([]opcode{opCall, opCall, opCall, opTest, opJump, opCombine, opOctal, opRequest, opWord,
			opGate, opHome, opReport, opParent, opNames, opEntry, opCut,
			opGiveUp}).Draw(t, "op")
		count := 0
		if int(op) < len(operands) {
			count = int(operands[op])
		}
		if op == opCall {
			count = rapid.IntRange(0, 6).Draw(t, "count")
		}
		i := p.add(op, rapid.SliceOfN(arg, count, count).Draw(t, "args")...)
		switch call := rapid.SampledFrom([]string{"read", "write", "fstat", "close"}).Draw(t, "call"); {
		case op != opCall:
		default:
			i.name = call
			i.nr = map[string]uint16{"read": unix.SYS_READ, "write": unix.SYS_WRITE, "fstat": unix.SYS_FSTAT,
				"close": unix.SYS_CLOSE}[call]
		}
		if op == opCall || op == opNames || op == opEntry {
			i.into = rapid.SampledFrom(append(regs, noReg)).Draw(t, "into")
		}
		if len(labels) > 0 && (op == opTest || op == opJump || op == opEntry || op == opCall && rapid.Bool().Draw(t, "on")) {
			i.On(rapid.SampledFrom(labels).Draw(t, "to"), unix.Errno(rapid.IntRange(0, 4).Draw(t, "errno")))
		}
		for _, l := range labels {
			if p.labels[l] < 0 && rapid.IntRange(0, 3).Draw(t, "place") == 0 {
				p.Place(l)
			}
		}
	}
	for _, l := range labels {
		if p.labels[l] < 0 {
			p.Place(l)
		}
	}
	p.GiveUp()
	return p
}

// safe adds instructions to a program that change nothing outside the working directory.
type safe struct {
	*Program
	t       *rapid.T
	regs    []Reg // always set
	stat    Memory
	memory  Memory
	waiting []Label // to be placed
	asked   bool    // the profile allows one request
}

const safeMemory = 4400

// safeProgram returns a valid program that does harmless things, and shows at its end what it has in its memory.
func safeProgram(t *rapid.T) *Program {
	s := &safe{Program: New(), t: t}
	s.stat, s.memory = s.Scratch(sizeofStat), s.Scratch(safeMemory)
	for range 4 {
		r := s.Reg()
		s.regs = append(s.regs, r)
		s.Set(r, Int(rapid.IntRange(0, 3).Draw(t, "at first")))
	}
	s.Call("fstat", unix.SYS_FSTAT, Int(1), s.stat.At(0))
	for range rapid.IntRange(1, 25).Draw(t, "instructions") {
		s.add()
		s.waiting = slices.DeleteFunc(s.waiting, func(l Label) bool {
			placed := rapid.IntRange(0, 2).Draw(t, "place") == 0
			if placed {
				s.Place(l)
			}
			return placed
		})
	}
	for _, l := range s.waiting {
		s.Place(l)
	}
	s.Call("write", unix.SYS_WRITE, Int(1), s.memory.At(0), Int(safeMemory))
	for _, r := range s.regs {
		s.Call("write", unix.SYS_WRITE, Int(1), slot(r), Int(8))
	}
	s.end()
	return s.Program
}

func (s *safe) number(label string, most int) int { return rapid.IntRange(0, most).Draw(s.t, label) }
func (s *safe) reg() Reg                          { return rapid.SampledFrom(s.regs).Draw(s.t, "register") }
func (s *safe) name() Arg {
	return s.Str(rapid.SampledFrom([]string{"a", "b", "a/b", "c", ".", "", "no/such"}).Draw(s.t, "name"))
}

func (s *safe) label() Label {
	l := s.Label()
	s.waiting = append(s.waiting, l)
	return l
}

// word is 32 bits of memory, aligned.
func (s *safe) word() Arg { return s.memory.At(4 * s.number("word", 40)) }

// errors says what follows a failure of a call.
func (s *safe) errors(i *Instr) {
	errnos := []unix.Errno{unix.ENOENT, unix.EEXIST, unix.ENOTDIR, unix.EISDIR, unix.EBADF}
	switch s.number("errors", 9) {
	case 0, 1, 8:
		i.On(s.label())
	case 2:
		i.On(s.label(), errnos[:s.number("errnos", 3)+1]...)
	case 3:
		i.On(s.label(), errnos[2:]...).Ignore()
	case 4: // it gives up
	default:
		i.Ignore()
	}
}

// add adds one thing.
func (s *safe) add() {
	const cwd = unix.AT_FDCWD & (1<<32 - 1)
	dir := Int(uint32(cwd))
	flags := []int{unix.O_RDONLY, unix.O_RDWR | unix.O_CREAT, unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL,
		unix.O_PATH | unix.O_DIRECTORY, unix.O_RDWR | unix.O_TRUNC}
	switch s.number("instruction", 21) {
	case 0, 1, 2:
		s.errors(s.Call("openat", unix.SYS_OPENAT, dir, s.name(), Int(flags[s.number("flags", 4)]|unix.O_CLOEXEC),
			Int(0o640)).Into(s.reg()))
	case 3, 4:
		s.errors(s.Call("mkdirat", unix.SYS_MKDIRAT, dir, s.name(), Int(0o710+s.number("mode", 7))))
	case 5:
		s.errors(s.Call("fchownat", unix.SYS_FCHOWNAT, dir, s.name(), Int(s.number("uid", 3)), Int(uint32(1<<32-1)), Int(0)))
	case 6:
		s.errors(s.Call("symlinkat", unix.SYS_SYMLINKAT, s.name(), dir, s.name()))
	case 7:
		// The socket is not written to: descriptors come from openat and dup, or are 0 to 3.
		r, not := s.reg(), s.label()
		s.IfReg(r, 3, not)
		s.errors(s.Call("write", unix.SYS_WRITE, Val(r), s.word(), Int(s.number("size", 40))).Into(s.reg()))
	case 8:
		s.errors(s.Call("pread64", unix.SYS_PREAD64, Val(s.reg()), s.word(), Int(s.number("size", 40)), Int(0)).Into(s.reg()))
	case 9:
		// 0 to 3 stay open.
		r, not := s.reg(), s.label()
		s.IfMem(slot(r), ^uint64(3), 0, not)
		s.errors(s.Call("close", unix.SYS_CLOSE, Val(r)))
	case 10:
		s.errors(s.Call("dup", unix.SYS_DUP, Val(s.reg())).Into(s.reg()))
	case 11:
		s.errors(s.Call("prctl", unix.SYS_PRCTL, Int(unix.PR_GET_KEEPCAPS+s.number("option", 60)*1000)).Into(s.reg()))
	case 12:
		at := s.word()
		s.Set(s.reg(), Int(s.number("number", 70000)))
		s.Octal(at, slot(s.regs[0]))
	case 13:
		s.And(s.word(), s.word(), slot(s.reg()))
	case 14:
		s.Or(s.word(), slot(s.reg()), s.word())
	case 15:
		s.IfMem(s.stat.At(24), unix.S_IFMT, uint64(unix.S_IFIFO*s.number("kind", 2)), s.label())
	case 16:
		text := s.Str(rapid.StringMatching(`([u:/\n:]|:1:|x:x:1:2:c:/h(:|\n)|x:x:1:2:c:(:|\n)){0,12}`).Draw(s.t, "passwd"))
		length := s.reg()
		s.Set(length, Int(s.number("length", len(s.data)-int(text.value))))
		s.Home(text, length, "1", s.memory.At(8*s.number("to", 30)))
	case 17:
		text := s.Bytes([]byte(rapid.SampledFrom([]string{"#!/bin/sh\n", "#! x", "#!\n", "\x7fELF", elfFile(3, 176, 3, "/ld"),
			elfFile(3, 170, 30, ""), elfFile(1, 0, 0, "x")}).Draw(s.t, "head")), "head")
		length := s.reg()
		s.Set(length, Int(s.number("length", len(s.data)-int(text.value))))
		s.Names(text, length, s.memory.At(0), s.reg())
	case 18:
		s.CheckParent()
		if !s.asked {
			s.asked = true
			s.Request(question, answer)
		}
	case 20:
		// A directory, in which each name is looked for in another one.
		dir, name, again, done, not := s.Reg(), s.Reg(), s.Label(), s.Label(), s.Label()
		s.Call("openat", unix.SYS_OPENAT, Int(uint32(cwd)), s.name(), Int(unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC),
			Int(0)).Into(dir).On(not)
		s.Place(again)
		s.Entry(dir, s.number("depth", maxDepth-1), name, done)
		s.Call("fchmodat", unix.SYS_FCHMODAT, Int(uint32(cwd)), Val(name), Int(0o700+s.number("mode", 7))).Ignore()
		s.Jump(again)
		s.Place(done)
		s.Call("close", unix.SYS_CLOSE, Val(dir))
		s.Place(not)
	case 21:
		r := s.reg()
		s.Call("readlinkat", unix.SYS_READLINKAT, Int(uint32(cwd)), s.name(), s.memory.At(0), Int(40)).Into(r).On(s.label())
		s.Cut(s.memory.At(0), r)
		s.Load(s.reg(), s.word(), s.word())
	case 19:
		r, to := s.reg(), s.Str("text")
		if s.number("is", 1) == 1 {
			s.Set(r, to)
		}
		s.IfIs(r, to, s.label())
	}
}

// end ends the program in one of several ways.
func (s *safe) end() {
	reported := s.Label()
	to := s.Str(".")
	if s.number("directory", 3) == 2 {
		to = s.name()
	}
	s.Call("chdir", unix.SYS_CHDIR, to).On(reported)
	s.Word()
	switch s.number("end", 3) {
	case 0:
		s.Call("exit_group", unix.SYS_EXIT_GROUP, Int(s.number("status", 255)))
	case 1:
		s.Call("execve", unix.SYS_EXECVE, s.Str("/no/such"), s.Table("argv", s.Str("x"), Int(0)), Int(0)).On(reported)
	case 2:
		s.Call("execve", unix.SYS_EXECVE, s.Str("/bin/ls"), s.Table("argv", s.Str("ls"),
			s.Str("/proc/self/fd"), Int(0)), s.Table("envp", Int(0)))
	}
	s.GiveUp()
	s.Place(reported)
	s.Report(`{"code":"exec","role":"child","nodes":[{"type":"text","text":"it: `, `"}]}`,
		s.ErrorTexts(func(e unix.Errno) string { return e.Error() }, []unix.Errno{unix.EPERM, unix.ENOENT}, "other"))
}

// elfFile returns the beginning of a 64-bit ELF file with two program headers. The second has the kind kind and
// describes size bytes at offset.
func elfFile(kind uint32, offset, size uint64, text string) string {
	le := binary.LittleEndian
	b := make([]byte, 64+2*56)
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint64(b[32:], 64)
	le.PutUint16(b[54:], 56)
	le.PutUint16(b[56:], 2)
	le.PutUint32(b[64:], 1)
	le.PutUint32(b[120:], kind)
	le.PutUint64(b[128:], offset)
	le.PutUint64(b[152:], size)
	return string(b) + text
}
