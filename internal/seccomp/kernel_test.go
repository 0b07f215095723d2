package seccomp

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// harmless are calls without effects and without arguments, so any arguments can be passed.
var harmless = []string{"getppid", "getuid", "geteuid", "getgid", "getegid", "gettid", "sched_yield"}

// A kernel is attempt.c after it has loaded a filter.
type kernel struct {
	*helper
	p    *Profile
	host Arch
	ours *Program
}

// load compiles a profile and has the kernel load it.
func (h *helper) load(p *Profile) (*kernel, error) {
	host := HostArch()
	ours, err := Compile(p, host)
	if err != nil {
		return nil, err
	}
	if reply := h.request("filter %x %x", ours.Flags, ours.Bytes()); reply != "loaded" {
		return nil, fmt.Errorf("the kernel says %s of %d instructions", reply, len(ours.Filter))
	}
	return &kernel{h, p, host, ours}, nil
}

// try makes a call, and compares its result with the interpreter's.
func (k *kernel) try(a Arch, name string, args [6]uint64) error {
	number, ok := a.Number(name)
	if !ok {
		return nil
	}
	abi := "native"
	if a == X86 {
		abi = "int80"
		for i := range args {
			args[i] = uint64(uint32(args[i])) // The filter only sees what the registers hold.
		}
	}
	d := Data{Number: number, AuditArch: a.AuditArch(), Args: args}
	verdict, err := k.ours.Run(d)
	if err != nil {
		return err
	}
	if reason, err := k.p.Explain(k.host, d); err != nil || reason.Action != verdict.Action {
		return fmt.Errorf("%s %s: the rules say %v (%v), the program %s", a, name, reason, err, verdict.Action)
	}
	reply := k.request("call %s %x %x %x %x %x %x %x", abi, number, args[0], args[1], args[2], args[3], args[4], args[5])
	want := expected(verdict.Action)
	// A call that is allowed may fail by itself: one that is not harmless, and any if the kernel has no x32.
	fails := want == "value" && (a == X32 || !slices.Contains(harmless, name)) && strings.HasPrefix(reply, "errno")
	if !strings.HasPrefix(reply, want) && !fails {
		return fmt.Errorf("%s %s %#x: the interpreter says %s, so want %q; got %q", a, name, args, verdict.Action, want,
			reply)
	}
	return nil
}

// expected returns how a reply of attempt begins for an action, without a tracer and a listener (seccomp(2)).
func expected(a Action) string {
	switch a.Kind() {
	case Errno:
		if a.Data() == 0 {
			return "value 0"
		}
		return fmt.Sprintf("errno %d", a.Data())
	case KillThread, KillProcess:
		return fmt.Sprintf("killed %d", int(syscall.SIGSYS))
	case Trap:
		return fmt.Sprintf("trap %d", a.Data())
	case Trace, UserNotify:
		return fmt.Sprintf("errno %d", enosysGeneric)
	}
	return "value"
}

// hostABIs returns the ways into this machine's kernel that attempt knows.
func hostABIs(h *helper) []Arch {
	list := []Arch{HostArch()}
	if runtime.GOARCH == "amd64" {
		list = append(list, X32)
		all, err := h.load(&Profile{Default: Allow, Architectures: []Arch{X86, X32}})
		if err == nil && all.try(X86, "getppid", [6]uint64{}) == nil {
			list = append(list, X86)
		}
	}
	return list
}

// TestClientsInKernel loads the profiles of managers, and tries the harmless calls and some that most profiles do not
// allow and that fail without arguments.
func TestClientsInKernel(t *testing.T) {
	h := startHelper(t, "attempt")
	abis := hostABIs(h)
	t.Logf("calls of %v", abis)
	for name, p := range clientProfiles(t) {
		k, err := h.load(p)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, a := range abis {
			for _, call := range append([]string{"mount", "swapon", "kexec_load", "init_module"}, harmless...) {
				if err := k.try(a, call, [6]uint64{}); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		// no kernel has this number
		if got := h.request("call native 3e7 0 0 0 0 0 0"); got != "errno 38" {
			t.Errorf("%s: a new call: %s", name, got)
		}
	}
}

// TestRandomInKernel tests generated profiles in the kernel.
func TestRandomInKernel(t *testing.T) {
	h := startHelper(t, "attempt")
	abis := hostABIs(h)
	enforced, refused := 0, 0
	for i := range 150 {
		random := rand.New(rand.NewPCG(5, uint64(i)))
		p := randomProfile(random, []Arch{X86, X32})
		if HostArch() != X86_64 {
			p.Architectures = nil
		}
		for j := range p.Rules {
			p.Rules[j].Names = append(p.Rules[j].Names, harmless[random.IntN(2)])
		}
		k, err := h.load(p)
		if err != nil {
			if _, ours := err.(*Error); !ours {
				t.Fatalf("profile %d: %v\n%s", i, err, dump(p))
			}
			refused++
			continue
		}
		values := compareArgs(p, random)
		for range 5 {
			var args [6]uint64
			for j := range args {
				args[j] = values[j][random.IntN(len(values[j]))]
			}
			if err := k.try(abis[random.IntN(len(abis))], harmless[random.IntN(3)], args); err != nil {
				t.Fatalf("profile %d: %v\n%s", i, err, dump(p))
			}
			enforced++
		}
	}
	t.Logf("%d calls made, %d profiles that contradict themselves", enforced, refused)
}

// TestOtherABIsCannotPass: x32 and int 0x80 do not allow what a profile for x86_64 alone forbids.
func TestOtherABIsCannotPass(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("only x86_64 has x32 and int 0x80")
	}
	h := startHelper(t, "attempt")
	k, err := h.load(&Profile{Default: Allow, Rules: []Rule{{Names: []string{"getppid"}, Action: Errno | 13}}})
	if err != nil {
		t.Fatal(err)
	}
	int80 := "killed 31"
	if !slices.Contains(hostABIs(h), X86) {
		int80 = "killed 11" // A kernel without it does not know the interrupt, so the call faults.
	}
	if k, err = h.load(k.p); err != nil {
		t.Fatal(err)
	}
	number := func(a Arch) uint32 { n, _ := a.Number("getppid"); return n }
	for _, c := range []struct {
		abi    string
		number uint32
		want   string
	}{
		{"native", number(X86_64), "errno 13"},
		{"native", number(X32), "killed 31"},
		{"native", number(X32) | 1<<31, "killed 31"},
		{"int80", number(X86), int80},
	} {
		if got := k.request("call %s %x 0 0 0 0 0 0", c.abi, c.number); got != c.want {
			t.Errorf("%s %#x: %s, want %s", c.abi, c.number, got, c.want)
		}
	}
}
