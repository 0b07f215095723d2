package smallchild

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/handfast/handfast/syncproto/container"
)

// FuzzInterpret takes any bytes for a program. The interpreter must end, with or without an error.
func FuzzInterpret(f *testing.F) {
	jumpsBack, err := exits().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bytes.Clone(jumpsBack), []byte{})
	jumpsBack[headSize] = byte(opJump)
	binary.LittleEndian.PutUint64(jumpsBack[8:], 1<<32-1)
	f.Add(jumpsBack, []byte{})
	f.Add([]byte("PROGRAM1\xff"), []byte{1, 2, 3})
	f.Add([]byte(magic), []byte{})
	f.Fuzz(func(t *testing.T, program, script []byte) {
		if len(program) > MaxProgram || len(program) > 16 && binary.LittleEndian.Uint32(program[8:]) > 50 {
			return // each instruction may scan the whole memory
		}
		_, err := fakeRun(program, 0, script)
		if e := (*AccessError)(nil); err != nil && !errors.As(err, &e) && !errors.Is(err, errEndless) {
			t.Errorf("%v", err)
		}
	})
}

// verified checks that a program that Verify accepts stays within its memory and ends, whatever the kernel says.
func verified(p *Program, script []byte) (accepted bool, err error) {
	b, err := p.Encode()
	if err != nil {
		return false, nil
	}
	k, err := fakeRun(b, p.memory, script)
	if err = errors.Join(err, k.outside); err != nil {
		err = fmt.Errorf("%w\n%s", err, p)
	}
	return true, err
}

func FuzzVerified(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		if _, err := verified(anyProgram(t), rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(t, "results")); err != nil {
			t.Fatal(err)
		}
	}))
}

// TestVerified is FuzzVerified with a fixed number of programs, and checks that enough of them are accepted for that to
// mean something.
func TestVerified(t *testing.T) {
	programs, count := rapid.Custom(anyProgram), 0
	for n := range 15_000 {
		accepted, err := verified(programs.Example(n), bytes.Repeat([]byte{byte(n), byte(n >> 8), 1, 200}, 15))
		if err != nil {
			t.Fatal(err)
		}
		if accepted {
			count++
		}
	}
	if count < 200 {
		t.Errorf("only %d of 15,000 programs are accepted", count)
	}
	t.Log(count)
}

// TestInterpretEnds covers what no program does that Verify accepts.
func TestInterpretEnds(t *testing.T) {
	jump := func(count uint64) []byte {
		b := binary.LittleEndian.AppendUint64([]byte(magic), count)
		b = append(b, byte(opJump), byte(noReg))
		return append(b, make([]byte, 300)...)
	}
	outside := New()
	outside.add(opOctal, Int(5), Int(7))
	for name, c := range map[string]struct {
		program []byte
		err     string
	}{
		"a jump back":          {jump(3), errEndless.Error()},
		"a jump back, forever": {jump(1<<32 - 1), errEndless.Error()},
		"nothing but the head": {binary.LittleEndian.AppendUint64([]byte(magic), 1<<32-1), errEndless.Error()},
		"an address": {append(jump(1)[:headSize], outside.encodeInstr(nil, &outside.instrs[0])...),
			"instruction 0 uses 4 bytes at 0x7, which is not the child's memory"},
	} {
		if _, err := fakeRun(c.program, 0, nil); err == nil || !bytes.Contains([]byte(err.Error()), []byte(c.err)) {
			t.Errorf("%s: %v, want %q", name, err, c.err)
		}
	}
	if err := Interpret(nil, nil, 3, container.InitProfile()); err == nil {
		t.Error("it ran without memory")
	}
}

// TestInterpretTalks checks the whole life of a child against a kernel that carries out nothing.
func TestInterpretTalks(t *testing.T) {
	p := New()
	r := p.Reg()
	p.Call("dup", unix.SYS_DUP, Int(7)).Into(r)
	p.Request(question, answer)
	p.Word()
	p.Call("execve", unix.SYS_EXECVE, Val(r))
	p.GiveUp()
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	k, err := fakeRun(b, 0, []byte{5})
	if err != nil || k.calls != 14 || k.seq != 4 { // HELLO_ACK, CONFIG_OK, REQUEST, EXEC
		t.Errorf("%v after %d calls, %d frames", err, k.calls, k.seq)
	}
}
