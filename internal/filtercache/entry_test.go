package filtercache

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/handfast/handfast/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{}) }

func sample() *Entry {
	return &Entry{
		Compiler: "1 2 3", Filter: bytes.Repeat([]byte("12345678"),
			3), Flags: 2, Notify: true, Path: "/run/agent", Metadata: "m",
		Skipped: []string{"no_such_call", ""}, Profile: []byte(`{"defaultAction":"SCMP_ACT_ERRNO"}`),
	}
}

func TestEveryEntryComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := &Entry{
			Compiler: rapid.String().Draw(t, "compiler"), Filter: bytes.Repeat([]byte{rapid.Byte().Draw(t, "byte")},
				8*rapid.IntRange(1, 4096).Draw(t, "length")),
			Flags: rapid.Uint32().Draw(t, "flags"), Notify: rapid.Bool().Draw(t, "notify"), Path: rapid.String().Draw(t,
				"path"),
			Metadata: rapid.String().Draw(t, "metadata"), Skipped: rapid.SliceOf(rapid.String()).Draw(t,
				"skipped"), Profile: rapid.SliceOf(rapid.Byte()).Draw(t, "profile"),
		}
		got, err := Decode(e.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if len(e.Skipped) == 0 {
			e.Skipped = nil
		}
		if len(e.Profile) == 0 {
			e.Profile, got.Profile = nil, nil
		}
		if diff := cmp.Diff(e, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestDamageIsNoticed: if any byte of an entry is changed, missing or added, Decode or Is reports it.
func TestDamageIsNoticed(t *testing.T) {
	e := sample()
	whole := e.Encode()
	check := func(what string, b []byte) {
		got, err := Decode(b)
		if err == nil && got.Is(e.Compiler, e.Profile) {
			t.Errorf("%s: taken for whole", what)
		}
		if err != nil && !errors.Is(err, errDamaged) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := range whole {
		b := bytes.Clone(whole)
		b[i] ^= 1 << (i % 8)
		check("a changed byte", b)
		check("cut short", whole[:i])
	}
	check("longer", append(bytes.Clone(whole), 0))
}

func TestNames(t *testing.T) {
	a, b, c := Name("x", []byte("y")), Name("x", []byte("z")), Name("xy", nil)
	if a == b || a == c || a != Name("x", []byte("y")) || len(a) != len(nameSpace)+nameSize {
		t.Errorf("%s %s %s", a, b, c)
	}
	e := sample()
	if !e.Is(e.Compiler, e.Profile) || e.Is("other", e.Profile) || e.Is(e.Compiler, []byte("{}")) {
		t.Error("Is")
	}
}

func TestSurplus(t *testing.T) {
	now := time.Now()
	var all []file
	for i := range Most + 2 {
		all = append(all, file{nameSpace + string(rune('a'+i%26)) + string(rune('0'+i/26)),
			now.Add(time.Duration(i) * time.Second)})
	}
	all = append(all, file{newSpace + "old", now.Add(-2 * stale)}, file{newSpace + "young", now}, file{"foreign",
		now.Add(-2 * stale)})
	if diff := cmp.Diff([]string{newSpace + "old", all[1].name, all[0].name}, surplus(all, now)); diff != "" {
		t.Error(diff)
	}
	if got := surplus(all[:Most], now); len(got) > 0 {
		t.Errorf("%q", got)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(sample().Encode())
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Decode(b)
		if err != nil {
			return
		}
		if again := e.Encode(); !bytes.Equal(again, b) {
			t.Errorf("%q became %q", b, again)
		}
	})
}
