package seccomp

import (
	"math/rand/v2"
	"path/filepath"
	"testing"
)

// FuzzParse: any text is a profile or an error. The kernel loads each profile that compiles, and its program and its
// rules agree.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("../oci/testdata/clients/*.config.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		f.Add(profileOf(f, file))
	}
	f.Add([]byte(plain))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := Parse(raw)
		if err != nil || p == nil {
			if p != nil {
				t.Fatalf("both a profile and an error: %v", err)
			}
			return
		}
		checkProfile(t, p, HostArch())
		_ = p.String()
	})
}

// FuzzCompile: any profile either compiles for any host to a program that the kernel loads, or is an error.
func FuzzCompile(f *testing.F) {
	f.Add(uint64(1), uint64(2), uint8(X86_64))
	f.Add(uint64(3), uint64(4), uint8(S390X))
	f.Fuzz(func(t *testing.T, high, low uint64, host uint8) {
		a := X86 + Arch(host)%(archEnd-X86)
		random := rand.New(rand.NewPCG(high, low))
		var other []Arch
		for b := X86; b < archEnd; b++ {
			if archs[b].big == archs[a].big {
				other = append(other, b)
			}
		}
		checkProfile(t, randomProfile(random, other), a)
	})
}

func checkProfile(t *testing.T, p *Profile, host Arch) {
	program, err := Compile(p, host)
	if err != nil {
		return
	}
	if err := Verify(program.Filter); err != nil {
		t.Fatalf("%v\n%s", err, dump(p))
	}
	random := rand.New(rand.NewPCG(1, 2))
	values := compareArgs(p, random)
	for _, call := range callsOf(host) {
		if random.IntN(40) != 0 {
			continue
		}
		d := Data{Number: call.number, AuditArch: host.AuditArch()}
		for i := range d.Args {
			d.Args[i] = values[i][random.IntN(len(values[i]))]
		}
		verdict, err := program.Run(d)
		if err != nil {
			t.Fatal(err)
		}
		if reason, err := p.Explain(host, d); err != nil || reason.Action != verdict.Action {
			t.Fatalf("%+v: rules %s (%v), program %s\n%s", d, reason, err, verdict.Action, dump(p))
		}
	}
}
