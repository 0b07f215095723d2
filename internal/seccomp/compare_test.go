package seccomp

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// A reference computes the expected verdicts of a profile, from libseccomp's program and the stub that runc puts before
// it.
type reference struct {
	p      *Profile
	host   Arch
	filter []Instruction
	newest map[Arch]uint32 // the largest number in the profile
}

func newReference(p *Profile, host Arch, filter []Instruction) *reference {
	r := &reference{p, host, filter, make(map[Arch]uint32)}
	for _, a := range append([]Arch{host}, p.Architectures...) {
		for _, rule := range p.Rules {
			for _, name := range rule.Names {
				i := findName(name)
				if i < 0 || archs[a].socketcall != 0 && multiplexCalls[i] != 0 {
					continue // libseccomp's own number for a multiplexed call is negative.
				}
				if number, ok := a.Number(name); ok {
					r.newest[a] = max(r.newest[a], number)
				}
			}
		}
	}
	return r
}

// verdict runs both parts (libcontainer/seccomp/patchbpf of runc).
func (r *reference) verdict(d *Data) Action {
	kind := r.p.Default.Kind()
	if kind != Allow && kind != Log && kind != Trace {
		for a, newest := range r.newest {
			if newest == 0 || a.AuditArch() != d.AuditArch {
				continue
			}
			if (a == X86_64 || a == X32) && (a == X32) != (d.Number&x32Bit != 0) {
				continue
			}
			if d.Number > newest || d.Number == 0 && (a == S390 || a == S390X) {
				return r.host.enosys()
			}
		}
	}
	return run(r.filter, d, archs[r.host].big).Action
}

// A namedCall is a call to try, by number and name. The name is empty if no call has the number.
type namedCall struct {
	number uint32
	name   string
}

// compareCalls caches the calls of compareNumbers with their names.
var compareCalls [archEnd][]namedCall

func callsOf(a Arch) []namedCall {
	if compareCalls[a] == nil {
		for _, number := range compareNumbers(a) {
			compareCalls[a] = append(compareCalls[a], namedCall{number, a.Name(number)})
		}
	}
	return compareCalls[a]
}

// compareNumbers returns the call numbers to try for an architecture: all of them, and the neighbours of those at which
// something changes.
func compareNumbers(a Arch) []uint32 {
	numbers := []uint32{x32Bit - 1, x32Bit, 2*x32Bit - 1, 2 * x32Bit, 3*x32Bit - 1, 3 * x32Bit, ^uint32(0) - 1, ^uint32(0)}
	for table := range uint32(560) {
		numbers = append(numbers, archs[a].base+table)
	}
	if a == ARM {
		for private := range uint32(10) {
			numbers = append(numbers, armPrivate+private)
		}
	}
	if archs[a].base != 0 {
		numbers = append(numbers, 0, 1, archs[a].base-1)
	}
	return numbers
}

// compareArgs returns values of arguments to try with a profile's conditions: values around each number in it, with its
// halves swapped, with other bits in the upper half, and random ones.
func compareArgs(p *Profile, random *rand.Rand) (values [6][]uint64) {
	for i := range values {
		values[i] = []uint64{0, 1, ^uint64(0), random.Uint64(), 1 << 32}
	}
	for _, r := range p.Rules {
		for _, c := range r.Args {
			v := values[c.Index]
			v = append(v, c.Value-1, c.Value, c.Value+1, c.Value^1<<32, c.Value+1<<32, c.Value-1<<32, uint64(uint32(c.Value)))
			if c.Op == MaskedEqual {
				v = append(v, c.Mask, c.Value&c.Mask, c.Value|^c.Mask, c.Value^c.Mask)
			}
			values[c.Index] = v
		}
	}
	for i := range values {
		slices.Sort(values[i])
		values[i] = slices.Compact(values[i])
	}
	return values
}

// compare tries calls with both, and returns an error with the first one on which they differ. It tries as many
// arguments as tries says for each call that has conditions, and one for the others.
func compare(p *Profile, ours *Program, r *reference, random *rand.Rand, tries int) error {
	values := compareArgs(p, random)
	conditional := make(map[string]bool)
	multiplexed := false
	for _, rule := range p.Rules {
		for _, name := range rule.Names {
			i := findName(name)
			conditional[name] = conditional[name] || len(rule.Args) > 0
			multiplexed = multiplexed || i >= 0 && multiplexCalls[i] != 0
		}
	}
	for _, a := range append([]Arch{r.host, MIPS, ARM}, p.Architectures...) {
		for _, call := range callsOf(a) {
			number, name := call.number, call.name
			n := 1
			if conditional[name] || multiplexed && (name == "socketcall" || name == "ipc") {
				n = tries
			}
			for range n {
				d := Data{Number: number, AuditArch: a.AuditArch()}
				for i := range d.Args {
					d.Args[i] = values[i][random.IntN(len(values[i]))]
				}
				if name == "socketcall" || name == "ipc" {
					d.Args[0] = random.Uint64N(30)
				}
				got, want := run(ours.Filter, &d, archs[r.host].big).Action, r.verdict(&d)
				if got != want {
					return fmt.Errorf("%s %s(%#x) %#x: got %s, libseccomp has %s", a, name, number, d.Args, got, want)
				}
			}
		}
	}
	return nil
}

// dump prints a profile for a failure's message.
func dump(p *Profile) string {
	var b strings.Builder
	fmt.Fprintf(&b, "default %s, architectures %v\n", p.Default, p.Architectures)
	for i, r := range p.Rules {
		fmt.Fprintf(&b, "syscalls[%d]: %s %v", i, r.Action, r.Names)
		for _, c := range r.Args {
			fmt.Fprintf(&b, " a%d %s %#x/%#x", c.Index, c.Op, c.Value, c.Mask)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// TestClientsOracle compares the profiles of managers with libseccomp.
func TestClientsOracle(t *testing.T) {
	o := startOracle(t)
	random := rand.New(rand.NewPCG(1, 2))
	for name, p := range clientProfiles(t) {
		p = o.withoutUnknownNames(p, X86_64)
		ours, err := Compile(p, X86_64)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := Verify(ours.Filter); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, optimize := range []int{1, 2} {
			filter, refused := o.compile(p, X86_64, optimize)
			if refused != "" {
				t.Errorf("%s: libseccomp: %s", name, refused)
				continue
			}
			if err := compare(p, ours, newReference(p, X86_64, filter), random, 200); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			t.Logf("%s: %d instructions, libseccomp %d at level %d", name, len(ours.Filter), len(filter), optimize)
		}
	}
}

// families are the hosts to compile for, each with the architectures that can be listed with it: those that its kernel
// runs, and for one host all with its byte order. libseccomp 2.5 does not know loongarch64, m68k and sh.
var families = []struct {
	host  Arch
	other []Arch
}{
	{X86_64, []Arch{X86, X32}},
	{X86_64, []Arch{X86, X32, ARM, AARCH64, MIPSEL, MIPSEL64, MIPSEL64N32, PPC64LE, RISCV64}},
	{X86_64, []Arch{X86, X32}},
	{AARCH64, []Arch{ARM}},
	{X86_64, []Arch{X86, X32}},
	{S390X, []Arch{S390}},
	{X86_64, []Arch{X32}},
	{MIPS64, []Arch{MIPS, MIPS64N32}},
	{X86, nil},
	{PPC64LE, nil},
	{ARM, nil},
	{PPC64, []Arch{PPC}},
	{RISCV64, nil},
	{PARISC64, []Arch{PARISC}},
	{MIPSEL64, []Arch{MIPSEL, MIPSEL64N32}},
}

// TestRandomOracle compares generated profiles with libseccomp.
func TestRandomOracle(t *testing.T) {
	const profiles = 7000
	o := startOracle(t)
	var accepted, refused, hung, broken int
	for i := range profiles {
		random := rand.New(rand.NewPCG(4, uint64(i))) // A seed for each profile, to find it again.
		family := families[i%len(families)]
		p := o.withoutUnknownNames(randomProfile(random, family.other), family.host)
		theirs, no := o.compile(p, family.host, 1+random.IntN(2))
		ours, err := Compile(p, family.host)
		switch {
		case no == "hang":
			hung++
		case (no != "") != (err != nil):
			t.Fatalf("profile %d: got error %v, libseccomp %q\n%s", i, err, no, dump(p))
		case no != "":
			refused++
		case comparesWrongWord(theirs, append([]Arch{family.host}, p.Architectures...)), returnsForeignAction(p, theirs):
			broken++
		default:
			accepted++
			if err := compare(p, ours, newReference(p, family.host, theirs), random, 100); err != nil {
				t.Fatalf("profile %d: %v\n%s", i, err, dump(p))
			}
		}
	}
	t.Logf("%d accepted, %d refused, %d that libseccomp does not finish, %d that it gets wrong",
		accepted, refused, hung, broken)
}

// returnsForeignAction reports whether a program returns an action that is not in the profile. If a return is out of a
// jump's reach, libseccomp 2.5 copies it, and swaps the bytes of the copy again if the architecture's byte order is not
// the host's.
func returnsForeignAction(p *Profile, filter []Instruction) bool {
	return slices.ContainsFunc(filter, func(in Instruction) bool {
		action := Action(in.K)
		return in.Code == returnConstant && action != KillThread && action != p.Default &&
			!slices.ContainsFunc(p.Rules, func(r Rule) bool { return r.Action == action })
	})
}

// comparesWrongWord reports whether a program of libseccomp compares the wrong word: it reaches a comparison with
// different words in the accumulator, or a comparison of the call's number with the architecture in it. libseccomp 2.5
// forgets the load in two cases. One is that the architecture has no number for the first call in its list, such as
// semop on x86. The other is a comparison that is the next one on its level, and also the end of a deeper level that
// two comparisons share.
func comparesWrongWord(filter []Instruction, list []Arch) bool {
	type contents struct{ offset, mask uint32 }
	holds := make([][]contents, len(filter)+256)
	for pc, in := range filter {
		mark := func(at int, c contents) {
			if !slices.Contains(holds[at], c) {
				holds[at] = append(holds[at], c)
			}
		}
		pass := func(at int) {
			for _, c := range holds[pc] {
				mark(at, c)
			}
		}
		switch in.Code {
		case returnConstant:
		case loadWord:
			mark(pc+1, contents{in.K, ^uint32(0)})
		case andConstant:
			for _, c := range holds[pc] {
				mark(pc+1, contents{c.offset, c.mask & in.K})
			}
		case jumpAlways:
			pass(pc + 1 + int(in.K))
		default:
			if len(holds[pc]) > 1 {
				return true
			}
			known := slices.ContainsFunc(list, func(a Arch) bool { return a.AuditArch() == in.K })
			if len(holds[pc]) == 1 && holds[pc][0].offset == offsetArch && !known {
				return true
			}
			pass(pc + 1 + int(in.JT))
			pass(pc + 1 + int(in.JF))
		}
	}
	return false
}
