package seccomp

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/handfast/handfast/internal/golden"
)

// drawProfile returns a randomProfile whose seed rapid chooses.
func drawProfile(t *rapid.T, host Arch) *Profile {
	var other []Arch
	for a := X86; a < archEnd; a++ {
		if archs[a].big == archs[host].big {
			other = append(other, a)
		}
	}
	return randomProfile(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)), other)
}

func drawHost(t *rapid.T) Arch { return Arch(rapid.IntRange(int(X86), int(archEnd)-1).Draw(t, "host")) }

// drawData returns a call that the profile's rules may concern.
func drawData(t *rapid.T, p *Profile, host Arch) Data {
	a := rapid.SampledFrom(append([]Arch{host}, p.Architectures...)).Draw(t, "arch")
	d := Data{AuditArch: a.AuditArch()}
	if rapid.Bool().Draw(t, "named") {
		r := rapid.SampledFrom(p.Rules).Draw(t, "rule")
		d.Number, _ = a.Number(rapid.SampledFrom(r.Names).Draw(t, "name"))
	} else {
		d.Number = rapid.SampledFrom(compareNumbers(a)).Draw(t, "number")
	}
	values := compareArgs(p, rand.New(rand.NewPCG(1, 1)))
	for i := range d.Args {
		d.Args[i] = rapid.SampledFrom(values[i]).Draw(t, "arg")
	}
	return d
}

// TestProgramsAreLoadable: every program that compiles passes the kernel's checks, in the host's byte order, with every
// architecture.
func TestProgramsAreLoadable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		host := drawHost(t)
		p := drawProfile(t, host)
		program, err := Compile(p, host)
		if err != nil {
			return
		}
		if err := Verify(program.Filter); err != nil {
			t.Fatalf("%v\n%s", err, dump(p))
		}
		if n := len(program.Bytes()); n != 8*len(program.Filter) {
			t.Fatalf("%d bytes of %d instructions", n, len(program.Filter))
		}
	})
}

// TestStagesAgree: the rules, the decision tree and the program have the same result for every call.
func TestStagesAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		host := drawHost(t)
		p := drawProfile(t, host)
		program, err := Compile(p, host)
		if err != nil {
			return
		}
		root, _, err := p.tree(host)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			d := drawData(t, p, host)
			reason, err := p.Explain(host, d)
			if err != nil {
				t.Fatal(err)
			}
			byTree := root
			for !byTree.leaf {
				if byTree.test.holds(d.word(uint32(byTree.test.offset), archs[host].big)) {
					byTree = byTree.yes
				} else {
					byTree = byTree.no
				}
			}
			verdict, err := program.Run(d)
			if err != nil {
				t.Fatal(err)
			}
			if reason.Action != byTree.action || byTree.action != verdict.Action {
				t.Fatalf("%+v: rules %s, tree %s, program %s\n%s", d, reason, byTree.action, verdict.Action, dump(p))
			}
			if reason.Cause == ByRule && p.Rules[reason.Rule].Action != reason.Action {
				t.Fatalf("%+v: %s, and that rule has %s", d, reason, p.Rules[reason.Rule].Action)
			}
		}
	})
}

// TestOneActionIsAnyRule: if all rules have one action, a call has it if the conditions of any rule hold. This is the
// meaning of the rules, without a tree of comparisons. libseccomp agrees with it if each rule has one condition, and if
// all conditions test for equality. Otherwise it may share steps that it should not, or drop a rule in favour of a
// narrower one; package seccomp does the same.
func TestOneActionIsAnyRule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawProfile(t, X86_64)
		single := rapid.Bool().Draw(t, "single")
		p.Architectures, p.Default = nil, Allow // no ENOSYS before the rules
		names := randomNames(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "names"), 0)), 2)
		for i := range p.Rules {
			p.Rules[i].Action = Errno | 7
			p.Rules[i].Names = names[:1+i%2]
			args := p.Rules[i].Args
			if single && len(args) > 1 {
				p.Rules[i].Args = args[:1]
			}
			for j := range args {
				if !single && args[j].Op != MaskedEqual {
					args[j].Op = Equal
				}
			}
		}
		program, err := Compile(p, X86_64)
		if err != nil {
			t.Fatalf("%v\n%s", err, dump(p))
		}
		for range 20 {
			d := drawData(t, p, X86_64)
			want := Allow
			if d.Number >= x32Bit && d.Number != ^uint32(0) {
				want = KillThread
			}
			for i := range p.Rules {
				r := &p.Rules[i]
				if !slices.ContainsFunc(r.Names, func(name string) bool {
					n, ok := X86_64.Number(name)
					return ok &&
						n == d.Number
				}) {
					continue
				}
				for _, all := range r.alternatives() {
					if !slices.ContainsFunc(all, func(c Condition) bool { return !c.holds(d.Args[c.Index]) }) {
						want = r.Action
					}
				}
			}
			if got := run(program.Filter, &d, false).Action; got != want {
				t.Fatalf("%+v: got %s, want %s\n%s", d, got, want, dump(p))
			}
		}
	})
}

// TestTestsOfWords: what decide concludes from one test about another agrees with evaluating both.
func TestTestsOfWords(t *testing.T) {
	words := []uint32{0, 1, 4, 5, 6, 1 << 31, ^uint32(0) - 1, ^uint32(0)}
	draw := func(t *rapid.T, label string) test {
		return test{offsetArgs, rapid.SampledFrom([]uint16{jumpEqual, jumpGreater, jumpGreaterEqual, jumpSet}).Draw(t, label),
			rapid.SampledFrom([]uint32{^uint32(0), ^uint32(0), 5, 1 << 31}).Draw(t, label), rapid.SampledFrom(words).Draw(t,
				label)}
	}
	rapid.Check(t, func(t *rapid.T) {
		first, second := draw(t, "first"), draw(t, "second")
		word := rapid.OneOf(rapid.SampledFrom(words), rapid.Uint32()).Draw(t, "word")
		if _, constant, always := first.simplify(); constant && first.holds(word) != always {
			t.Fatalf("%+v of %#x is %v", first, word, first.holds(word))
		}
		if next, known := first.implies(second, first.holds(word)); known && second.holds(word) != next {
			t.Fatalf("after %+v (%v) of %#x, %+v is %v", first, first.holds(word), word, second, second.holds(word))
		}
	})
}

// TestSegments: replace changes the given range and nothing else.
func TestSegments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := new(builder)
		leaf := func() *node { return b.leaf(Errno | Action(rapid.IntRange(1, 4).Draw(t, "action"))) }
		var s segments
		s.set(0, leaf())
		for n := uint32(0); len(s) < 6; {
			n += rapid.Uint32Range(1, 3).Draw(t, "gap")
			s.set(n, leaf())
			if n > 40 {
				break
			}
		}
		first := rapid.Uint32Range(0, 20).Draw(t, "first")
		last := rapid.OneOf(rapid.Uint32Range(first, 30), rapid.Just(^uint32(0))).Draw(t, "last")
		to := leaf()
		cut := s.replace(first, last, to)
		for n := range uint32(60) {
			want := s.find(n)
			if n >= first && n <= last {
				want = to
			}
			if cut.find(n) != want {
				t.Fatalf("cut %d to %d: %d is %s, want %s", first, last, n, cut.find(n).action, want.action)
			}
		}
		for i := 1; i < len(cut); i++ {
			if cut[i].first <= cut[i-1].first {
				t.Fatalf("%d behind %d", cut[i].first, cut[i-1].first)
			}
		}
	})
}

func TestCheckTail(t *testing.T) {
	all := []Rule{{Names: []string{"execve", "write", "read", "clone"}, Action: Allow}}
	when := func(action Action) []Rule {
		return []Rule{{Names: []string{"execve"}, Action: action, Args: []Condition{{2, Equal, 7 << 32, ^uint64(0)}}},
			{Names: []string{"write"}, Action: Allow}}
	}
	for name, c := range map[string]struct {
		p    Profile
		want string
	}{
		"all":          {Profile{Default: Errno | 1, Rules: all, Architectures: []Arch{X86, X32}}, ""},
		"none":         {Profile{Default: Errno | 1}, "seccomp: the profile does not allow execve"},
		"kill":         {Profile{Default: KillProcess, Rules: all[:0]}, "seccomp: the profile does not allow execve"},
		"traced":       {Profile{Default: Trace}, "seccomp: the profile does not allow execve"},
		"logged":       {Profile{Default: Log}, ""},
		"agent":        {Profile{Default: Errno | 1, Rules: when(UserNotify)}, ""},
		"by arguments": {Profile{Default: Errno | 1, Rules: when(Allow)}, ""},
		"write": {Profile{Default: Allow, Rules: []Rule{{Names: []string{"write"}, Action: Trap}}},
			"seccomp: the profile does not allow write"},
	} {
		t.Run(name, func(t *testing.T) {
			program, err := Compile(&c.p, X86_64)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := program.CheckTail("execve", "write"); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	program, _ := Compile(&Profile{Default: Allow}, X86_64)
	if err := program.CheckTail("no_such_call"); err == nil || !strings.Contains(err.Error(),
		"has no system call no_such_call") {
		t.Error(err)
	}
}

// TestGolden prints every stage of the default profiles.
func TestGolden(t *testing.T) {
	golden.Only(t, "testdata/golden/*")
	for name, file := range map[string]string{"docker": "docker-2", "podman": "podman-1",
		"containerd": "containerd-1.6-ctr-1"} {
		t.Run(name, func(t *testing.T) {
			p, err := Parse(profileOf(t, "../oci/testdata/clients/"+file+".config.json"))
			if err != nil {
				t.Fatal(err)
			}
			tree, err := p.Tree(X86_64)
			if err != nil {
				t.Fatal(err)
			}
			program, err := Compile(p, X86_64)
			if err != nil {
				t.Fatal(err)
			}
			text := fmt.Sprintf("%s\n%s\n%s", p, tree, program)
			golden.Compare(t, filepath.Join("testdata", "golden", name+".txt"), text)
		})
	}
}
