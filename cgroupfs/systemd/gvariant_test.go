package systemd

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/golden"
)

// texts that are read, and how they print.
var readable = map[string]string{
	"true": "true", "false": "false", "0": "0", "-5": "-5", "+5": "5", "0x1f": "31", "017": "15", "1.5": "double 1.5",
	"1e3": "double 1000", "-inf": "double -inf",
	"uint64 5": "uint64 5", "uint32 5": "uint32 5", "byte 0xff": "byte 0xff", "int16 -3": "int16 -3",
	"int64 -9223372036854775808": "int64 -9223372036854775808", "double 2": "double 2", "boolean true": "true",
	"string 'x'": "'x'",
	`'it\'s'`:    `'it\'s'`, `"a\tb\u00e4\\"`: `'a\u0009bä\\'`, `'\q'`: "'q'", "''": "''",
	"['a', \"b\"]": "['a', 'b']", "@as []": "@as []", "@as ['a']": "['a']", "[uint32 1, 2]": "[uint32 1, uint32 2]",
	"[ 'a' ,'b' ]": "['a', 'b']", "[@as [], ['x']]": "[@as [], ['x']]",
	"('a', 1)": "('a', 1)", "(1,)": "(1,)", "@(st) ('a', 1)": "('a', uint64 1)",
	"@a(ss) [('/dev/null', 'rw')]": "[('/dev/null', 'rw')]", "<'x'>": "<'x'>", "objectpath '/a/b'": "objectpath '/a/b'",
	"signature 'a(ss)'":           "signature 'a(ss)'",
	"uint64 18446744073709551615": "uint64 18446744073709551615",
}

// texts that are refused, and a part of the error.
var unreadable = map[string]string{
	"": "a value is missing", "[]": "empty array of no known type", "[1, 'a']": `the string "a"`,
	"2147483648": "is not a value",
	"uint32 -1":  "is not a value", "byte 256": "not a value", "truex": "not a value", "1 2": "something follows",
	"'a": "no end", `'\`: "no end", `'\u12'`: "hexadecimal", `'\ud800'`: "not a character", `'\u0000'`: "zero byte",
	"(1": "want , or )", "()": "structure of 0", "[1,]": "nothing follows", "(1,2,)": "nothing follows",
	"@z 1": "not supported", "@a{ss} {}": "not supported", "{'a': 1}": "is not a value",
	"just 1": "is not a value", "nothing": "not a value", "handle 1": "not a value", "b'x'": "not a value",
	"@(st) ('a',)":  "want 2",
	"@(s) ('a', 1)": "more than 1", "uint64 'x'": "wanted", "@as 5": "is not a value", "<1": "want >",
	"objectpath 'a'": "wanted",
	"uint64 @s 'x'":  "wanted", "1_000": "is not a value", "\xff": "not UTF-8",
}

func TestParseValue(t *testing.T) {
	for in, want := range readable {
		v, err := parseValue(in)
		if err != nil || v.String() != want {
			t.Errorf("%s is %s, %v; want %s", in, v, err, want)
		}
	}
	unreadable[strings.Repeat("[", 100)+"1"+strings.Repeat("]", 100)] = "nested"
	unreadable[strings.Repeat("a", maxText+1)] = "at most"
	for in, want := range unreadable {
		v, err := parseValue(in)
		if !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s is %s, %.200v; want an error with %q", in, v, err, want)
		}
	}
}

// TestParseValueAsOthers compares with the reader that other runtimes use: what both take has the same type and bytes.
func TestParseValueAsOthers(t *testing.T) {
	same := 0
	for in := range readable {
		v, err := parseValue(in)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := dbus.ParseVariant(in, dbus.Signature{})
		if err != nil {
			continue
		}
		if have := theirs.Signature().String(); have != v.kind {
			t.Errorf("%s is of the type %q, theirs %q", in, v.kind, have)
			continue
		}
		same++
	}
	if same < 20 {
		t.Errorf("only %d texts could be compared", same)
	}
}

func FuzzParseValue(f *testing.F) {
	for in := range readable {
		f.Add(in)
	}
	for in := range unreadable {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		v, err := parseValue(in)
		if err != nil {
			return
		}
		if one, rest, err := oneType(v.kind); err != nil || rest != "" || one != v.kind {
			t.Fatalf("%q has the type %q: %v", in, v.kind, err)
		}
		again, err := parseValue(v.String())
		if err != nil || again.String() != v.String() || again.kind != v.kind {
			t.Fatalf("%q prints as %q, which is read as %s, %v", in, v, again, err)
		}
		// And what is read can be sent and received.
		e := encoder{}
		e.value(v)
		d := decoder{b: e.b, order: little}
		back, err := d.value(v.kind, 0)
		if err != nil || back.String() != v.String() {
			t.Fatalf("%s came back as %s, %v", v, back, err)
		}
	})
}

func TestAnnotations(t *testing.T) {
	all, err := FromAnnotations(map[string]string{
		"other": "x", "org.systemd.property.TimeoutStopSec": "90", "org.systemd.property.RuntimeMaxSec": "1.5",
		"org.systemd.property.TimeoutStopUSec": "uint64 7",
		"org.systemd.property.CollectMode":     "'inactive-or-failed'",
		"org.systemd.property.After":           "['a.service', 'b.service']",
	})
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "testdata/annotations.txt", lines(all))
	for key, c := range map[string][2]string{
		"PIDs": {"[uint32 1]", "itself"}, "Slice": {"'x.slice'", "itself"}, "ab": {"1", "name of a property"},
		"A_b": {"1", "name of a property"}, "TimeoutStopSec": {"-1", "0 or more"},
		"RuntimeMaxSec": {"'1'", "number of seconds"}, "WatchdogSec": {"uint64 18446744073709551615", "are too many"},
		"FooSec": {"nan", "0 or more"}, "Description": {"x", "is not a value"},
	} {
		all, err := FromAnnotations(map[string]string{AnnotationPrefix + key: c[0]})
		if !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), c[1]) || !strings.Contains(err.Error(), key) {
			t.Errorf("%s=%s: %v, %v; want an error with %q", key, c[0], all, err, c[1])
		}
	}
}

// TestUnsafePropertiesAreDocumented: docs/runtime.md names every property that reaches beyond the container, and every
// one that is refused.
func TestUnsafePropertiesAreDocumented(t *testing.T) {
	data, err := os.ReadFile("../../docs/runtime.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(beyondTheContainer(), owned()...) {
		if !strings.Contains(string(data), "`"+name+"`") {
			t.Errorf("docs/runtime.md does not name %s", name)
		}
		if !propertyName(name) {
			t.Errorf("%q is no property's name", name)
		}
	}
}

// beyondTheContainer is the properties by which an annotation reaches beyond the container's limits: whoever hands on
// annotations from people who may not administer the host filters these, or all annotations of this kind. They start,
// stop or wait for other units, act on the whole host, load programs into the kernel, or take back what the
// configuration limits.
func beyondTheContainer() []string {
	return []string{
		"After", "Before", "BindsTo", "Conflicts", "JoinsNamespaceOf", "OnFailure", "OnFailureJobMode", "OnSuccess",
		"OnSuccessJobMode", "PartOf", "PropagatesStopTo", "Requires", "Requisite", "StopPropagatedFrom", "UpheldBy",
		"Upholds", "Wants", // other units
		// the host
		"FailureAction", "FailureActionExitStatus", "JobTimeoutAction", "JobTimeoutRebootArgument", "RebootArgument",
		"StartLimitAction", "SuccessAction", "SuccessActionExitStatus",
		"BPFProgram", "IPEgressFilterPath", "IPIngressFilterPath", "NFTSet", // programs and filters
		// limits
		"DeviceAllow", "DevicePolicy", "DisableControllers", "ManagedOOMMemoryPressure", "ManagedOOMPreference",
		"ManagedOOMSwap", "OOMPolicy",
		"DefaultDependencies", "RequiresMountsFor", "WantsMountsFor", // when it ends, and what must be there
	}
}
