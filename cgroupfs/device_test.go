package cgroupfs

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/handfast/handfast/internal/golden"
	"github.com/handfast/handfast/internal/testenv"
)

// interpret runs a device program as the kernel would, and reports its verdict; ok is false for a program that the
// kernel would not have loaded.
func interpret(prog []insn, kind, access, major, minor uint32) (verdict uint64, ok bool) {
	memory := map[int16]uint32{0: access<<16 | kind, 4: major, 8: minor}
	var reg [11]uint64
	for pc := 0; pc < len(prog); pc++ {
		i := prog[pc]
		dst, src := i.regs&15, i.regs>>4
		switch i.code {
		case opLoad32:
			if src != regContext {
				return 0, false
			}
			reg[dst] = uint64(memory[i.off])
		case opMove:
			reg[dst] = uint64(int64(i.imm))
		case opAnd32:
			reg[dst] = uint64(uint32(reg[dst]) & uint32(i.imm))
		case opEqual:
			if uint32(reg[dst]) == uint32(i.imm) {
				pc += int(i.off)
			}
		case opNotEqual:
			if uint32(reg[dst]) != uint32(i.imm) {
				pc += int(i.off)
			}
		case opSet:
			if uint32(reg[dst])&uint32(i.imm) != 0 {
				pc += int(i.off)
			}
		case opJump:
			pc += int(i.off)
		case opExit:
			return reg[regVerdict], true
		default:
			return 0, false
		}
	}
	return 0, false
}

// allowed is the meaning of rules, written down once more and differently: for each kind of access the last rule that
// names it.
func allowed(rules []DeviceRule, kind, access, major, minor uint32) bool {
	for bit := uint32(1); bit <= accWrite; bit <<= 1 {
		if access&bit == 0 {
			continue
		}
		ok := true
		for _, r := range rules {
			bits, _ := accessBits(r.Access)
			named := (r.Type == "a" || r.Type == "b" && kind == devBlock || r.Type == "c" && kind == devChar) &&
				(r.Major == nil || uint32(*r.Major) == major) && (r.Minor == nil || uint32(*r.Minor) == minor) &&
				uint32(bits)&bit != 0
			if named {
				ok = r.Allow
			}
		}
		if !ok {
			return false
		}
	}
	return true
}

func TestDeviceProgramMeansTheRules(t *testing.T) {
	numbers := []int64{0, 1, 3, 5, 136, 1<<32 - 1, 1 << 31}
	rapid.Check(t, func(t *rapid.T) {
		rules := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) DeviceRule {
			r := DeviceRule{
				Allow: rapid.Bool().Draw(t, "allow"), Type: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "type"),
				Access: rapid.SampledFrom([]string{"r", "w", "m", "rw", "rwm", "wm"}).Draw(t, "access"),
			}
			if rapid.Bool().Draw(t, "has major") {
				n := rapid.SampledFrom(numbers).Draw(t, "major")
				r.Major = &n
			}
			if rapid.Bool().Draw(t, "has minor") {
				n := rapid.SampledFrom(numbers).Draw(t, "minor")
				r.Minor = &n
			}
			return r
		}), 0, 12).Draw(t, "rules")
		prog, err := compile(rules)
		if err != nil {
			t.Fatal(err)
		}
		// Every request that the rules could tell apart, and any others.
		ask := func(kind, access, major, minor uint32) {
			verdict, ok := interpret(prog, kind, access, major, minor)
			if want := allowed(rules, kind, access, major, minor); !ok || (verdict == 1) != want {
				t.Fatalf("type %d access %d of %d:%d: verdict %d (%t), want %t", kind, access, major, minor, verdict, ok, want)
			}
		}
		majors, minors := []uint32{7}, []uint32{7} // no rule's
		for _, r := range rules {
			if r.Major != nil {
				majors = append(majors, uint32(*r.Major))
			}
			if r.Minor != nil {
				minors = append(minors, uint32(*r.Minor))
			}
		}
		for _, kind := range []uint32{devBlock, devChar} {
			for access := uint32(1); access <= accAll; access++ {
				for _, major := range majors {
					for _, minor := range minors {
						ask(kind, access, major, minor)
					}
				}
			}
		}
		for range 50 {
			ask(rapid.SampledFrom([]uint32{devBlock, devChar}).Draw(t, "kind"), rapid.Uint32Range(1, accAll).Draw(t, "asked"),
				rapid.Uint32().Draw(t, "of"), rapid.Uint32().Draw(t, "and"))
		}
	})
}

func TestDeviceRulesRefused(t *testing.T) {
	negative := int64(-1)
	for _, r := range []DeviceRule{{Type: "x"}, {Type: "c", Access: "rx"}, {Type: "c", Major: &negative}} {
		if _, err := compile([]DeviceRule{r}); err == nil {
			t.Errorf("%+v was compiled", r)
		}
	}
}

// TestManyDeviceRules: the verifier takes as many rules as compile does, and its work does not explode.
func TestManyDeviceRules(t *testing.T) {
	testenv.Root(t)
	mixed := []DeviceRule{{Type: "a", Access: "rwm"}}
	for i := range int64(1500) {
		mixed = append(mixed, DeviceRule{Allow: i%7 != 0, Type: "cba"[i%3 : i%3+1], Major: &i, Minor: &i,
			Access: []string{"r", "w", "rw", "rwm"}[i%4]})
	}
	for name, rules := range map[string][]DeviceRule{
		"mixed": mixed, "of one type": apart("c", maxDeviceRules), "of both": apart("a", maxDeviceRules),
	} {
		prog, err := compile(rules)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		fd, err := loadProgram(prog)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_ = unix.Close(fd)
	}
	if _, err := compile(apart("c", maxDeviceRules+1)); !errors.Is(err, unix.E2BIG) {
		t.Errorf("more rules than the verifier takes: %v", err)
	}
	if _, err := compile(slices.Repeat(mixed[1:], 2)); err != nil {
		t.Errorf("rules that are there twice: %v", err)
	}
	each := apart("a", maxDeviceRules)
	for i := range each {
		each[i].Access = []string{"rw", "wm", "rm"}[i%3]
	}
	if _, err := compile(each); !errors.Is(err, unix.E2BIG) {
		t.Errorf("a jump that is too far: %v", err)
	}
}

// apart returns n rules that deny, each with a major of its own.
func apart(kind string, n int64) (rules []DeviceRule) {
	for i := range n {
		rules = append(rules, DeviceRule{Type: kind, Major: &i, Minor: &i, Access: "rwm"})
	}
	return rules
}

// TestVerifierRefuses: the error has the errno of the refusal, and says what the verifier says of it, although that is
// at the end of a long log.
func TestVerifierRefuses(t *testing.T) {
	testenv.Root(t)
	rule := DeviceRule{Type: "c", Access: "rwm"}
	all, err := rule.exceptions()
	if err != nil {
		t.Fatal(err)
	}
	rules := make([]exception, 5000)
	for i := range rules {
		rules[i] = all[0]
		rules[i].major, rules[i].minor = int64(i), int64(i)
	}
	b := &deviceProgram{}
	b.kind(devChar, []decision{{accAll, rules}})
	prog, err := b.finish()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := loadProgram(prog)
	if err == nil {
		_ = unix.Close(fd)
		t.Fatal("the verifier takes 5000 rules: compile may, too")
	}
	if errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "too complex") ||
		len(strings.Fields(err.Error())) > 2*verifierLogWords {
		t.Error(err)
	}
	_, err = loadProgram([]insn{{code: opExit}})
	if !errors.Is(err, unix.EACCES) || !strings.Contains(err.Error(), "R0 !read_ok") {
		t.Errorf("a program without a verdict: %v", err)
	}
}

func TestLastWords(t *testing.T) {
	for text, want := range map[string]string{"": "", "a\n b": "a b", "a b\nc\t d\n": "b c d"} {
		if got := lastWords(text, 3); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// listing prints a program, one instruction in a line.
func listing(prog []insn) string {
	var b strings.Builder
	for k, i := range prog {
		to := k + 1 + int(i.off)
		fmt.Fprintf(&b, "%3d  ", k)
		switch i.code {
		case opLoad32:
			field := map[int16]string{ctxAccessType: "access and type", ctxMajor: "major", ctxMinor: "minor"}[i.off]
			fmt.Fprintf(&b, "load %s\n", field)
		case opAnd32:
			fmt.Fprintf(&b, "and %#x\n", i.imm)
		case opEqual:
			fmt.Fprintf(&b, "if %d goto %d\n", uint32(i.imm), to)
		case opNotEqual:
			fmt.Fprintf(&b, "if not %d goto %d\n", uint32(i.imm), to)
		case opSet:
			fmt.Fprintf(&b, "if any of %s goto %d\n", accessLetters(i.imm>>16), to)
		case opJump:
			fmt.Fprintf(&b, "goto %d\n", to)
		case opMove:
			fmt.Fprintf(&b, "verdict %d\n", i.imm)
		case opExit:
			b.WriteString("exit\n")
		default:
			fmt.Fprintf(&b, "unknown %+v\n", i)
		}
	}
	return b.String()
}

// TestDeviceProgramGolden prints the program for the devices that every container may use.
func TestDeviceProgramGolden(t *testing.T) {
	number := func(n int64) *int64 { return &n }
	rules := []DeviceRule{{Access: "rwm"}, {Allow: true, Type: "c", Access: "m"}, {Allow: true, Type: "b", Access: "m"}}
	for _, d := range [][2]int64{{1, 3}, {1, 8}, {1, 7}, {5, 0}, {1, 5}, {1, 9}} {
		rules = append(rules, DeviceRule{Allow: true, Type: "c", Major: number(d[0]), Minor: number(d[1]), Access: "rwm"})
	}
	rules = append(rules, DeviceRule{Allow: true, Type: "c", Major: number(136), Access: "rwm"},
		DeviceRule{Allow: true, Type: "c", Major: number(5), Minor: number(2), Access: "rwm"},
		DeviceRule{Type: "c", Major: number(10), Minor: number(200), Access: "w"})
	prog, err := compile(rules)
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, filepath.Join("testdata", "device", "usual.txt"), listing(prog))
}
