package seccomp

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const plain = `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}`

func TestParse(t *testing.T) {
	eperm := Errno | 1
	for _, c := range []struct {
		name, text string
		want       *Profile
	}{
		{"nothing", "", nil},
		{"null", " null ", nil},
		{"empty", `{"flags":[]}`, nil},
		{"plain", plain, &Profile{Default: eperm, Flags: FlagSpecAllow, Rules: []Rule{{Names: []string{"read"},
			Action: Allow}}}},
		{"only a default", `{"defaultAction":"SCMP_ACT_LOG","flags":null}`, &Profile{Default: Log, Flags: FlagSpecAllow,
			Rules: []Rule{}}},
		{"no flags", `{"defaultAction":"SCMP_ACT_KILL","flags":[]}`, &Profile{Default: KillThread, Rules: []Rule{}}},
		{"flags", `{"defaultAction":"SCMP_ACT_KILL_THREAD","flags":["SECCOMP_FILTER_FLAG_TSYNC","SECCOMP_FILTER_FLAG_LOG"]}`,
			&Profile{Default: KillThread, Flags: FlagLog, Rules: []Rule{}}},
		{"architectures",
			`{"defaultAction":"SCMP_ACT_TRACE","defaultErrnoRet":65535,"architectures":["SCMP_ARCH_X86","SCMP_ARCH_X86"]}`,
			&Profile{Default: Trace | 0xffff, Flags: FlagSpecAllow, Architectures: []Arch{X86}, Rules: []Rule{}}},
		{"errno beside any action", `{"defaultAction":"SCMP_ACT_ALLOW","defaultErrnoRet":70000,"syscalls":[
			{"names":["a","b"],"action":"SCMP_ACT_ERRNO","errnoRet":0},
			{"names":["c"],"action":"SCMP_ACT_KILL_PROCESS","errnoRet":1}]}`,
			&Profile{Default: Allow, Flags: FlagSpecAllow, Rules: []Rule{
				{Names: []string{"a", "b"}, Action: Errno}, {Names: []string{"c"}, Action: KillProcess}}}},
		{"conditions", `{"defaultAction":"SCMP_ACT_TRAP","syscalls":[{"names":["clone"],"action":"SCMP_ACT_LOG","args":[
			{"index":0,"value":2114060288,"valueTwo":1,"op":"SCMP_CMP_MASKED_EQ"},
			{"index":5,"value":18446744073709551615,"valueTwo":0,"op":"SCMP_CMP_LT"}]}]}`,
			&Profile{Default: Trap, Flags: FlagSpecAllow, Rules: []Rule{{Names: []string{"clone"}, Action: Log,
				Args: []Condition{
					{0, MaskedEqual, 1, 2114060288}, {5, Less, ^uint64(0), ^uint64(0)}}}}}},
		{"notify", `{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/run/a","listenerMetadata":"m",
			"flags":["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],"syscalls":[{"names":["mount"],"action":"SCMP_ACT_NOTIFY"}]}`,
			&Profile{Default: Allow, Flags: FlagWaitKillableRecv, Notify: true, ListenerPath: "/run/a", ListenerMetadata: "m",
				Rules: []Rule{{Names: []string{"mount"}, Action: UserNotify}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Parse([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// rule returns a profile with one rule of the given members.
func rule(members string) string {
	return `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"},{` + members + `}]}`
}

// condition returns a profile with one rule that has the given conditions.
func condition(args string) string {
	return rule(`"names":["a"],"action":"SCMP_ACT_LOG","args":[` + args + `]`)
}

func TestBadProfiles(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"broken": {`{"defaultAction":`, ": broken JSON: unexpected end of JSON input"},
		"a list": {`[]`, ": want an object, got array"},
		"no default": {`{"syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}`,
			".defaultAction: missing: want one of SCMP_ACT_KILL, "},
		"unknown default": {`{"defaultAction":"ALLOW"}`,
			`.defaultAction: "ALLOW": want one of SCMP_ACT_KILL, SCMP_ACT_KILL_PROCESS, `},
		"default notify": {`{"defaultAction":"SCMP_ACT_NOTIFY"}`, ".defaultAction: SCMP_ACT_NOTIFY is for rules alone"},
		"default errno": {`{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":4096}`,
			".defaultErrnoRet: 4096: want at most 4095 with SCMP_ACT_ERRNO"},
		"negative errno": {`{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":-1}`,
			".defaultErrnoRet: want a whole number from 0 to "},
		"unknown architecture": {`{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86","x86_64"]}`,
			`.architectures[1]: "x86_64": want one of SCMP_ARCH_AARCH64, `},
		"unknown flag": {`{"defaultAction":"SCMP_ACT_ALLOW","flags":["LOG"]}`,
			`.flags[0]: "LOG": want one of SECCOMP_FILTER_FLAG_TSYNC, `},
		"wait without notify": {`{"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]}`,
			".flags: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV is for rules with SCMP_ACT_NOTIFY"},
		"metadata alone": {`{"defaultAction":"SCMP_ACT_ALLOW","listenerMetadata":"m"}`,
			".listenerMetadata: without a listenerPath there is nobody"},
		"notify without path": {rule(`"names":["mount"],"action":"SCMP_ACT_NOTIFY"`),
			".listenerPath: missing: a rule has SCMP_ACT_NOTIFY"},
		"relative path": {`{"listenerPath":"a",` + rule(`"names":["mount"],"action":"SCMP_ACT_NOTIFY"`)[1:],
			`.listenerPath: "a": want an absolute path`},
		"notify for write": {rule(`"names":["read","write"],"action":"SCMP_ACT_NOTIFY"`),
			".syscalls[1].names[1]: SCMP_ACT_NOTIFY cannot be used for the write syscall"},
		"no names": {rule(`"action":"SCMP_ACT_LOG"`),
			".syscalls[1].names: missing: want the names of at least one system call"},
		"empty name": {rule(`"names":[""],"action":"SCMP_ACT_LOG"`),
			".syscalls[1].names[0]: empty: want the name of a system call"},
		"name of a newError type": {rule(`"names":["a",7],"action":"SCMP_ACT_LOG"`),
			".syscalls[1].names[1]: want a string, got number"},
		"no action":      {rule(`"names":["a"]`), ".syscalls[1].action: missing: want one of "},
		"unknown action": {rule(`"names":["a"],"action":"allow"`), `.syscalls[1].action: "allow": want one of `},
		"errno": {rule(`"names":["a"],"action":"SCMP_ACT_ERRNO","errnoRet":5000`),
			".syscalls[1].errnoRet: 5000: want at most 4095 with SCMP_ACT_ERRNO"},
		"trace data": {rule(`"names":["a"],"action":"SCMP_ACT_TRACE","errnoRet":65536`),
			".syscalls[1].errnoRet: 65536: want at most 65535 with SCMP_ACT_TRACE"},
		"index": {condition(`{"index":6,"op":"SCMP_CMP_EQ"}`),
			".syscalls[1].args[0].index: 6: want 0 to 5"},
		"operator": {condition(`{"index":0,"op":"SCMP_CMP_EQ"},{"index":1,"op":"=="}`),
			`.syscalls[1].args[1].op: "==": want one of SCMP_CMP_NE, `},
		"second value": {condition(`{"index":0,"op":"SCMP_CMP_EQ","valueTwo":1}`),
			".syscalls[1].args[0].valueTwo: 1: only SCMP_CMP_MASKED_EQ has a second value, SCMP_CMP_EQ has none"},
		"value of a string": {condition(`{"index":0,"op":"SCMP_CMP_EQ","value":"1"}`),
			".syscalls[1].args[0].value: want a whole number from 0 to 18446744073709551615, got string"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(c.text))
			var bad *Error
			if !errors.As(err, &bad) || !strings.HasPrefix(err.Error(), Property+c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got  %v\nwant %s", err, Property+c.want)
			}
		})
	}
}

// TestBadPrograms tests the errors that only Compile finds.
func TestBadPrograms(t *testing.T) {
	var many strings.Builder
	for i := range maxInstructions {
		fmt.Fprintf(&many,
			`{"names":["ioctl"],"action":"SCMP_ACT_ALLOW","args":[{"index":1,"op":"SCMP_CMP_EQ","value":%d}]},`, 2*i)
	}
	for name, c := range map[string]struct {
		text, want string
		host       Arch
	}{
		"contradiction": {`{"defaultAction":"SCMP_ACT_KILL","syscalls":[
			{"names":["ioctl"],"action":"SCMP_ACT_ALLOW","args":[{"index":1,"op":"SCMP_CMP_EQ","value":1}]},
			{"names":["close","ioctl"],"action":"SCMP_ACT_LOG","args":[{"index":1,"op":"SCMP_CMP_EQ","value":1}]}]}`,
			".syscalls[1]: ioctl with SCMP_ACT_LOG contradicts another rule on SCMP_ARCH_X86_64: " +
				"want one action for the same arguments", X86_64},
		"byte order": {`{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86","SCMP_ARCH_S390X"]}`,
			".architectures[1]: SCMP_ARCH_S390X has another byte order than this machine, which is SCMP_ARCH_X86_64", X86_64},
		"no host": {`{"defaultAction":"SCMP_ACT_ALLOW"}`,
			": this machine's architecture is none that profiles have a name for", 0},
		"too long": {`{"defaultAction":"SCMP_ACT_KILL","syscalls":[{"names":["read"],"action":"SCMP_ACT_LOG"},` +
			strings.TrimSuffix(many.String(), ",") + `]}`,
			".syscalls[1]: the program for SCMP_ARCH_X86_64 would be longer than the 4096 instructions " +
				"that the kernel takes; the rules of ioctl need the most, ", X86_64},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Parse([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if _, err = Compile(p, c.host); err == nil || !strings.HasPrefix(err.Error(), Property+c.want) {
				t.Errorf("got  %v\nwant %s", err, Property+c.want)
			}
		})
	}
}

func TestNamesOfTheSpecification(t *testing.T) {
	if n := len(ArchNames()); n != 23 {
		t.Errorf("%d architectures: %v", n, ArchNames())
	}
	for _, name := range ArchNames() {
		if a, ok := ParseArch(name); !ok || a.String() != name {
			t.Errorf("%s: %v %v", name, a, ok)
		}
	}
	if n := len(OpNames()); n != 7 {
		t.Errorf("%d operators: %v", n, OpNames())
	}
	if n := len(ActionNames()); n != 9 {
		t.Errorf("%d actions: %v", n, ActionNames())
	}
	if HostArch() == 0 {
		t.Error("no name for this machine's architecture")
	}
}

func TestShadowed(t *testing.T) {
	p, err := Parse([]byte(rule(`"names":["close","read"],"action":"SCMP_ACT_LOG"`)))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"syscalls[1].names[1]: read is decided by syscalls[0]"}
	if diff := cmp.Diff(want, p.Shadowed()); diff != "" {
		t.Error(diff)
	}
}
